"""The index rule, against lists of cells that are written out, and against enumeration."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refconv.errors import ConvError
from refconv.geometry import AxisGeometry, ConvGeometry, TapKind, input_index, receptive_field

PADDING, ZERO = "padding", "zero"


def padded_cells(axis: AxisGeometry) -> list[object]:
    """Write the padded, zero-inserted input out, datum by datum; negative padding cuts the list."""
    cells: list[object] = []
    for datum in range(axis.input_size):
        cells += [ZERO] * (axis.input_dilation - 1) if datum else []
        cells.append(datum)
    cells = [PADDING] * axis.pad_before + cells + [PADDING] * axis.pad_after
    cells = cells[max(-axis.pad_before, 0) :]
    return cells[: len(cells) - max(-axis.pad_after, 0)]


def windows(axis: AxisGeometry) -> list[list[object]]:
    """Slide the kernel along the cells; what each kernel element covers, in the order of the weights."""
    cells = padded_cells(axis)
    offsets = [tap * axis.dilation for tap in range(axis.kernel_size)]
    if axis.reversed:
        offsets.reverse()
    found = []
    start = 0
    while start + max(offsets) < len(cells):
        found.append([cells[start + offset] for offset in offsets])
        start += axis.stride
    return found


def axes(**overrides: st.SearchStrategy[int]) -> st.SearchStrategy[AxisGeometry]:
    numbers = {
        "input_size": st.integers(1, 12),
        "kernel_size": st.integers(1, 5),
        "stride": st.integers(1, 4),
        "dilation": st.integers(1, 3),
        "pad_before": st.integers(-4, 6),
        "pad_after": st.integers(-4, 6),
        "input_dilation": st.integers(1, 4),
        "reversed": st.booleans(),
    }
    return st.builds(AxisGeometry, **(numbers | overrides)).filter(lambda axis: axis.output_size > 0)


def small_axes() -> list[AxisGeometry]:
    numbers = itertools.product(range(1, 6), range(1, 4), (1, 2, 3), (1, 2), (-1, 0, 2), (-2, 0, 1), (1, 3))
    return [axis for axis in itertools.starmap(AxisGeometry, numbers) if axis.output_size]


@given(axes())
@settings(max_examples=100)
def test_taps_are_what_a_sliding_window_covers(axis: AxisGeometry) -> None:
    wanted = windows(axis)
    assert axis.output_size == len(wanted)
    for o, window in enumerate(wanted):
        for k, (tap, cell) in enumerate(zip(axis.taps(o), window, strict=True)):
            kind = {PADDING: TapKind.PADDING, ZERO: TapKind.INSERTED_ZERO}.get(cell, TapKind.DATA)
            assert (tap.kind, tap.kernel_index) == (kind, (k,))
            assert tap.input_index == ((cell,) if kind is TapKind.DATA else None)
            assert input_index(o, k, axis) == {PADDING: -1, ZERO: -2}.get(cell, cell)


def test_sizes_and_indices_by_enumeration() -> None:
    for axis in small_axes():
        cells, wanted = padded_cells(axis), windows(axis)
        assert axis.padded_size == len(cells)
        assert axis.output_size == len(wanted)
        covered = (len(wanted) - 1) * axis.stride + axis.dilated_kernel_size
        assert axis.unread == len(cells) - covered
        found = [[input_index(o, k, axis) for k in range(axis.kernel_size)] for o in range(len(wanted))]
        assert found == [[{PADDING: -1, ZERO: -2}.get(cell, cell) for cell in window] for window in wanted]


def test_nothing_fits_means_no_output_and_all_unread() -> None:
    axis = AxisGeometry(3, 5)
    assert (axis.output_size, axis.unread) == (0, 3)


@given(axes())
@settings(max_examples=100)
def test_adjoint_reads_what_was_added_to(axis: AxisGeometry) -> None:
    """Output o reads datum i through k exactly where the adjoint's output i reads o through k."""
    adjoint = axis.adjoint()
    assert (adjoint.input_size, adjoint.output_size) == (axis.output_size, axis.input_size)
    links = {(o, k, input_index(o, k, axis)) for o in range(axis.output_size) for k in range(axis.kernel_size)}
    back = {(input_index(i, k, adjoint), k, i) for i in range(adjoint.output_size) for k in range(axis.kernel_size)}
    assert {link for link in links if link[2] >= 0} == {link for link in back if link[0] >= 0}


