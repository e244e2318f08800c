"""How loops are run: the same bits compiled and uncompiled, on any number of threads, from any cache."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import refconv
from refconv.geometry import AxisGeometry
from refconv.jit import launch
from refconv.jit.compiling import uncollected
from refconv.loops import jit
from refconv.loops.cpu import conv, conv_transpose, depthwise

JIT_IS_OFF = bool(numba.config.DISABLE_JIT)
needs_jit = pytest.mark.skipif(JIT_IS_OFF, reason="the JIT is off")

AXES = (
    AxisGeometry(6, 3, 2, 1, 1, 2),
    AxisGeometry(5, 2, 1, 2, -1, 1),
    AxisGeometry(4, 2, 3, 1, 0, 2),
)
SPECIAL = (np.nan, np.inf, -np.inf, -0.0)


def arguments(kind, rank, dtype, seed=0):
    """Output and arguments of a loop: 4 channels, 6 filters, 2 groups, non-finite or overflowing values."""
    generator = np.random.default_rng(seed)
    axes = AXES[:rank]
    if kind in ("scatter", "gather"):
        gather = tuple(axis.adjoint() for axis in axes)
        sizes, outputs = [a.input_size for a in gather], [a.output_size for a in gather]
        axes = axes if kind == "scatter" else gather
    else:
        sizes, outputs = [a.input_size for a in axes], [a.output_size for a in axes]
    ends = {"conv": (2, 6), "scatter": (3, 4), "gather": (3, 4), "depthwise": (4, 2)}[kind]
    filters = 8 if kind == "depthwise" else 6
    shapes = [(2, *sizes, 4), (*(a.kernel_size for a in axes), *ends), (filters,)]
    if np.dtype(dtype).kind == "i":
        arrays = [generator.integers(-(2**62), 2**62, shape) for shape in shapes]
    else:
        arrays = [generator.normal(size=shape) for shape in shapes]
        arrays[0].flat[[0, 5, -1, -3]] = SPECIAL
    for array in arrays:
        array.flags.writeable = False  # As a TextbookLoop hands them over.
    rest = () if kind == "depthwise" else (2,)
    return np.zeros((2, *outputs, filters), dtype), (*arrays, *axes, *rest)


LOOPS = {
    ("conv", 1): conv.conv1d,
    ("conv", 2): conv.conv2d,
    ("conv", 3): conv.conv3d,
    ("scatter", 1): conv_transpose.conv_transpose1d_scatter,
    ("scatter", 2): conv_transpose.conv_transpose2d_scatter,
    ("scatter", 3): conv_transpose.conv_transpose3d_scatter,
    ("gather", 1): conv_transpose.conv_transpose1d_gather,
    ("gather", 2): conv_transpose.conv_transpose2d_gather,
    ("gather", 3): conv_transpose.conv_transpose3d_gather,
    ("depthwise", 1): depthwise.depthwise_conv1d,
    ("depthwise", 2): depthwise.depthwise_conv2d,
    ("depthwise", 3): depthwise.depthwise_conv3d,
}


def uncompiled(kind, rank, dtype):
    out, others = arguments(kind, rank, dtype)
    with np.errstate(all="ignore"):
        LOOPS[kind, rank].py(out, *others)
    return out


def compiled(kind, rank, dtype, how):
    out, others = arguments(kind, rank, dtype)
    getattr(LOOPS[kind, rank], how)(out, *others)
    return out


# Every loop is compiled once by default, the rest with -m slow.
COMPILED = [
    pytest.param(kind, rank, dtype, marks=() if dtype is np.float64 or rank == 2 else pytest.mark.slow)
    for kind, rank in LOOPS
    for dtype in (np.float64, np.int64)
]
PARALLEL = [pytest.param(*key, marks=() if key in {("conv", 2), ("scatter", 1)} else pytest.mark.slow) for key in LOOPS]


@needs_jit
@pytest.mark.parametrize(("kind", "rank", "dtype"), COMPILED)
def test_compiled_gives_the_same_bits(kind, rank, dtype):
    np.testing.assert_array_equal(compiled(kind, rank, dtype, "serial"), uncompiled(kind, rank, dtype))


@needs_jit
@pytest.mark.parametrize(("kind", "rank"), PARALLEL)
def test_any_number_of_threads_gives_the_same_bits(kind, rank):
    expected = uncompiled(kind, rank, np.float64)
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        numba.set_num_threads(threads)
        np.testing.assert_array_equal(compiled(kind, rank, np.float64, "parallel"), expected)


@needs_jit
def test_steps_so_far_decide(monkeypatch):
    ways = []
    loop = jit.textbook(lambda out: ways.append("py"))
    loop.__dict__["serial"] = lambda out: ways.append("serial")
    loop.__dict__["parallel"] = lambda out: ways.append("parallel")
    monkeypatch.setattr(launch, "threads_are_of_use", True)
    floats, integers = np.zeros(1), np.zeros(1, np.int64)
    loop(floats, steps=jit.UNCOMPILED_STEPS)
    loop(floats, steps=1)
    loop(integers, steps=1)
    loop(floats, steps=jit.SERIAL_STEPS)
    loop(floats, steps=1)
    assert ways == ["py", "serial", "py", "parallel", "serial"]
    monkeypatch.setattr(launch, "threads_are_of_use", False)
    loop(floats, steps=jit.SERIAL_STEPS)
    assert ways[-1] == "serial"


@pytest.mark.parametrize(
    "array", [np.zeros(4, np.float32), np.zeros((4, 4)).T[1:], np.zeros(4, ">f8"), np.zeros(4, bool)]
)
def test_other_arrays_never_reach_a_loop(array):
    def body(out, x):
        raise AssertionError

    with pytest.raises(TypeError, match="C-contiguous float64 or int64"):
        jit.textbook(body)(np.zeros(1), array, steps=1)


def test_inputs_are_read_only_in_a_loop():
    def body(out, x):
        x[0] = 1

    x = np.zeros(1)
    with pytest.raises(ValueError, match="read-only"):
        jit.textbook(body)(np.zeros(1), x, steps=1)
    assert x.flags.writeable


def test_garbage_is_collected_again_whatever_happens_meanwhile():
    def interrupted():
        with uncollected():
            with uncollected():
                pass
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


# Below, each test is a process or more of its own.

START = """
import sys
import numpy as np
import refconv
from refconv.geometry import AxisGeometry
from refconv.jit import kernel_cache
from refconv.loops.cpu.conv import conv1d

