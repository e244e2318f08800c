"""Work that threads share: each item once, in whatever team, and what an item raises."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from refconv.jit.launch import Kernel, launch
from refconv.jit.parts import inlined
from refconv.jit.shares import ALONE, all_threads, share_out

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="the JIT is off")


@inlined
def _add(item, numbers, factor, shift, counts):
    for number in numbers:
        counts[item] += number * factor[item] + shift


@Kernel
def add_all(team, items, numbers, factor, shift, counts):
    """Add to each item, twice, the second time after all of the first."""
    share_out(team, _add, items, (numbers, factor, shift, counts))
    share_out(team, _add, items, (numbers, factor, shift, counts))


@inlined
def _refuse(item, forbidden, seen):
    if item == forbidden:
        raise ValueError("an item that is forbidden")
    seen[item] = 1


@Kernel
def refuse(team, forbidden, seen):
    """Raise at an item."""
    share_out(team, _refuse, seen.size, (forbidden, seen))


@pytest.fixture(params=["one thread", "all threads", "one of all threads"])
def team(request):
    if request.param == "one thread":
        yield ALONE
        return
    found, before = all_threads(), numba.get_num_threads()
    if request.param == "one of all threads":
        numba.set_num_threads(1)
    yield found
    numba.set_num_threads(before)


@pytest.mark.parametrize("items", [0, 1, 2, 3, 7, 1000])
def test_each_item_once(team, items):
    factor, counts = np.arange(items, dtype=np.float64), np.zeros(items + 2)
    factor.flags.writeable = False
    launch(add_all.compiled, team, items, (1, 2), factor, 0.5, counts)
    np.testing.assert_array_equal(counts, [*(6 * factor + 2), 0, 0])


def test_what_an_item_raises(team):
    seen = np.zeros(9)
    with pytest.raises(ValueError, match="an item that is forbidden"):
        launch(refuse.compiled, team, 5, seen)
    assert seen[:5].all() or team != ALONE
    assert seen[5] == 0
    launch(refuse.compiled, team, 9, seen)
    assert seen.all()


def test_one_thread_starts_no_others():
    script = (
        "import numba, numpy as np\n"
        "from refconv import functional as fn\n"
        "fn.crop(np.zeros((1, 9, 9, 16)), cropping=1, backend='tiled')\n"
        "try:\n"
        "    print(numba.threading_layer())\n"
        "except ValueError:\n"
        "    print('none')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"
