"""How much memory there is: that of the machine, or of the container around this process."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def available_memory(system: Path = Path("/")) -> float:
    """Memory that is free, or would be freed on demand [byte].

    The least of what the machine has (all there is, where it doesn't say) and of what the limits of this process's
    control group and of those around it leave (cgroup v2: ``memory.max``, and ``memory.high``, above which the kernel
    slows the group down until it is smaller).

    Parameters
    ----------
    system
        Root of the file system with ``proc`` and ``sys``.
    """
    return min(_of_machine(system), *_of_groups(system))


def _of_machine(system: Path) -> float:
    found = re.search(r"^MemAvailable:\s*(\d+) kB", _text(system / "proc" / "meminfo"), re.MULTILINE)
    if found:
        return 1024.0 * int(found[1])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _of_groups(system: Path) -> Iterator[float]:
    """What each group around this process leaves; infinity first, and for a group without a limit."""
    yield math.inf
    own = re.search(r"^0::/(.*)$", _text(system / "proc" / "self" / "cgroup"), re.MULTILINE)
    if own is None:
        return
    for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
        root = system / mount
        inner = root / own[1]
        for group in (inner, *inner.parents):
            yield _left_in(group)
            if group == root:
                break


def _left_in(group: Path) -> float:
    limit = min(_bytes(group / "memory.max", math.inf), _bytes(group / "memory.high", math.inf))
    # Pages of files that nobody has used for a while count as used, but go when memory is needed.
    cached = re.search(r"^inactive_file (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
    used = _bytes(group / "memory.current", 0.0) - (int(cached[1]) if cached else 0.0)
    return max(0.0, limit - max(0.0, used))


def _bytes(path: Path, otherwise: float) -> float:
    """A number of bytes; ``max`` and a file that isn't there mean something else."""
    text = _text(path).strip()
    return float(text) if text.isascii() and text.isdigit() else otherwise


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""
