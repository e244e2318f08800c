"""A progress bar that appears only where a render turns out to take long."""

from __future__ import annotations

import sys
import time
from typing import Any

# Seconds of rendering from which on a bar is worth its line.
PATIENCE = 2.0


class Progress:
    """Counts frames as a context manager; `tick` is called after each.

    Parameters
    ----------
    count : int
        How many frames there are.
    wanted : bool or None
        True shows the bar from the first frame, False never, None on a terminal only and where the
        whole is expected to take more than `PATIENCE`.
    """

    def __init__(self, count: int, wanted: bool | None) -> None:
        self.count = count
        self.wanted = sys.stderr.isatty() if wanted is None else wanted
        self.patience = PATIENCE if wanted is None else 0.0
        self.done = 0
        self.bar: Any = None
        self.start = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def tick(self) -> None:
        """Count one frame."""
        self.done += 1
        expected = (time.monotonic() - self.start) / self.done * self.count
        if self.wanted and self.bar is None and expected > self.patience:
            from rich import progress
            from rich.console import Console

            self.bar = progress.Progress(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.bar.add_task("Drawing frames", total=self.count)
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.done)

    def __exit__(self, *reason: object) -> None:
        if self.bar is not None:
            self.bar.stop()
