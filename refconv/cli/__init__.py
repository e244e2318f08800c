"""The command line: what is asked about a layer, the demonstration, and what measures; see ``refconv --help``."""

from __future__ import annotations

from refconv.cli import measuring as _measuring  # noqa: F401
from refconv.cli.commands import main

__all__ = ["main"]
