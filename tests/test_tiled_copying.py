"""The tiled backend of what moves data: padding, cropping, resampling, patches, and their adjoints."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from refconv import functional
from refconv.errors import ConvError
from refconv.functional import adjoints, moving
from refconv.functional.backend import BACKENDS, TILED_WORK
from refconv.tiled import copying, interpolating, running

pytestmark = pytest.mark.skipif(not running.available(), reason="the tiled backend needs the JIT")

SIZES = [(7,), (5, 6), (3, 4, 5)]

# function, words in each rank, whether it only copies
COPIES = [
    ("upsample", lambda rank: {"size": (2, 3, 1)[:rank]}),
    ("upsample", lambda rank: {"size": (1, 2, 3)[-rank:]}),
    ("resize", lambda rank: {"size": (4, 9, 3)[:rank], "interpolation": "nearest"}),
    ("zero_pad", lambda rank: {"padding": ((1, 2), (0, 3), (2, -1))[:rank] if rank > 1 else (1, 2)}),
    ("crop", lambda rank: {"cropping": 1}),
    ("pad", lambda rank: {"padding": 2, "mode": "constant", "value": 3}),
    ("pad", lambda rank: {"padding": 2, "mode": "reflect"}),
    ("pad", lambda rank: {"padding": 2, "mode": "replicate"}),
    ("pad", lambda rank: {"padding": 2, "mode": "circular"}),
    ("unfold", lambda rank: {"kernel_size": (3, 2, 2)[:rank], "padding": "same"}),
    ("unfold", lambda rank: {"kernel_size": 2, "dilation_rate": 2, "strides": 3, "padding": "full"}),
]
SUMS = [
    ("upsample", lambda rank: {"size": (2, 3, 1)[:rank], "interpolation": "bilinear"}),
    ("resize", lambda rank: {"size": (4, 9, 3)[:rank], "interpolation": "bicubic"}),
    ("resize", lambda rank: {"size": (3, 4, 9)[-rank:], "interpolation": "lanczos3", "coordinates": "asymmetric"}),
]
ADJOINTS = [
    ("upsample", lambda rank: {"size": (2, 3, 1)[:rank]}),
    ("upsample", lambda rank: {"size": 2, "interpolation": "bilinear"}),
    ("resize", lambda rank: {"size": (4, 9, 3)[:rank], "interpolation": "bicubic", "coordinates": "align_corners"}),
    ("zero_pad", lambda rank: {"padding": 2}),
    ("crop", lambda rank: {"cropping": 1}),
    ("pad", lambda rank: {"padding": 2, "mode": "reflect"}),
    ("pad", lambda rank: {"padding": 2, "mode": "circular"}),
    ("unfold", lambda rank: {"kernel_size": 2, "padding": "same"}),
]
FORMATS = ["channels_last", "channels_first"]


def signal(size, channels, dtype=np.float32, batch=2):
    return (9 * np.random.default_rng(channels).normal(size=(batch, *size, channels))).astype(dtype)


def in_format(x, data_format):
    return x if data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, -1, 1))


def ids(value):
    return value[0] if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("name_and_words", COPIES, ids=ids)
@pytest.mark.parametrize("data_format", FORMATS)
def test_copies_are_exact(name_and_words, data_format):
    name, words_of = name_and_words
    function = getattr(functional, name)
    for dtype in (np.float32, np.float64, np.float16, np.int64, np.int8, np.uint16):
        for size in SIZES:
            for channels in (1, 3, 6, 16, 40):
                x = in_format(signal(size, channels, dtype), data_format)
                words = {**words_of(len(size)), "data_format": data_format}
                ours = function(x, **words, backend="tiled")
                right = function(x, **words, backend="textbook")
                assert ours.dtype == right.dtype
                np.testing.assert_array_equal(ours, right)


@pytest.mark.parametrize("name_and_words", SUMS, ids=ids)
@pytest.mark.parametrize("data_format", FORMATS)
def test_sums(name_and_words, data_format):
    name, words_of = name_and_words
    function = getattr(functional, name)
    for dtype, error in ((np.float32, 3e-6), (np.float64, 1e-14)):
        for size in SIZES:
            for channels in (1, 3, 6, 70):
                x = in_format(signal(size, channels, dtype), data_format)
                words = {**words_of(len(size)), "data_format": data_format}
                ours = function(x, **words, backend="tiled")
                right = function(x.astype(float), **words, backend="textbook")
                assert ours.dtype == dtype
                assert np.abs(ours - right).max() <= error * np.abs(right).max()


@pytest.mark.parametrize("name_and_words", ADJOINTS, ids=ids)
@pytest.mark.parametrize("data_format", FORMATS)
def test_adjoints(name_and_words, data_format):
    name, words_of = name_and_words
    forward, adjoint = getattr(functional, name), getattr(adjoints, f"{name}_grad_input")
    for size in SIZES:
        for channels in (2, 17):
            x = in_format(signal(size, channels), data_format)
            words = {**words_of(len(size)), "data_format": data_format}
            y = forward(x, **words)
            dy = np.random.default_rng(4).normal(size=y.shape).astype(np.float32)
            ours = adjoint(dy, x.shape, **words, backend="tiled")
            right = adjoint(dy.astype(float), x.shape, **words, backend="textbook")
            assert ours.dtype == np.float32
            assert np.abs(ours - right).max() <= 3e-6 * np.abs(right).max()


@pytest.mark.parametrize("data_format", FORMATS)
def test_fold(data_format):
    for size in SIZES:
        for channels in (2, 17):
            for words in ({"kernel_size": 3, "padding": "same"}, {"kernel_size": 2, "strides": 3, "padding": "full"}):
                words = {**words, "data_format": data_format}
                columns = functional.unfold(in_format(signal(size, channels), data_format), **words)
                columns += np.random.default_rng(2).normal(size=columns.shape).astype(np.float32)
                ours = functional.fold(columns, output_size=size, **words, backend="tiled")
                right = functional.fold(columns.astype(float), output_size=size, **words, backend="textbook")
                assert np.abs(ours - right).max() <= 3e-6 * np.abs(right).max()


def calls():
    """Give every function with its input and words, in two dimensions."""
    x = signal((5, 6), 6)
    for name, words_of in COPIES + SUMS:
        yield getattr(functional, name), x, words_of(2)
    columns = functional.unfold(x, kernel_size=3, padding="same")
    yield functional.fold, columns, {"output_size": (5, 6), "kernel_size": 3, "padding": "same"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_can_be_forced(backend):
    for function, x, words in calls():
        np.testing.assert_allclose(function(x, **words, backend=backend), function(x, **words), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_reach_what_they_reach_in_the_textbook(special):
    for function, x, words in calls():
        x = x.copy()
        x.reshape(-1)[::41] = special
        ours, right = (function(x, **words, backend=backend) for backend in ("tiled", "textbook"))
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(ours), kind(right), function.__name__)


def test_bits_of_nan_are_kept():
    bits = np.array([0x7F800001, 0xFFC12345, 0x80000000, 0x00000001], np.uint32)
    x = bits.view(np.float32).reshape(1, 4, 1)
    ours = functional.upsample(x, size=2, backend="tiled")
    np.testing.assert_array_equal(ours.view(np.uint32).ravel(), np.repeat(bits, 2))


def test_the_same_bits_for_any_threads_and_any_split_of_the_batch(monkeypatch):
    serial = [function(x, **words, backend="tiled") for function, x, words in calls()]
    monkeypatch.setattr(running, "PARALLEL_WORK", 0)
    before = numba.get_num_threads()
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            for (function, x, words), right in zip(calls(), serial, strict=True):
                np.testing.assert_array_equal(function(x, **words, backend="tiled"), right)
    finally:
        numba.set_num_threads(before)
    for (function, x, words), right in zip(calls(), serial, strict=True):
        for n in range(len(x)):
            np.testing.assert_array_equal(function(x[n : n + 1], **words, backend="tiled")[0], right[n])


def test_nothing_outside_the_arrays_is_written_and_no_nan_beside_them_is_read():
    for channels in (1, 6, 33):
        x = signal((5, 6), channels)
        memory = np.full(x.size + 512, np.nan, np.float32)
        given = memory[256:-256].reshape(x.shape)
        given[...] = x
        for name, words_of in COPIES + SUMS:
            function = getattr(functional, name)
            right = function(x, **words_of(2), backend="tiled")
            assert np.isfinite(right).all()
            around = np.full(right.size + 512, -77, np.float32)
            out = around[256:-256].reshape(right.shape)
            function(given, **words_of(2), backend="tiled", out=out)
            np.testing.assert_array_equal(out, right)
            assert (around[:256] == -77).all()
            assert (around[-256:] == -77).all()


def test_read_only_inputs_need_no_kernel_of_their_own():
    kernels = (copying.take_bands, copying.take_rows, copying.unfold_rows)
    right = [function(x, **words, backend="tiled") for function, x, words in calls()]
    compiled = [len(kernel.compiled.signatures) for kernel in kernels]
    for (function, x, words), expected in zip(calls(), right, strict=True):
        x.flags.writeable = False
        np.testing.assert_array_equal(function(x, **words, backend="tiled"), expected)
    assert [len(kernel.compiled.signatures) for kernel in kernels] == compiled


@pytest.mark.parametrize("sizes", [((9, 3, 3), 2), ((40, 1, 65), 1), ((1, 300, 30), 5), ((7, 7, 7), 3)])
def test_shares_of_any_size_give_the_same(sizes, monkeypatch):
    (*size, channels), batch = sizes
    x = signal(size, channels, batch=batch)
    right = functional.pad(x, padding=((1, 2), (3, 0)), mode="constant", value=2, backend="textbook")
    for threads in (1, 3, 50):
        monkeypatch.setattr(copying, "thread_count", lambda count=threads: count)
        monkeypatch.setattr(copying, "_SMALLEST_SHARE", 1)
        pad = functional.pad(x, padding=((1, 2), (3, 0)), mode="constant", value=2, backend="tiled")
        np.testing.assert_array_equal(pad, right)


def test_arrays_at_odd_places():
    """Four-byte elements that do not begin at a multiple of eight bytes."""
    memory = np.zeros(5 * 6 * 6 + 1, np.float32)
    x = memory[1:].reshape(1, 5, 6, 6)
    x[...] = signal((5, 6), 6, batch=1)
    out = np.zeros(7 * 8 * 6 + 1, np.float32)[1:].reshape(1, 7, 8, 6)
    functional.zero_pad(x, padding=1, backend="tiled", out=out)
    np.testing.assert_array_equal(out, functional.zero_pad(x, padding=1, backend="textbook"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_out_may_begin_anywhere_in_a_cache_line(dtype):
    """Also where less is copied at a time than is left of the line."""
    unit = np.dtype(dtype).itemsize
    for channels in (1, 7, 40):
        x = signal((4, 3), channels, dtype)
        right = functional.zero_pad(x, padding=1, backend="textbook")
        memory = running.empty((right.size + 128,), dtype)
        for place in range(64 // unit):
            memory[...] = -77
            out = memory[64:][place : place + right.size].reshape(right.shape)
            functional.zero_pad(x, padding=1, backend="tiled", out=out)
            np.testing.assert_array_equal(out, right)
            assert (memory[: 64 + place] == -77).all()
            assert (memory[64 + place + right.size :] == -77).all()


def test_any_memory_layout():
    for function, x, words in calls():
        right = function(x, **words, backend="tiled")
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        read_only = x.copy()
        read_only.flags.writeable = False
        for arranged in (wide[..., ::2], read_only, np.asfortranarray(x), x.astype(">f4")):
            np.testing.assert_array_equal(function(arranged, **words, backend="tiled"), right)
        np.testing.assert_array_equal(wide[..., ::2], x)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("backend", ["textbook", "tiled"])
def test_out(data_format, backend):
    for function, x, words in calls():
        x = in_format(x, data_format)
        words = {**words, "data_format": data_format, "backend": backend}
        right = function(x, **words)
        out = np.full(right.shape, np.nan, np.float32)
        assert function(x, **words, out=out) is out
        np.testing.assert_array_equal(out, right)
        wide = np.full((*right.shape[:-1], 2 * right.shape[-1]), np.nan, np.float32)
        function(x, **words, out=wide[..., ::2])
        np.testing.assert_array_equal(wide[..., ::2], right)


def test_out_that_does_not_fit():
    for function, x, words in calls():
        right = function(x, **words)
        for out in (right[..., :-1], right.astype(float), x if function is functional.crop else [0]):
            with pytest.raises(ConvError, match="`out`"):
                function(x, **words, out=out)
    memory = np.zeros((1, 8, 8, 2), np.float32)
    with pytest.raises(ConvError, match="shares memory"):
        functional.crop(memory, cropping=1, out=memory[:, 1:-1, 1:-1])


def test_empty_batch():
    for function, x, words in calls():
        assert function(x[:0], **words, backend="tiled").shape == (0, *function(x, **words).shape[1:])


def test_large_enough_for_several_shares():
    """Long rows, which threads share, and more rows than shares."""
    for size in ((5000,), (70, 90)):
        x = signal(size, 6)
        for words in ({"size": 2}, {"size": 3, "interpolation": "bilinear"}):
            ours = functional.upsample(x, **words, backend="tiled")
            right = functional.upsample(x.astype(float), **words, backend="textbook")
            np.testing.assert_allclose(ours, right, rtol=1e-5, atol=1e-5)


def test_tables_of_stretches():
    sources = np.array([-1, -1, 0, 1, 2, 2])
    stretches = [(0, -1), (2, 0), (5, 2), (6, -1), (8, 6), (11, 8), (12, -1), (18, -1)]
    assert [*map(tuple, copying._stretches(np.array([0, 6, -1]), sources).tolist())] == stretches
    # Whole rows go on where the row before ended.
    assert copying._stretches(np.array([3, 6, 9]), np.arange(3)).tolist() == [[0, 3], [9, -1]]


def test_tables_of_runs():
    sources = np.array([0, 1, 2, 2, 2, 1, 0])
    runs = [(0, 1, 2, 0, 1), (2, 3, 1, 2, 1), (5, 1, 2, 1, -1)]
    assert copying._runs(sources) == runs
    assert copying._runs(np.repeat(np.arange(4), 2)) == [(0, 2, 4, 0, 1)]
    assert interpolating.resizing_taps(4, 4, "linear", "half_pixel").unchanged
    assert not interpolating.resizing_taps(4, 8, "linear", "half_pixel").unchanged


def test_what_is_copied_often_leaves_the_textbook(monkeypatch):
    monkeypatch.setattr(moving, "_work_so_far", 0)
    assert moving.pick_copying_backend(None, TILED_WORK // 2) == "textbook"
    assert moving.pick_copying_backend("textbook", 10 * TILED_WORK) == "textbook"
    assert moving.pick_copying_backend(None, TILED_WORK // 2) == "textbook"
    assert moving.pick_copying_backend(None, 1) == "tiled"
    assert moving.pick_copying_backend("uncompiled", 1) == "uncompiled"
