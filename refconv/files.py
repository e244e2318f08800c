"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from refconv.errors import ConvError


def check_place(path: Path) -> None:
    """Check that a file can be put there, before the work of making it.

    Raises
    ------
    ConvError
        If the folder does not exist, or the path is a folder.
    """
    if not path.parent.is_dir():
        raise ConvError("path", str(path), f"there is no folder {str(path.parent)!r}", "make it first")
    if path.is_dir():
        raise ConvError("path", str(path), "this is a folder", "name a file in it")


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then move it there in one step.

    Parameters
    ----------
    path : Path
        Where the file is to be; what was there before stays until the new one is complete.
    write : callable
        Given the path of the file to fill, which has the same suffix.

    Raises
    ------
    ConvError
        If the folder does not exist or cannot be written to.
    """
    check_place(path)
    draft = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        write(draft)
        os.replace(draft, path)
    except OSError as reason:
        raise ConvError("path", str(path), f"cannot be written: {reason.strerror}", "choose another folder") from reason
    finally:
        draft.unlink(missing_ok=True)