@given(axes())
@settings(max_examples=100)
def test_adjoint_of_adjoint_differs_only_in_unread_cells(axis: AxisGeometry) -> None:
    twice = axis.adjoint().adjoint()
    assert twice == axis._replace(pad_after=axis.pad_after - axis.unread)
    if axis.unread == 0:
        assert twice == axis


def test_adjoint_of_adjoint_by_enumeration() -> None:
    for axis in small_axes():
        assert axis.adjoint().adjoint() == axis._replace(pad_after=axis.pad_after - axis.unread)


def test_transposed_is_a_stamped_full_output_cropped() -> None:
    for n, k, s, d, lo, hi in itertools.product((1, 2, 5), (1, 2, 4), (1, 2, 3, 5), (1, 2), (0, 1, 2), (-2, 0, 1)):
        stamped: dict[int, list[tuple[int, int]]] = {}
        for i, j in itertools.product(range(n), range(k)):
            stamped.setdefault(i * s + j * d, []).append((i, j))
        full = list(range(max(stamped) + 1 + max(-hi, 0)))
        kept = full[lo : len(full) - max(hi, 0)]
        axis = AxisGeometry.transposed(n, k, s, d, lo, hi)
        assert axis.crop == (lo, hi)
        assert axis.output_size == len(kept)
        for o, cell in enumerate(kept):
            read = [(input_index(o, j, axis), j) for j in range(k)]
            assert sorted(link for link in read if link[0] >= 0) == sorted(stamped.get(cell, []))


def test_input_sizes_sharing_output_by_enumeration() -> None:
    for axis in small_axes():
        shared = [n for n in range(1, 40) if len(windows(axis._replace(input_size=n))) == axis.output_size]
        assert list(axis.input_sizes_sharing_output()) == shared, axis


@given(axes())
@settings(max_examples=50)
def test_every_size_is_shared_with_itself(axis: AxisGeometry) -> None:
    assert axis.input_size in axis.input_sizes_sharing_output()


def test_negative_padding_crops() -> None:
    axis = AxisGeometry(7, 3, pad_before=-2, pad_after=-1)
    assert windows(axis) == [[2, 3, 4], [3, 4, 5]]
    assert [[tap.input_index for tap in axis.taps(o)] for o in range(2)] == [[(2,), (3,), (4,)], [(3,), (4,), (5,)]]


def test_cropping_into_inserted_zeros() -> None:
    """A crop may start among the zeros between two data."""
    axis = AxisGeometry(3, 2, pad_before=-1, input_dilation=3)
    assert windows(axis)[0] == [ZERO, ZERO]
    assert [tap.kind for tap in axis.taps(1)] == [TapKind.INSERTED_ZERO, TapKind.DATA]


@pytest.mark.parametrize(
    ("number", "name"),
    [("G1", "input_size"), ("G2", "kernel_size"), ("G3", "stride"), ("G4", "dilation"), ("G5", "input_dilation")],
)
@pytest.mark.parametrize("value", [0, -3])
def test_g1_to_g5_positive_numbers(number: str, name: str, value: int) -> None:
    axis = AxisGeometry(9, 3)._replace(**{name: value})
    with pytest.raises(ConvError, match=f"{name}.*{number}") as caught:
        axis.check()
    assert (caught.value.argument, caught.value.constraint, caught.value.value) == (name, number, value)
    with pytest.raises(ConvError, match=number):
        ConvGeometry((axis,))


@pytest.mark.parametrize("name", ["input_size", "kernel_size", "stride", "dilation", "input_dilation", "pad_before"])
@pytest.mark.parametrize("value", [1.0, "1", None, True])
def test_axis_numbers_are_whole(name: str, value: object) -> None:
    with pytest.raises(ConvError, match=name):
        AxisGeometry(9, 3)._replace(**{name: value}).check()


