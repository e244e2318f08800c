"""Compiled loops kept on disk, so that the next process need not compile them.

Numba's own cache knows only the file of the function itself: after a change of a helper in another
file it gives a stale kernel, and two processes that save two signatures at once can mix them up.
Here the folder's name holds a hash of everything a kernel is made from, and each kernel is one
file, written whole or not at all. A cache that cannot be read or written is no error: the loop is
then compiled again.

The folder is ``$NUMBA_CACHE_DIR`` where that is set, else the user's own cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

import refconv

# Where kernels and all that is compiled into them stand, beside geometry.py.
_ROOMS = ("refconv.jit.", "refconv.loops.", "refconv.tiled.")


def keep_on_disk(dispatcher: Any, variant: str) -> Callable[..., None]:
    """Let a Numba dispatcher load its kernels from disk and save them there.

    Parameters
    ----------
    dispatcher : numba dispatcher, or a plain function where the JIT is off
        Changed in place.
    variant : str
        What sets this compilation of the function apart from others.

    Returns
    -------
    callable
        The dispatcher.
    """
    # The folder's name vouches for refconv's own kernels only.
    ours = hasattr(dispatcher, "py_func") and dispatcher.py_func.__module__.startswith(_ROOMS)
    folder = cache_folder() if ours else None
    if folder is not None:
        dispatcher._cache = _KernelFiles(folder, dispatcher.py_func, variant)
    return dispatcher


def is_kept(dispatcher: Any, arguments: Sequence[Any]) -> bool:
    """Tell whether a kernel for such arguments is on disk, so that its first call need not wait for the compiler.

    Parameters
    ----------
    dispatcher : numba dispatcher, or a plain function where the JIT is off
        What `keep_on_disk` returned.
    arguments : sequence
        Of a call.
    """
    cache = getattr(dispatcher, "_cache", None)
    if not isinstance(cache, _KernelFiles):
        return False
    signature = tuple(dispatcher.typeof_pyval(argument) for argument in arguments)
    return cache.holds(signature, dispatcher.targetctx)


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder for the kernels of exactly these sources, or None where there can be none."""
    try:
        base = Path(numba.config.CACHE_DIR) if numba.config.CACHE_DIR else _user_cache_folder() / "refconv"
        return base / f"refconv-{refconv.__version__}-{_fingerprint()}"
    except (OSError, RuntimeError):  # Sources that are not files, or a user without a home.
        return None


def _user_cache_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _fingerprint() -> str:
    """Hash all that a kernel depends on besides its signature and the processor."""
    root = Path(refconv.__file__).parent
    digest = hashlib.sha256()
    for part in (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, numba.config.BOUNDSCHECK):
        digest.update(f"{part}\n".encode())
    rooms = [root / room.split(".")[1] for room in _ROOMS]
    for source in [root / "geometry.py", *sorted(file for room in rooms for file in room.rglob("*.py"))]:
        digest.update(source.relative_to(root).as_posix().encode() + b"\n" + source.read_bytes())
    return digest.hexdigest()[:16]


class _KernelFiles(NullCache):
    """One function's kernels, one file for each signature and processor."""

    def __init__(self, folder: Path, function: Callable[..., None], variant: str) -> None:
        self._folder = folder
        self._name = f"{function.__module__}.{function.__qualname__}-{variant}"

    @property
    def cache_path(self) -> str:
        return str(self._folder)

    def _file(self, signature: Any, codegen: Any) -> Path:
        key = repr((self._name, signature, codegen.magic_tuple()))
        return self._folder / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.kernel"

    def holds(self, sig: Any, target_context: Any) -> bool:
        """Tell whether there is a file for a signature."""
        return self._file(sig, target_context.codegen()).exists()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        # Whatever is wrong with a file, the loop can be compiled again.
        with contextlib.suppress(Exception):
            content = self._file(sig, target_context.codegen()).read_bytes()
            return CompileResult._rebuild(target_context, *pickle.loads(content))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if data.lifted or data.library.has_dynamic_globals:
            return
        with contextlib.suppress(OSError):
            file = self._file(sig, data.codegen)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = file.with_suffix(f".{uuid.uuid4().hex[:16]}")
            try:
                unfinished.write_bytes(dumps(data._reduce()))
                unfinished.replace(file)
            finally:
                unfinished.unlink(missing_ok=True)
