"""The command line: ``refconv size``, ``explain``, ``solve``, ``show``, ``signature`` and ``demo``."""

from __future__ import annotations

from refconv.cli.commands import main

__all__ = ["main"]