def run(how, dtype=float, length=5):
    out = np.zeros((1, length - 2, 1), dtype)
    axis = AxisGeometry(length, 3)
    x = np.arange(length, dtype=dtype).reshape(1, -1, 1)
    for array in (x, weights := np.array([1, 10, 100], dtype).reshape(3, 1, 1), bias := np.zeros(1, dtype)):
        array.flags.writeable = False
    how(out, x, weights, bias, axis, 1)
    return out.ravel().tolist()

def loaded(dispatcher):
    return sum(dispatcher.stats.cache_hits.values())
"""
RIGHT = "[210.0, 321.0, 432.0]"


def start(script, cache, root=None, **environment):
    root = root or Path(refconv.__file__).parent.parent
    settings = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)} | environment
    command = [sys.executable, "-c", START + script]
    return subprocess.Popen(command, env=settings, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def outcome(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.splitlines()


@needs_jit
def test_an_edited_helper_never_gives_a_stale_kernel(tmp_path):
    shutil.copytree(Path(refconv.__file__).parent, tmp_path / "refconv", ignore=shutil.ignore_patterns("__pycache__"))
    script = "print(run(conv1d.serial), loaded(conv1d.serial), kernel_cache.cache_folder().name, refconv.__file__)"
    first, again = (outcome(start(script, tmp_path / "cache", tmp_path))[0] for _ in range(2))
    assert first.startswith(f"{RIGHT} 0 ")
    assert again.startswith(f"{RIGHT} 1 ")
    assert str(tmp_path) in first
    helper = tmp_path / "refconv" / "geometry.py"
    rule = "return o * axis.stride + k * axis.dilation - axis.pad_before"
    source = helper.read_text()
    assert rule in source
    helper.write_text(source.replace(rule, "return o * axis.stride + (2 - k) * axis.dilation - axis.pad_before"))
    edited = outcome(start(script, tmp_path / "cache", tmp_path))[0]
    assert edited.startswith("[12.0, 123.0, 234.0] 0 ")
    assert len(list((tmp_path / "cache").iterdir())) == 2


@needs_jit
def test_several_processes_compile_at_once(tmp_path):
    script = "print(run(conv1d.serial), run(conv1d.serial, int))"
    other_order = "integers = run(conv1d.serial, int); print(run(conv1d.serial), integers)"
    expected = [f"{RIGHT} [210, 321, 432]"]
    processes = [start(order, tmp_path) for order in (script, other_order, script)]
    assert all(outcome(process) == expected for process in processes)
    kernels = list(tmp_path.rglob("*.kernel"))
    assert len(list(tmp_path.rglob("*"))) == 1 + len(kernels) == 3, "one folder, two kernels, no unfinished file"
    for kernel in kernels:
        kernel.write_bytes(kernel.read_bytes()[:1000])
    damaged = outcome(start(script + "; print(loaded(conv1d.serial))", tmp_path))
    assert damaged == [*expected, "0"]


@needs_jit
@pytest.mark.parametrize(
    "home", ["import pathlib", "import pathlib; exec('def gone():\\n raise RuntimeError'); pathlib.Path.home = gone"]
)
def test_no_writable_cache_folder(tmp_path, home):
    (tmp_path / "file").write_text("not a folder")
    cache = "" if "gone" in home else tmp_path / "file" / "cache"
    process = start(f"{home}; print(run(conv1d.serial))", cache, XDG_CACHE_HOME="", LOCALAPPDATA="")
    assert outcome(process) == [RIGHT]


def test_without_the_jit(tmp_path):
    script = "print(run(conv1d.serial), run(conv1d.parallel))"
    assert outcome(start(script, tmp_path, NUMBA_DISABLE_JIT="1")) == [f"{RIGHT} {RIGHT}"]
    assert not list(tmp_path.iterdir())


MANY = """
from concurrent.futures import ThreadPoolExecutor
from refconv.loops import jit