@pytest.mark.parametrize("name", ["pad_before", "pad_after"])
def test_g6_padding_is_any_whole_number(name: str) -> None:
    AxisGeometry(9, 3)._replace(**{name: -6}).check()
    with pytest.raises(ConvError, match=f"{name}.*whole number"):
        AxisGeometry(9, 3)._replace(**{name: 0.5}).check()


def test_g7_the_kernel_fits() -> None:
    with pytest.raises(ConvError, match=r"spans 9 but the padded input is 7.*G7.*smallest input here is 9") as caught:
        ConvGeometry((AxisGeometry(7, 5, dilation=2),))
    assert caught.value.argument == "input_size"


def test_g7_names_the_smallest_input_that_fits() -> None:
    numbers = itertools.product(range(1, 6), range(1, 5), (1, 2), (1, 3), (-2, 0, 1), (-1, 2), (1, 2, 3))
    refused = 0
    for axis in itertools.starmap(AxisGeometry, numbers):
        if axis.output_size:
            continue
        refused += 1
        with pytest.raises(ConvError) as caught:
            axis.check()
        smallest = next(n for n in itertools.count(1) if windows(axis._replace(input_size=n)))
        assert f"the smallest input here is {smallest}," in caught.value.remedy
    assert refused > 100


@pytest.mark.parametrize("rank", [0, 4])
def test_g8_one_to_three_axes(rank: int) -> None:
    with pytest.raises(ConvError, match="G8"):
        ConvGeometry((AxisGeometry(5, 3),) * rank)


@pytest.mark.parametrize("groups", [0, -1])
def test_g9_groups_are_positive(groups: int) -> None:
    with pytest.raises(ConvError, match=r"groups.*G9"):
        ConvGeometry((AxisGeometry(5, 3),), groups)


@pytest.mark.parametrize(
    ("number", "channels", "filters", "message"), [("G10", 4, 6, "4 channels"), ("G11", 6, 4, "4 filters")]
)
def test_g10_g11_groups_divide(number: str, channels: int, filters: int, message: str) -> None:
    geometry = ConvGeometry((AxisGeometry(5, 3),), groups=3)
    with pytest.raises(ConvError, match=f"{message}.*{number}.*4 divides by 1, 2, 4"):
        geometry.check_channels(channels, filters)
    geometry.check_channels(6, 9)


def test_axes_have_their_own_numbers() -> None:
    geometry = ConvGeometry(
        (
            AxisGeometry(7, 3, stride=2),
            AxisGeometry(5, 2, pad_before=1),
            AxisGeometry(4, 2, dilation=2, pad_after=2),
        ),
        groups=2,
    )
    assert (geometry.rank, geometry.input_size, geometry.kernel_size) == (3, (7, 5, 4), (3, 2, 2))
    assert geometry.output_size == (3, 5, 4)
    assert geometry.adjoint().output_size == (7, 5, 4)
    assert geometry.adjoint().groups == 2
    assert (geometry.transposed, geometry.adjoint().transposed) == (False, True)
    assert len(list(geometry.output_indices())) == 60


def test_taps_of_two_axes_are_the_product() -> None:
    geometry = ConvGeometry((AxisGeometry(2, 2, pad_before=1, input_dilation=2), AxisGeometry(3, 3, pad_after=1)))
    down, across = (windows(axis) for axis in geometry.axes)
    for o in geometry.output_indices():
        cells = list(itertools.product(down[o[0]], across[o[1]]))
        taps = geometry.taps(o)
        assert [tap.kernel_index for tap in taps] == list(itertools.product(range(2), range(3)))
        for tap, cell in zip(taps, cells, strict=True):
            if PADDING in cell:
                assert tap.kind is TapKind.PADDING
            elif ZERO in cell:
                assert tap.kind is TapKind.INSERTED_ZERO
            else:
                assert (tap.kind, tap.input_index) == (TapKind.DATA, cell)


