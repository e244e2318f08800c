"""What is too large for memory is refused, with its size."""

from __future__ import annotations

import numpy as np
import pytest

from refconv import memory
from refconv.errors import ConvError
from refconv.functional import conv


def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available_bytes() == 450
    (tmp_path / "memory.max").write_text("max\n")
    machine = memory.available_bytes()
    assert machine is None or machine > 450


def test_nothing_is_refused_where_the_limit_is_unknown(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    memory.check_memory("x", 1, "the output", 10**18)


@pytest.mark.parametrize("error", [MemoryError, ValueError])
def test_what_the_system_will_not_allocate_is_refused_in_the_same_words(monkeypatch, error):
    def refuse(*_):
        raise error

    x, weights, bias = np.ones((1, 9, 1)), np.ones((2, 1, 1)), np.ones(1)
    monkeypatch.setattr(np, "zeros", refuse)
    with pytest.raises(
        ConvError, match=r"the output of shape \(1, 8, 1\) needs \S+ GiB .* cannot be allocated"
    ) as told:
        conv(x, weights, bias)
    assert told.value.argument == "x"


def test_the_limit_counts_working_copies(monkeypatch):
    x, weights = np.ones((1, 2**21, 1), np.float16), np.ones((1, 1, 1), np.float16)
    needed = 2**21 * (8 + 2 + 8) + 8 + 8  # The output twice, and wide copies of `x`, `weights` and the bias.
    monkeypatch.setattr(memory, "available_bytes", lambda: needed - 1)
    with pytest.raises(ConvError, match=f"needs {needed / 2**30:.3g} GiB with its working copies"):
        conv(x, weights)
