"""`hallspice cache`: the kept networks, and how to get rid of them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout
from pydantic import JsonValue

from hallspice.files import OutputError
from hallspice.networks.kept import cache_folder, lock_of
from nn_mapping.trained import load_network

_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNetwork:
    """A kept network, or the state of a training that was interrupted."""

    path: Path
    what: str
    size: int
    """Bytes."""
    age: float
    """Time since it was written [s]."""


def entries(folder: Path) -> list[KeptNetwork]:
    """Networks and interrupted trainings in a cache folder, the newest first; other files there are passed over."""
    found = []
    for path in (*folder.glob("*.npz"), *folder.glob("*.checkpoint")):
        if _NAME.fullmatch(path.stem) and path.is_file():
            about = path.stat()
            age = max(0.0, time.time() - about.st_mtime)
            found.append(KeptNetwork(path=path, what=_what(path), size=about.st_size, age=age))
    return sorted(found, key=lambda entry: entry.age)


def contents() -> tuple[dict[str, JsonValue], str]:
    """Where the cache is and what it holds, as data and in words."""
    folder = cache_folder()
    found = entries(folder)
    size = sum(entry.size for entry in found)
    lines = [
        f"{folder} (the variable HALLSPICE_CACHE names another place)",
        *(
            f"  {_duration(one.age):>6}  {_bytes(one.size):>8}  {one.path.stem[:8]}  {one.what}"
            for one in found
        ),
        f"{len(found)} networks, {_bytes(size)}",
    ]
    networks: list[JsonValue] = [
        {"name": one.path.stem, "what": one.what, "size_bytes": one.size, "age_s": one.age} for one in found
    ]
    return {"folder": str(folder), "size_bytes": size, "networks": networks}, "\n".join(lines)


def clear(older_than: float) -> tuple[dict[str, JsonValue], str]:
    """Remove the networks that are at least `older_than` [s] old, except what a process is training just now."""
    removed: list[KeptNetwork] = []
    in_use: list[KeptNetwork] = []
    for entry in entries(cache_folder()):
        if entry.age < older_than:
            continue
        try:
            with lock_of(entry.path).acquire(blocking=False) as lock:
                entry.path.unlink(missing_ok=True)
                Path(lock.lock_file).unlink(missing_ok=True)
        except Timeout:
            in_use.append(entry)
        except OSError as error:
            raise OutputError(f"{entry.path}: cannot be removed: {error.strerror or error}") from None
        else:
            removed.append(entry)
    size = sum(entry.size for entry in removed)
    lines = [
        *(f"{entry.path.stem[:8]} is in use and stays." for entry in in_use),
        f"Removed {len(removed)} networks, {_bytes(size)}. What is needed again will be trained again.",
    ]
    names: list[JsonValue] = [entry.path.stem for entry in removed]
    kept: list[JsonValue] = [entry.path.stem for entry in in_use]
    return {"removed": names, "in_use": kept, "size_bytes": size}, "\n".join(lines)


def _what(path: Path) -> str:
    if path.suffix == ".checkpoint":
        return "a training that was interrupted; it will go on"
    try:
        network = load_network(path)
    except (OSError, ValueError):
        return "damaged; it will be trained again"
    weights = "float" if network.levels is None else f"{len(network.levels)} levels"
    recipe, data, seed = (network.info[key] for key in ("recipe", "data", "seed"))
    sizes = "-".join(map(str, network.sizes))
    return f"{data}, {sizes}, {weights}, {recipe['name']}, {recipe['epochs']} epochs, seed {seed}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
