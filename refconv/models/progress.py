"""How the training of a model is shown: a bar on a terminal, a line for each epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from refconv.errors import ConvError


class Progress:
    """Shows epochs.

    Parameters
    ----------
    verbose : str or int
        0 shows nothing, 1 a bar and a line for each epoch, 2 the lines only; ``"auto"`` is 1 on a terminal,
        else 2.
    epochs : int
        How many there are.
    steps : int
        Batches in each.

    Raises
    ------
    ConvError
        If `verbose` is none of these.
    """

    def __init__(self, verbose: Any, epochs: int, steps: int) -> None:
        if isinstance(verbose, bool) or verbose not in ("auto", 0, 1, 2):
            raise ConvError("verbose", verbose, "not one of 'auto', 0, 1, 2", "use 0 to show nothing")
        self._epochs = epochs
        self._steps = steps
        self._console: Any = None
        if verbose:
            from rich.console import Console

            # Plain text: rich would colour the numbers, and break the lines of a narrow log.
            self._console = Console(highlight=False, soft_wrap=True)
            if verbose == "auto":
                verbose = 1 if self._console.is_terminal else 2
        self._bar = verbose == 1
        self._started = 0.0

    def batches(self, epoch: int, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches of an epoch, while a bar shows how many are done."""
        self._started = time.perf_counter()
        if not self._bar:
            yield from items
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=self._console, transient=True) as bar:
            yield from bar.track(items, total=self._steps, description=self._title(epoch))

    def show(self, epoch: int, values: dict[str, float]) -> None:
        """Print the line of an epoch that is done."""
        if self._console is not None:
            seconds = time.perf_counter() - self._started
            shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
            self._console.print(f"{self._title(epoch)}  {seconds:.1f} s  {shown}", markup=False)

    def _title(self, epoch: int) -> str:
        return f"Epoch {epoch + 1}/{self._epochs}"
