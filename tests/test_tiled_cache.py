"""Tiled kernels on disk: shared by processes, never stale, and done without where nothing can be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import refconv
from refconv.tiled import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not running.available(), reason="the tiled backend needs the JIT"),
]

START = """
import numpy as np
from refconv.functional import conv
from refconv.tiled.contraction import contract

rng = np.random.default_rng(0)
x, weights = rng.random((1, 16, 20), np.float32), rng.random((3, 20, 40), np.float32)
expected = conv(x, weights, backend="textbook")

def factor(dtype=np.float32):
    given = x.astype(dtype), weights.astype(dtype)
    found = conv(*given, backend="tiled")
    assert found.dtype == dtype
    ratios = np.unique(np.round(found / expected, 3))
    return ratios.tolist()

def loaded():
    return sum(contract.compiled.stats.cache_hits.values())
"""


def start(script, cache, root=None):
    root = root or Path(refconv.__file__).parent.parent
    settings = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", START + script]
    return subprocess.Popen(command, env=settings, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def outcome(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.splitlines()


def test_an_edited_helper_in_another_file_never_gives_a_stale_kernel(tmp_path):
    shutil.copytree(Path(refconv.__file__).parent, tmp_path / "refconv", ignore=shutil.ignore_patterns("__pycache__"))
    script = "print(factor(), loaded())"
    assert outcome(start(script, tmp_path / "cache", tmp_path)) == ["[1.0] 0"]
    assert outcome(start(script, tmp_path / "cache", tmp_path)) == ["[1.0] 1"]
    helper = tmp_path / "refconv" / "tiled" / "simd.py"
    source = helper.read_text()
    line = "        scalar = builder.load(_pointer(context, builder, sig.args[0], *args))\n"
    assert source.count(line) == 1
    helper.write_text(source.replace(line, f"{line}        scalar = builder.fadd(scalar, scalar)\n"))
    assert outcome(start(script, tmp_path / "cache", tmp_path)) == ["[2.0] 0"]
    helper.write_text(source)
    assert outcome(start(script, tmp_path / "cache", tmp_path)) == ["[1.0] 1"]


def test_several_processes_compile_at_once(tmp_path):
    orders = ["print(factor(), factor(float))", "print(factor(float), factor())", "print(factor(), factor(float))"]
    processes = [start(script, tmp_path) for script in orders]
    assert [outcome(process) for process in processes] == [["[1.0] [1.0]"]] * 3
    kernels = list(tmp_path.rglob("*.kernel"))
    assert len(kernels) >= 2
    assert not [file for file in tmp_path.rglob("*.*") if file.is_file() and file not in kernels], "an unfinished file"
    for kernel in kernels:
        kernel.write_bytes(kernel.read_bytes()[:1000])
    assert outcome(start("print(factor(), loaded())", tmp_path)) == ["[1.0] 0"]


def test_a_cache_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert outcome(start("print(factor(), loaded())", tmp_path / "file" / "cache")) == ["[1.0] 0"]
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert outcome(start("print(factor(), loaded())", locked)) == ["[1.0] 0"]
