"""Unfold and fold, against columns cut out of a padded array, convolution, adjointness and PyTorch."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv import conv, fold, unfold
from refconv.errors import ConvError
from refconv.geometry import AxisGeometry
from refconv.loops.cpu import patches

SHAPES = {1: (2, 9, 3), 2: (2, 7, 8, 3), 3: (2, 5, 6, 7, 2)}
WORDS = {
    1: {"kernel_size": 3, "strides": 2, "padding": ((2, 1),), "dilation_rate": 2},
    2: {"kernel_size": (3, 2), "strides": (2, 1), "padding": ((2, 0), (-1, 3)), "dilation_rate": (1, 3)},
    3: {
        "kernel_size": (2, 1, 3),
        "strides": (1, 3, 2),
        "padding": ((1, 0), (0, 0), (-1, 2)),
        "dilation_rate": (2, 1, 1),
    },
}


def signal(shape, seed=0, dtype=np.float64):
    return (np.random.default_rng(seed).normal(size=shape) * 9).astype(dtype)


def pick(value, axis):
    return value[axis] if isinstance(value, tuple) else value


def literal_columns(x, kernel_size, strides=1, padding=((0, 0),) * 3, dilation_rate=1):
    """Pad (or slice), then cut every column out of the whole array."""
    rank = x.ndim - 2
    for axis in range(rank):
        lo, hi = padding[axis]
        x = np.pad(x, [(max(lo, 0), max(hi, 0)) if a == axis + 1 else (0, 0) for a in range(x.ndim)])
        x = np.take(x, range(max(-lo, 0), x.shape[axis + 1] - max(-hi, 0)), axis=axis + 1)
    kernel = [pick(kernel_size, axis) for axis in range(rank)]
    stride = [pick(strides, axis) for axis in range(rank)]
    dilation = [pick(dilation_rate, axis) for axis in range(rank)]
    size = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)]
    columns = np.empty((x.shape[0], *size, math.prod(kernel) * x.shape[-1]), x.dtype)
    for o in itertools.product(*map(range, size)):
        cut = tuple(
            slice(a * s, a * s + (k - 1) * d + 1, d) for a, s, k, d in zip(o, stride, kernel, dilation, strict=True)
        )
        columns[(slice(None), *o)] = x[(slice(None), *cut)].reshape(x.shape[0], -1)
    return columns


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.int8])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unfold_equals_cut_out_columns(rank, dtype):
    x = signal(SHAPES[rank], dtype=dtype)
    expected = literal_columns(x, **WORDS[rank])
    columns = unfold(x, **WORDS[rank])
    assert columns.dtype == (dtype if x.dtype.kind == "f" else np.int64)
    np.testing.assert_array_equal(columns, expected)
    first = unfold(np.moveaxis(x, -1, 1), data_format="channels_first", **WORDS[rank])
    np.testing.assert_array_equal(first, np.moveaxis(expected, -1, 1))


@pytest.mark.parametrize("padding", ["valid", "same", "causal", "full", None])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution_is_a_product_with_the_columns(rank, padding):
    words = WORDS[rank] if padding is None else {**WORDS[rank], "padding": padding}
    x = signal(SHAPES[rank])
    kernel = [pick(words["kernel_size"], axis) for axis in range(rank)]
    weights = signal((*kernel, x.shape[-1], 4), seed=1)
    others = {name: value for name, value in words.items() if name != "kernel_size"}
    product = unfold(x, **words) @ weights.reshape(-1, 4)
    np.testing.assert_allclose(conv(x, weights, **others), product, rtol=1e-11, atol=1e-11)


def test_the_order_of_a_column():
    x = np.arange(2 * 3 * 2).reshape(1, 2, 3, 2)
    columns = unfold(x, kernel_size=2)
    assert columns.shape == (1, 1, 2, 8)
    assert columns[0, 0, 1].tolist() == [2, 3, 4, 5, 8, 9, 10, 11]  # (0,1), (0,2), (1,1), (1,2): both channels each


axis_words = st.tuples(
    st.integers(1, 7),  # input
    st.integers(1, 3),  # kernel
    st.integers(1, 4),  # stride
    st.integers(1, 3),  # dilation
    st.integers(-2, 3),  # padding before
    st.integers(-2, 3),  # padding after
).filter(lambda a: a[0] + a[4] + a[5] >= (a[1] - 1) * a[3] + 1)


def words_of(axes):
    _, kernel_size, strides, dilation_rate, before, after = zip(*axes, strict=True)
    padding = tuple(zip(before, after, strict=True))
    return {"kernel_size": kernel_size, "strides": strides, "padding": padding, "dilation_rate": dilation_rate}


@given(st.integers(1, 3).flatmap(lambda rank: st.tuples(*[axis_words] * rank)))
def test_fold_is_the_adjoint_of_unfold(axes):
    size = tuple(axis[0] for axis in axes)
    rng = np.random.default_rng(sum(size))
    x = rng.integers(-9, 9, (2, *size, 2))
    columns = unfold(x, **words_of(axes))
    other = rng.integers(-9, 9, columns.shape)
    folded = fold(other, output_size=size, **words_of(axes))
    assert folded.shape == x.shape
    assert folded.dtype == np.int64
    assert (columns * other).sum() == (x * folded).sum()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_fold_sums_each_cell(rank):
    """Unfold says, for numbered cells, which cell each entry of a column is; add the entries there."""
    size = SHAPES[rank][1:-1]
    cells = 1 + np.arange(math.prod(size)).reshape(1, *size, 1)
    owners = literal_columns(cells, **WORDS[rank])[0]
    columns = signal((2, *owners.shape[:-1], owners.shape[-1] * 3))
    expected = np.zeros((2, math.prod(size) + 1, 3))
    entries = columns.reshape(2, *owners.shape, 3)
    for n in range(2):
        for c in range(3):
            np.add.at(expected[n, :, c], owners.ravel(), entries[n, ..., c].ravel())
    folded = fold(columns, output_size=size, **WORDS[rank])
    np.testing.assert_allclose(folded, expected[:, 1:].reshape(2, *size, 3), atol=1e-12)
    first = fold(np.moveaxis(columns, -1, 1), output_size=size, data_format="channels_first", **WORDS[rank])
    np.testing.assert_array_equal(first, np.moveaxis(folded, -1, 1))


def test_fold_of_patches_side_by_side_undoes_unfold():
    x = signal((2, 6, 8, 3), dtype=np.float32)
    words = {"kernel_size": (3, 2), "strides": (3, 2)}
    y = fold(unfold(x, **words), output_size=(6, 8), **words)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, x)


def test_unread_cells_are_zero():
    folded = fold(np.ones((1, 2, 2)), output_size=6, kernel_size=2, strides=3)
    assert folded[0, :, 0].tolist() == [1, 1, 0, 1, 1, 0]


def test_nan_stays_where_it_is():
    x = np.ones((1, 5, 1))
    x[0, 2] = np.nan
    columns = unfold(x, kernel_size=2, padding=1)
    assert np.argwhere(np.isnan(columns[0])).tolist() == [[2, 1], [3, 0]]
    folded = fold(columns, output_size=5, kernel_size=2, padding=1)
    assert np.isnan(folded[0, :, 0]).tolist() == [False, False, True, False, False]


def test_layouts_batches_and_no_changes_to_the_input():
    base = signal((4, 5, 6, 3))
    folding = {"output_size": (5, 6), "kernel_size": 2}
    columns = unfold(base, kernel_size=2)
    folded = fold(columns, **folding)
    for change in (np.asfortranarray, lambda a: a[::-1].copy()[::-1], lambda a: a.astype(">f8"), np.ndarray.tolist):
        np.testing.assert_array_equal(unfold(change(base), kernel_size=2), columns)
        np.testing.assert_array_equal(fold(change(columns), **folding), folded)
    for array in (base, columns):
        array.setflags(write=False)
    before = base.tobytes(), columns.tobytes()
    unfold(base, kernel_size=2)
    fold(columns, **folding)
    assert (base.tobytes(), columns.tobytes()) == before
    assert unfold(base[:0], kernel_size=2).shape == (0, 4, 5, 12)
    assert fold(columns[:0], **folding).shape == (0, 5, 6, 3)
    assert not np.shares_memory(unfold(base, kernel_size=1), base)


X = np.ones((1, 4, 5, 2))
COLUMNS = np.ones((1, 3, 4, 8))


@pytest.mark.parametrize(
    ("function", "array", "words", "message"),
    [
        (unfold, X, {"kernel_size": 0}, "`kernel_size` = 0: must be at least 1"),
        (unfold, X, {"kernel_size": (1, 2, 3)}, "`kernel_size` = .*has 3 values for 2 spatial axes"),
        (unfold, X, {"kernel_size": 5}, "the dilated kernel spans 5 but the padded input is 4"),
        (unfold, X, {"kernel_size": 2, "strides": 0}, "`strides` = 0"),
        (unfold, X, {"kernel_size": 2, "dilation_rate": -1}, "`dilation_rate` = -1"),
        (unfold, X, {"kernel_size": 2, "padding": "sane"}, "`padding` = 'sane'.*did you mean 'same'"),
        (unfold, X, {"kernel_size": 2, "data_format": "last"}, "`data_format` = 'last'"),
        (unfold, X[0, 0], {"kernel_size": 1}, "`x` = .*has 2 axes"),
        (fold, COLUMNS, {"output_size": (4, 6), "kernel_size": 2}, r"`columns` = .*gives \(3, 5\) outputs"),
        (fold, COLUMNS, {"output_size": (4, 5), "kernel_size": (2, 3)}, r"gives \(3, 3\) outputs"),
        (fold, COLUMNS[..., 1:], {"output_size": (4, 5), "kernel_size": 2}, "and 4 numbers a channel"),
        (fold, COLUMNS, {"output_size": 0, "kernel_size": 2}, "`output_size` = 0: must be at least 1"),
        (fold, COLUMNS, {"output_size": (4, 5, 6), "kernel_size": 2}, "`output_size` = .*has 3 values"),
        (fold, COLUMNS[0, 0], {"output_size": (4, 5), "kernel_size": 2}, "`columns` = .*has 2 axes"),
        (fold, COLUMNS > 0, {"output_size": (4, 5), "kernel_size": 2}, "`columns` = .*dtype bool is not supported"),
        (unfold, np.broadcast_to(np.int8(1), (1, 10**4, 10**4, 1)), {"kernel_size": 999}, "`kernel_size` = 999"),
    ],
)
def test_refusals(function, array, words, message):
    with pytest.raises(ConvError, match=message):
        function(array, **words)


def check_bits(rank, ways, dtype):
    image = signal(SHAPES[rank], dtype=dtype)
    numbers = [(WORDS[rank][name], name) for name in ("kernel_size", "strides", "dilation_rate")]
    axes = [
        AxisGeometry(n, *(pick(value, axis) for value, _ in numbers), *WORDS[rank]["padding"][axis])
        for axis, n in enumerate(image.shape[1:-1])
    ]
    adjoint = [axis.adjoint() for axis in axes]
    out, kernel = [axis.output_size for axis in axes], [axis.kernel_size for axis in axes]
    columns = signal((2, *out, *kernel, image.shape[-1]), seed=1, dtype=dtype)
    for name, source, target, used in (("unfold", image, columns, axes), ("fold", columns, image, adjoint)):
        loop = getattr(patches, f"{name}{rank}d")
        plain = np.zeros_like(target)
        loop.py(plain, source, *used)
        for way in ways:
            compiled = np.zeros_like(target)
            getattr(loop, way)(compiled, source, *used)
            assert plain.tobytes() == compiled.tobytes()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_loops_have_the_same_bits_compiled(rank):
    check_bits(rank, ["serial"], np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_all_loops_have_the_same_bits_compiled(rank, dtype):
    check_bits(rank, ["serial", "parallel"], dtype)


@pytest.mark.peers
def test_torch():
    torch = pytest.importorskip("torch")
    x = signal((2, 3, 7, 8))
    here = {"kernel_size": (3, 2), "strides": (2, 1), "padding": (1, 2), "dilation_rate": (1, 3)}
    there = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 3)}
    theirs = torch.nn.functional.unfold(torch.tensor(x), **there).numpy()
    columns = unfold(x, data_format="channels_first", **here)
    batch, _, *out = columns.shape
    reordered = np.moveaxis(columns.reshape(batch, 6, 3, -1), 2, 1).reshape(batch, 18, -1)
    np.testing.assert_array_equal(reordered, theirs)
    back = torch.nn.functional.fold(torch.tensor(theirs), (7, 8), **there).numpy()
    np.testing.assert_allclose(
        fold(columns, output_size=(7, 8), data_format="channels_first", **here), back, atol=1e-12
    )
    assert out == [4, 9]