def dependence(stack: list[AxisGeometry]) -> list[set[int] | None]:
    """Propagate, through written-out windows, which data of the first layer every last output reads.

    None stands for an output whose field reaches a border.
    """
    reach: list[set[int] | None] = [{datum} for datum in range(stack[0].input_size)]
    for axis in stack:
        after: list[set[int] | None] = []
        for window in windows(axis):
            seen: set[int] | None = set()
            for cell in window:
                if cell == ZERO:
                    continue
                read = None if cell == PADDING else reach[cell]
                seen = None if read is None or seen is None else seen | read
            after.append(seen)
        reach = after
    return reach


def stack_of(numbers: list[tuple[int, int, int, int, bool]], input_size: int = 48) -> list[AxisGeometry]:
    stack = []
    for kernel, step, dilation, pad, transposed in numbers:
        if transposed:
            axis = AxisGeometry.transposed(input_size, kernel, step, dilation, pad, pad)
        else:
            axis = AxisGeometry(input_size, kernel, step, dilation, pad, pad)
        stack.append(axis)
        input_size = axis.output_size
    return stack


layer_numbers = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.booleans())


@given(st.lists(layer_numbers, min_size=1, max_size=3))
@settings(max_examples=60)
def test_receptive_field_size_is_the_widest_dependence(numbers: list[tuple[int, int, int, int, bool]]) -> None:
    stack = stack_of(numbers)
    (field,) = receptive_field([ConvGeometry((axis,)) for axis in stack])
    inner = [seen for seen in dependence(stack) if seen is not None]
    if not inner:
        return
    assert field.size == max((max(seen) - min(seen) + 1 for seen in inner if seen), default=0)


@given(st.lists(st.tuples(*(st.integers(1, 3) for _ in range(3)), st.integers(0, 3)), min_size=1, max_size=4))
@settings(max_examples=60)
def test_receptive_field_of_convolutions_is_centred_where_it_says(numbers: list[tuple[int, int, int, int]]) -> None:
    stack = stack_of([(*four, False) for four in numbers], input_size=90)
    (field,) = receptive_field([ConvGeometry((axis,)) for axis in stack])
    for o, seen in enumerate(dependence(stack)):
        if seen:
            assert Fraction(min(seen) + max(seen), 2) == field.start + o * field.jump


def test_receptive_field_by_hand() -> None:
    dilated = [ConvGeometry((AxisGeometry(64, 2, dilation=2**layer, pad_before=2**layer),)) for layer in range(5)]
    assert receptive_field(dilated)[0] == (32, 1, Fraction(-31, 2))
    up = ConvGeometry((AxisGeometry.transposed(10, 3, stride=2),))
    assert receptive_field([up])[0] == (2, Fraction(1, 2), Fraction(-1, 2))
    alone = ConvGeometry((AxisGeometry.transposed(10, 1, stride=2),))
    assert receptive_field([alone])[0].size == 1


def test_receptive_field_keeps_axes_apart() -> None:
    geometry = ConvGeometry((AxisGeometry(9, 3, stride=2), AxisGeometry(9, 5, dilation=2)))
    assert [field.size for field in receptive_field([geometry])] == [3, 9]
    assert [field.jump for field in receptive_field([geometry])] == [2, 1]


def test_receptive_field_asks_layers_for_their_geometry() -> None:
    class Halving:
        def geometry(self, shape: tuple[int, ...]) -> ConvGeometry:
            return ConvGeometry((AxisGeometry(shape[1], 3, stride=2),))

        def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return (shape[0], *self.geometry(shape).output_size, shape[2])

    assert receptive_field([Halving(), Halving()], (1, 15, 4))[0] == (7, 4, 3)
    with pytest.raises(ConvError, match="input_shape"):
        receptive_field([Halving()])


def test_receptive_field_refuses_nothing_and_mixed_ranks() -> None:
    one, two = ConvGeometry((AxisGeometry(5, 3),)), ConvGeometry((AxisGeometry(5, 3),) * 2)
    with pytest.raises(ConvError, match="stack"):
        receptive_field([])
    with pytest.raises(ConvError, match="stack"):
        receptive_field([one, two])
