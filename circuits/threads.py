"""One BLAS thread at a time."""

from __future__ import annotations

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped, unused-ignore]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks at every loaded library, so once per process


def one_blas_thread() -> Any:
    """Context in which BLAS uses one thread.

    Sparse solves and small blocks make many small BLAS calls, which are up to ten times slower on several
    threads than on one.
    """
    return _controller().limit(limits=1, user_api="blas")
