"""What every frame shows of its panels: values, weights, boxes, lines, sums and captions, without a place yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from refconv.trace import Stage, Step, Term, filter_channels, trace, trace_stamps
from refconv.visual import words
from refconv.visual.grids import Grid, Index, input_grid, interpolation_kernel, kernel_grid, output_grid, plain_grid
from refconv.visual.sums import SumText, output_sum, stamp_sum


class Picture(NamedTuple):
    """What is to be shown of one stage.

    Attributes
    ----------
    stage : Stage
        The map.
    x : nested lists, shape (spatial..., channels), or None
        The input.
    filters : tuple of int
        Output channels, shown together; more than one only if each reads one channel.
    channels : tuple of int
        Input channels shown, from the top.
    only_channel : int or None
        The channel that the sums are restricted to.
    view : str
        ``"gather"``, ``"stamp"`` or ``"both"``.
    title, details : str
        The first two lines.
    formulas : tuple of str
        The output size's derivation.
    remarks : tuple of str
        Sentences that stand under every frame.
    planes : int or None
        How many channels the input has, where that is known.
    """

    stage: Stage
    x: Any
    filters: tuple[int, ...]
    channels: tuple[int, ...]
    only_channel: int | None
    view: str
    title: str
    details: str
    formulas: tuple[str, ...]
    remarks: tuple[str, ...]
    planes: int | None


class Slot(NamedTuple):
    """A grid's place in the layout: its column (or band), its plane, and what it stands for."""

    key: str
    plane: int
    grid: Grid


# A panel's name and plane.
Where = tuple[str, int]


@dataclass
class Content:
    """What changes from frame to frame.

    A box is its role, panel, plane, cells and inset; a line joins two sets of cells.
    """

    summary: str = ""
    captions: list[str] = field(default_factory=list)
    values: dict[Where, dict[Index, float]] = field(default_factory=dict)
    weights: dict[Where, dict[tuple[int, int], str]] = field(default_factory=dict)
    boxes: list[tuple[str, str, int, list[Index], float]] = field(default_factory=list)
    lines: list[tuple[tuple[str, int, list[Index]], tuple[str, int, list[Index]]]] = field(default_factory=list)
    done: set[Index] = field(default_factory=set)
    sums: list[SumText] = field(default_factory=list)


def frame_count(picture: Picture) -> int:
    """Return how many frames a picture has: one per output, or per input that stamps."""
    stage = picture.stage
    sizes = stage.geometry.input_size if picture.view == "stamp" and stage.geometry is not None else stage.output_size
    count = len(picture.channels) if picture.view == "stamp" else 1
    for size in sizes:
        count *= size
    return count


def largest_grid(picture: Picture) -> int:
    """Return the most cells that a panel of this picture has along one axis."""
    return max(max(grid.rows, grid.columns) for _, _, grid in _slots(picture))


def _slots(picture: Picture) -> list[Slot]:
    stage, view = picture.stage, picture.view
    geometry = stage.geometry
    lockstep = len(picture.filters) > 1
    slots: list[Slot] = []
    many = (picture.planes or 1) > 1
    for plane, channel in enumerate(picture.channels):
        name = f" · channel {channel}" if many else ""
        if geometry is None:
            slots.append(Slot("kernel", plane, interpolation_kernel(stage)))
            size = words.input_size(stage)
            slots.append(Slot("input", plane, plain_grid("input", f"Input {words.times(size)}{name}", size)))
            continue
        kernel_title = f"Kernel {words.times(geometry.kernel_size)}" + (
            f" · filter {picture.filters[plane]}" if lockstep else ""
        )
        input_title = f"Input {words.times(geometry.input_size)}{name}"
        if view in ("gather", "both"):
            if reads(picture, plane):
                slots.append(Slot("kernel", plane, kernel_grid(geometry, kernel_title)))
            slots.append(Slot("input", plane, input_grid(geometry, input_title)))
        if view in ("stamp", "both"):
            suffix = "2" if view == "both" else ""
            slots.append(Slot("kernel" + suffix, plane, kernel_grid(geometry.adjoint(), kernel_title)))
            plain = plain_grid("input", input_title, geometry.input_size)
            slots.append(Slot("input" + suffix, plane, plain._replace(note="each stamps the kernel" if suffix else "")))
    for plane, number in enumerate(picture.filters):
        name = f" · filter {number}" if lockstep or _filters(stage) > 1 else ""
        slots.append(Slot("output", plane, output_grid(stage, f"Output {words.times(stage.output_size)}{name}", view)))
    return slots


def reads(picture: Picture, plane: int) -> bool:
    """Tell whether the filter shown reads the channel of a plane: with groups it reads its own group's only."""
    if len(picture.filters) > 1 or picture.stage.geometry is None:
        return True
    return picture.channels[plane] in filter_channels(picture.stage, picture.filters[0])


