"""One real photograph through six layers: every size derived, counted and computed, every layer drawn.

What ``refconv demo`` runs.
"""

from __future__ import annotations

from refconv.demo.program import run

__all__ = ["run"]