def big(_=None):
    x = np.arange(3000.0).reshape(1, -1, 1)
    out = np.zeros((1, 2998, 1))
    conv1d(out, x, np.array([1.0, 10, 100]).reshape(3, 1, 1), np.zeros(1), AxisGeometry(3000, 3), 1, steps=10**9)
    return float(out.sum())

EXPECTED = 111.0 * sum(range(2998)) + 210.0 * 2998
assert big() == EXPECTED
"""


@needs_jit
@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_many_python_threads_may_call(layer):
    script = MANY + (
        "import numba\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    assert set(pool.map(big, range(200))) == {EXPECTED}\n"
        "print(sum(conv1d.parallel.stats.cache_hits.values()) + len(conv1d.parallel.signatures) > 0)"
    )
    done = start(script, os.environ["NUMBA_CACHE_DIR"], NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")
    assert outcome(done) == ["True"]


@needs_jit
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_may_call():
    script = MANY + (
        "import os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "for _ in range(2):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if big() == EXPECTED and conv1d.serial.signatures else 1)\n"
        "    print(os.waitpid(child, 0)[1])\n"
        "assert big() == EXPECTED\n"
    )
    done = start(script, os.environ["NUMBA_CACHE_DIR"], NUMBA_THREADING_LAYER="omp", NUMBA_NUM_THREADS="2")
    assert outcome(done) == ["0", "0"]


@needs_jit
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_while_another_thread_compiles_collects_garbage(tmp_path):
    script = (
        "import gc, os, threading, warnings\n"
        "from refconv.jit.compiling import uncollected\n"
        "warnings.simplefilter('ignore')\n"
        "begun, forked = threading.Event(), threading.Event()\n"
        "def compiling():\n"
        "    with uncollected():\n"
        "        begun.set(), forked.wait()\n"
        "thread = threading.Thread(target=compiling)\n"
        "thread.start(), begun.wait()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if gc.isenabled() else 1)\n"
        "print(os.waitpid(child, 0)[1], gc.isenabled())\n"
        "forked.set(), thread.join()\n"
        "print(gc.isenabled())"
    )
    assert outcome(start(script, tmp_path)) == ["0 False", "True"]


def test_a_tiny_layer_compiles_nothing(tmp_path):
    script = (
        "import refconv\n"
        "x = np.arange(25.0).reshape(1, 5, 5, 1)\n"
        "print(refconv.conv(x, np.ones((3, 3, 1, 1)), padding='same').sum())\n"
        "from refconv.loops.cpu.conv import conv2d\n"
        "print({'serial', 'parallel'} & set(conv2d.__dict__))"
    )
    assert outcome(start(script, tmp_path)) == ["2028.0", "set()"]
    assert not list(tmp_path.iterdir())


@needs_jit
def test_no_kernel_waits_for_linear_algebra(tmp_path):
    (tmp_path / "scipy" / "linalg").mkdir(parents=True)
    (tmp_path / "scipy" / "__init__.py").write_text('__version__ = version_string = "1.17.0"\n')
    (tmp_path / "scipy" / "linalg" / "__init__.py").write_text("")
    script = """
run(conv1d.serial)
import numba.np.arraymath
import numba.np.linalg
print("scipy.linalg" in sys.modules, numba.np.arraymath._HAVE_BLAS)
try:
    numba.np.linalg.ensure_blas()
except ImportError:
    print("scipy.linalg" in sys.modules)
"""
    root = Path(refconv.__file__).parent.parent
    process = start(script, tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{root}")
    assert outcome(process) == ["False True", "True"]
