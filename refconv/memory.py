"""How much memory there is, so that an array too large for it is refused before it is allocated."""

from __future__ import annotations

import os
from pathlib import Path

from refconv.errors import ConvError

_ALWAYS_FITS = 2**24  # Not worth asking the system for, at each small lesson.
_CGROUP = Path("/sys/fs/cgroup")


def check_memory(argument: str, value: object, what: str, size: int) -> None:
    """Check that `size` more bytes can be allocated.

    Parameters
    ----------
    argument, value : str, object
        What the error names.
    what : str
        What needs the memory, such as ``"the output of shape (3, 4)"``.
    size : int
        Bytes.

    Raises
    ------
    ConvError
        Saying the size in GiB and what is available.

    Examples
    --------
    >>> check_memory("x", "array of shape (1, 5, 1)", "the output", 40)
    """
    available = None if size <= _ALWAYS_FITS else available_bytes()
    if available is not None and size > available:
        raise too_large(argument, value, what, size, f"{available / 2**30:.3g} GiB are available")


def too_large(argument: str, value: object, what: str, size: int, limit: str) -> ConvError:
    """Build the error for something that does not fit into memory."""
    return ConvError(
        argument,
        value,
        f"{what} needs {size / 2**30:.3g} GiB with its working copies, but {limit}",
        "use smaller sizes",
    )


def available_bytes() -> int | None:
    """Return the bytes that can still be allocated without swapping, or None where that is not known."""
    known = [size for size in (_available_to_machine(), _available_to_container()) if size is not None]
    return min(known, default=None)


def _available_to_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _available_to_container() -> int | None:
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        statistics = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    # Cached files count as used, but give way.
    return max(limit - used + int(statistics.get("inactive_file", 0)), 0)