def _filters(stage: Stage) -> int:
    return 1 if stage.weights is None else int(stage.weights.shape[-1])


class Contents:
    """The grids of a picture, and what is in them frame by frame."""

    def __init__(self, picture: Picture, chosen: Sequence[int] | None) -> None:
        self.picture = picture
        self.stage = picture.stage
        self.geometry = picture.stage.geometry
        self.numeric = picture.x is not None and (self.stage.weights is not None or self.geometry is None)
        self.slots = _slots(picture)
        self.grids = {(slot.key, slot.plane): slot.grid for slot in self.slots}
        self.rank = self.stage.rank
        self.chosen = range(frame_count(picture)) if chosen is None else chosen
        self.letters = self._letters()
        contents = self._stamped() if picture.view == "stamp" else self._gathered()
        for content in contents:
            content.boxes += self._effective()
        self.contents = [content for number, content in enumerate(contents) if number in set(self.chosen)]
        self.scales = self._scales()

    def _letters(self) -> dict[Index, str]:
        """Letters for the weights of a transposed layer, so that the flip shows without numbers."""
        if self.numeric or self.geometry is None or not self.geometry.transposed:
            return {}
        indices = [tap.kernel_index for tap in self.geometry.taps((0,) * self.rank)]
        if not 1 < len(indices) <= 26:
            return {}
        return dict(zip(indices, "abcdefghijklmnopqrstuvwxyz", strict=False))

    # Contents, frame by frame

    def _gathered(self) -> list[Content]:
        picture = self.picture
        steps = [list(trace(self.stage, picture.x, filter=f, channel=picture.only_channel)) for f in picture.filters]
        contents = []
        results: dict[int, dict[Index, float]] = {plane: {} for plane in range(len(steps))}
        for number in range(len(steps[0])):
            content = Content()
            now = [filter_steps[number] for filter_steps in steps]
            for plane, step in enumerate(now):
                if step.total is not None:
                    results[plane][step.output_index] = step.total
                content.values["output", plane] = dict(results[plane])
                self._gather(content, plane, step)
                if self.numeric:
                    content.sums.append(output_sum(step, len(now) > 1))
            index = now[0].output_index
            content.done.update(step.output_index for step in steps[0][: number + 1])
            total = f" = {words.short(now[0].total)}" if len(now) == 1 and self.numeric else ""
            content.summary = f"y{words.place(index)}{total}"
            content.captions.append(self._gather_caption(now[0]))
            if picture.view == "both":
                content.captions.append(words.overlap_caption(now[0]))
            contents.append(content)
        return contents

    def _gather(self, content: Content, plane: int, step: Step) -> None:
        """Add the window, its taps' weights, and the lines to the output."""
        output = ("output", plane, [step.output_index])
        content.boxes.append(("current", "output", plane, [step.output_index], 0.0))
        for channel in sorted({term.channel for term in step.terms}):
            terms = [term for term in step.terms if term.channel == channel]
            row = plane if len(self.picture.filters) > 1 else self.picture.channels.index(channel)
            cells = [term.cell for term in terms]
            content.boxes += [("tap", "input", row, [cell], 0.0) for cell in cells]
            content.boxes.append(("window", "input", row, cells, 0.0))
            content.lines.append((("input", row, cells), output))
            content.weights["input", row] = {self.at(term.cell): self._weight(term) for term in terms}
            if self.geometry is None:
                content.weights["kernel", row] = {}
                content.values["kernel", row] = {t.kernel_index: float(t.weight or 0) for t in terms}
            if self.picture.view == "both":
                self._lockstep(content, row, output, terms)

    def _lockstep(
        self, content: Content, row: int, output: tuple[str, int, list[Index]], terms: Sequence[Term]
    ) -> None:
        """Add what the same terms look like as stamps: their inputs, and where each stamp falls."""
        assert self.geometry is not None
        adjoint = self.geometry.adjoint()
        data = [term for term in terms if term.input_index is not None]
        content.weights["input2", row] = {
            self.at(term.input_index): self._weight(term) for term in data if term.input_index is not None
        }
        for number, term in enumerate(data):
            assert term.input_index is not None
            content.boxes.append(("tap", "input2", row, [term.input_index], 0.0))
            content.boxes.append(("window", "input2", row, [term.input_index], 0.0))
            cells = [tap.cell for tap in adjoint.taps(term.input_index)]
            content.boxes.append(("stamp", "output", 0, cells, 2.0 + 2.6 * (number % 5)))
            content.lines.append((("input2", row, [term.input_index]), output))

    def _effective(self) -> list[tuple[str, str, int, list[Index], float]]:
        """Return the outlines of the kernel panels whose elements stand apart."""
        if self.geometry is None or all(axis.dilated_kernel_size == axis.kernel_size for axis in self.geometry.axes):
            return []
        kernels = [(slot, slot.grid) for slot in self.slots if slot.grid.role == "kernel"]
        corners: list[list[Index]] = [
            [(0,), (grid.columns - 1,)] if self.rank == 1 else [(0, 0), (grid.rows - 1, grid.columns - 1)]
            for _, grid in kernels
        ]
        return [
            ("effective", slot.key, slot.plane, cells, -2.0) for (slot, _), cells in zip(kernels, corners, strict=True)
        ]

    def _stamped(self) -> list[Content]:
        picture = self.picture
        (number_of_filter,) = picture.filters
        results: dict[Index, float] = {}
        if self.numeric:
            start = 0
            if self.stage.bias is not None and picture.only_channel is None:
                start = self.stage.bias.tolist()[number_of_filter]
            results = dict.fromkeys(self._output_indices(), start)
        touched: set[Index] = set()
        contents = []
        for stamp in trace_stamps(self.stage, picture.x, filter=number_of_filter, channel=picture.only_channel):
            content = Content()
            row = picture.channels.index(stamp.channel)
            for term in stamp.terms:
                if term.input_index is not None:
                    touched.add(term.input_index)
                    if term.running_sum is not None:
                        results[term.input_index] = term.running_sum
            cells = [term.cell for term in stamp.terms]
            content.values["output", 0] = dict(results)
            content.done.update(touched)
            content.boxes.append(("tap", "input", row, [stamp.input_index], 0.0))
            content.boxes.append(("window", "input", row, [stamp.input_index], 0.0))
            content.boxes += [("tap", "output", 0, [cell], 0.0) for cell in cells]
            content.boxes.append(("window", "output", 0, cells, 0.0))
            content.lines.append((("input", row, [stamp.input_index]), ("output", 0, cells)))
            content.weights["output", 0] = {self.at(term.cell): self._weight(term) for term in stamp.terms}
            if self.numeric:
                content.sums.append(stamp_sum(stamp))
            content.summary = f"x{words.place(stamp.input_index)}"
            content.captions.append(words.stamp_caption(stamp))
            contents.append(content)
        return contents

    def _gather_caption(self, step: Step) -> str:
        if self.geometry is None:
            reads = len(step.terms)
            inputs = "1 input, unchanged" if reads == 1 else f"{reads} inputs, whose weights add to 1"
            return f"{words.named('Output', step.output_index)} is made of {inputs}."
        first = tuple(min(-axis.pad_before, 0) for axis in self.geometry.axes)
        return words.gather_caption(step, first)

    def _output_indices(self) -> list[Index]:
        assert self.geometry is not None
        return list(self.geometry.output_indices())

    def _weight(self, term: Term) -> str:
        if not self.numeric:
            return self.letters.get(term.kernel_index, "")
        return words.short(term.weight)

    def at(self, cell: Sequence[int] | None) -> tuple[int, int]:
        """Return the row and column of a cell."""
        assert cell is not None
        return (0, cell[0]) if self.rank == 1 else (cell[0], cell[1])

    # Values

    def static_values(self, slot: Slot) -> dict[Index, float]:
        """Numbers of a panel that stay the same in all frames: the input's and the kernel's."""
        if not self.numeric:
            return {}
        grid = slot.grid
        if grid.role == "input":
            channel = self.picture.channels[slot.plane]
            return {index: _number(self.picture.x, (*index, channel)) for index in set(grid.indices.values())}
        if grid.role == "kernel" and self.geometry is not None:
            lockstep = len(self.picture.filters) > 1
            chosen = self.picture.filters[slot.plane] if lockstep else self.picture.filters[0]
            channel = self.picture.channels[slot.plane]
            per_group = int(self.stage.weights.shape[-2])
            weights = self.stage.weights.tolist()
            return {index: _number(weights, (*index, channel % per_group, chosen)) for index in grid.indices.values()}
        return {}

    def _scales(self) -> dict[str, float]:
        """Return the largest size of a number in each kind of panel."""
        scales = {"input": 0.0, "kernel": 0.0, "output": 0.0}
        for slot in self.slots:
            for value in self.static_values(slot).values():
                scales[slot.grid.role] = max(scales[slot.grid.role], abs(value))
        for content in self.contents:
            for (key, plane), values in content.values.items():
                role = self.grids[key, plane].role
                scales[role] = max([scales[role], *(abs(value) for value in values.values())])
        return scales


def _number(nested: Any, index: Sequence[int]) -> float:
    for i in index:
        nested = nested[i]
    return nested
