"""Moving pictures of every layer, from the same index rule as its numbers.

`scene` holds what a frame shows as pure data, `compose` makes it from a trace, `draw` turns it into
pixels, `animation` reads the caller's arguments and writes files. Matplotlib loads with the first
picture that is drawn.
"""

from __future__ import annotations

from refconv.visual.animation import Animation, animate

__all__ = ["Animation", "animate"]
