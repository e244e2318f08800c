"""What `refconv bench` and `refconv warmup` measure, count, say and draw; never how fast anything is."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from refconv.bench import cases, first_call, measure, ours, peers, report, restricted, roofline, scaling, warmup
from refconv.bench.cases import FORWARD, GRAD_INPUT, GRAD_WEIGHTS, LAYER, REUSED, Case, Job
from refconv.cli.commands import commands
from refconv.errors import ConvError
from refconv.jit import kernel_cache
from refconv.jit.launch import Kernel
from refconv.jit.shares import ALONE
from refconv.jit.threads import most_threads, threads
from refconv.jit.warming import Wanted, all_kernels, recorded
from refconv.loops.jit import TextbookLoop
from refconv.tiled import running

ROW_KEYS = {
    *("name", "direction", "seconds", "peer", "peer_seconds", "gflops", "flops", "bytes"),
    *("limit", "limit_fraction", "error", "peer_error", "extra_bytes"),
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments)


def small(case: Case) -> Case:
    """Return a case of the same kind that takes no time, its sizes all different."""
    sizes = (7, 8, 5)[: case.rank]
    if case.padding[0] == 8:
        case = case._replace(dilation=3, padding=(3, 0))
    if case.has_weights:
        channels = {1: 1, 4: 8}.get(case.groups if case.groups > 1 else min(case.channels, 2), 3)
        filters = channels if case.layer == "depthwise" else case.groups * 3 if case.filters > 1 else 1
        return case._replace(size=sizes, channels=channels, filters=filters, batch=min(case.batch, 2))
    return case._replace(size=tuple(n + 2 * case.padding[0] for n in sizes), channels=3, filters=3)


SMALL = tuple(dict.fromkeys(small(case) for case in cases.CASES))


def test_rows_cover_every_layer_and_direction() -> None:
    found = cases.jobs()
    assert len(found) >= 40
    assert len({(job.name, job.direction) for job in found}) == len(found)
    weightless = {"upsampling", "zero-padding", "cropping"}
    kinds = {(job.case.layer, job.direction) for job in found}
    layers = {"conv", "conv-transpose", "depthwise", "separable", *weightless}
    assert kinds == {
        (layer, direction)
        for layer in layers
        for direction in cases.DIRECTIONS
        if layer not in weightless or direction != GRAD_WEIGHTS
    }
    assert {job.case.rank for job in found} == {1, 2, 3}
    assert {1, 3} <= {job.case.channels for job in found}
    assert {1, 8} == {job.case.batch for job in found}
    assert {job.case.filters for job in found} >= {6, 17, 64}
    assert {(job.case.layer, job.direction) for job in found if job.way == REUSED} >= {
        (layer, direction) for layer in ("depthwise", *weightless) for direction in (FORWARD, GRAD_INPUT)
    }


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_flops_count_what_reads_data(case: Case) -> None:
    """A convolution of ones by ones sums up how many data each output read."""
    if case.layer not in ("conv", "conv-transpose", "depthwise"):
        pytest.skip("has no single kernel")
    data = ours.random_data(case)
    ones = ours.Data(np.ones_like(data.x), tuple(map(np.ones_like, data.weights)), np.ones_like(data.dy))
    (y,) = ours.reference(Job(case), ones)
    assert {Job(case, direction).flops for direction in cases.DIRECTIONS} == {2 * int(y.sum())}


def test_flops_and_bytes_of_the_others() -> None:
    separable = Case("separable", (4,), 2, 5, kernel=1)
    assert [Job(separable, direction).flops for direction in cases.DIRECTIONS] == [96, 96, 192]
    weights = 2 + 10
    assert Job(separable, FORWARD).bytes == 4 * (8 + 20 + weights)
    assert Job(separable, GRAD_WEIGHTS).bytes == 4 * (8 + 20 + 2 * weights)
    nearest = Case("upsampling", (3,), 2, 2, factor=4)
    assert (Job(nearest).flops, Job(nearest, GRAD_INPUT).flops, Job(nearest).bytes) == (0, 24, 4 * 30)
    linear = nearest._replace(interpolation="linear")
    # Two data for each of twelve outputs, but one for two outputs at each end.
    assert Job(linear).flops == 2 * 2 * (12 * 2 - 4)
    cropping = Case("cropping", (9,), 2, 2, padding=(1, 2))
    assert (Job(cropping).bytes, Job(cropping, GRAD_INPUT).bytes) == (4 * 2 * 12, 4 * (12 + 18))
    padding = Case("zero-padding", (9,), 2, 2, padding=(1, 2))
    assert (Job(padding).bytes, Job(padding, GRAD_INPUT).bytes) == (4 * (18 + 24), 4 * 2 * 18)


@pytest.mark.parametrize("job", cases.jobs(SMALL), ids=lambda job: f"{job.name} {job.direction}")
def test_every_way_computes_the_job(job: Job) -> None:
    data = ours.random_data(job.case)
    found, expected = ours.results(job, ours.call(job, data)()), ours.reference(job, data)
    assert tuple(array.shape for array in found) == job.result_shapes
    assert measure.error_of(found, expected) < 1e-5


def test_a_reused_output_is_filled_again() -> None:
    job = Job(SMALL[0], FORWARD, REUSED)
    call = ours.call(job, ours.random_data(job.case))
    assert call() is call()


@pytest.mark.peers
@pytest.mark.parametrize("name", peers.PEERS)
@pytest.mark.parametrize("job", cases.jobs(SMALL), ids=lambda job: f"{job.name} {job.direction}")
def test_peers_compute_the_same(name: str, job: Job) -> None:
    with peers.installed([name], most_threads()) as (found, _):
        if name not in found:
            pytest.skip(f"{name} is not installed")
        data = ours.random_data(job.case)
        contenders = found[name](job, data)
        expected = ours.reference(job, data)
        for contender in contenders:
            assert measure.error_of(contender.results(contender.call()), expected) < 1e-5, contender.name
    if name == "torch":
        assert contenders


def test_filter() -> None:
    every = cases.jobs()
    assert cases.matching(None, every) == every
    found = cases.matching("Depthwise 3-d, cropping", every)
    assert {job.case.layer for job in found} == {"depthwise", "cropping"}
    assert {job.direction for job in cases.matching("grad_weights", every)} == {GRAD_WEIGHTS}
    assert {job.way for job in cases.matching("(layer)", every)} == {LAYER}
    with pytest.raises(ConvError, match="no row has this"):
        cases.matching("flux capacitor", every)


def test_calls_take_turns() -> None:
    calls = []
    times = measure.best_times([lambda: calls.append(0), lambda: calls.append(1)], 0.0)
    assert len(times) == 2
    assert all(0 <= seconds < 1 for seconds in times)
    turns = [number for number, _ in itertools.groupby(calls)]
    assert turns == [0, 1] * (len(turns) // 2)
    assert len(turns) >= 6


def test_the_best_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    durations = {"steady": itertools.cycle([0.03]), "noisy": itertools.cycle([0.05, 0.02, 0.04, 0.2])}

    def run_for(name: str) -> None:
        nonlocal now
        now += next(durations[name])

    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: now))
    calls = [lambda: run_for("steady"), lambda: run_for("noisy")]
    assert measure.best_times(calls, 1.0) == pytest.approx([0.03, 0.02])


def test_a_lonely_best_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    durations = itertools.chain([0.02], itertools.repeat(0.05, 40), itertools.repeat(0.01))

    def call() -> None:
        nonlocal now
        now += next(durations)

    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: now))
    assert measure.best_times([call], 1.0) == pytest.approx([0.01])


def test_kernels_are_measured_in_their_final_form(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, job, ran = Kernel(_doubled), Job(Case("conv", (8,), 2, 2, kernel=3)), []
    vars(kernel)["compiled"] = lambda *given: ran.append(given)
    vars(kernel)["entry"] = lambda arguments: vars(kernel)["compiled"]

    def call() -> tuple[np.ndarray, ...]:
        running.Launch(kernel, 1, "final", meanwhile=["early"])(np.zeros(1))
        return (np.zeros(2),)

    monkeypatch.setattr(ours, "call", lambda job, data: call)
    monkeypatch.setattr(ours, "reference", lambda job, data: call())
    before = running.WORK_BEFORE_MORE
    measure.measure([job], {}, 1, 0.0)
    scaling.measure([scaling.Series("conv", "size", (1, 2), (job, job))], 1, 0.0)
    assert {given[:2] for given in ran} == {(ALONE, "final")}
    assert before == running.WORK_BEFORE_MORE


def test_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(10.0, 100.0, 5.0), (16.0, 120.0, 7.0)])
    monkeypatch.setattr(measure, "_processor_seconds", lambda: next(readings))
    assert measure.Neighbours().share() == pytest.approx(0.2)
    monkeypatch.setattr(measure, "_processor_seconds", lambda: None)
    assert measure.Neighbours().share() is None


def test_error_is_relative_to_the_largest_value() -> None:
    assert measure.error_of([np.float32([1, -3.5])], [np.array([1.0, -4.0])]) == 0.125
    assert measure.error_of([np.zeros(2), np.array([3.0])], [np.zeros(2), np.array([4.0])]) == 0.25
    assert math.isnan(measure.error_of([np.array([np.nan])], [np.array([1.0])]))


def test_extra_bytes() -> None:
    def call() -> Any:
        scratch = np.ones(300_000, np.uint8)
        return scratch[:100_000].copy()

    assert measure.extra_bytes(call, 100_000) == pytest.approx(300_000, abs=5000)
    assert measure.extra_bytes(lambda: None, 0) < 1000


def row(name: str = "conv 2-D a", **changes: Any) -> measure.Row:
    values: dict[str, Any] = {
        "name": name,
        "direction": FORWARD,
        "seconds": 0.001,
        "peer": "PyTorch 2",
        "peer_seconds": 0.002,
        "gflops": 100.0,
        "flops": 10**8,
        "bytes": 10**6,
        "limit": "compute",
        "limit_fraction": 0.8,
        "error": 1e-6,
        "peer_error": 1e-6,
        "extra_bytes": 4096,
        "peak_bytes": 10**6,
        "filters": 64,
        "reused_output": False,
        "others": {},
    }
    return measure.Row(**(values | changes))


ROWS = [
    row(),
    row("conv 2-D b", peer_seconds=0.0005, limit_fraction=0.9, direction=GRAD_WEIGHTS),
    row("conv 2-D few", peer_seconds=0.004, limit_fraction=0.1, filters=6),
    row("cropping 2-D", flops=0, gflops=0.0, limit="memory", limit_fraction=0.6, reused_output=True),
    row("upsampling 2-D", flops=0, gflops=0.0, limit="memory", limit_fraction=0.2, direction=GRAD_INPUT),
]


def alone(rows: list[measure.Row]) -> list[measure.Row]:
    return [each._replace(peer=None, peer_seconds=None, peer_error=None) for each in rows]


def test_summary() -> None:
    found = report.summary(ROWS)
    assert found.geometric_mean == pytest.approx((2 * 0.5 * 4 * 2 * 2) ** (1 / 5))
    assert found.lowest is ROWS[1]
    assert found.compute == pytest.approx(0.85)
    assert found.memory == 0.6
    said = "\n".join(report.lines(found, len(ROWS)))
    assert "geometric mean 1.74 (bar 1.50)" in said
    assert "lowest 0.50 (bar 0.90, MISSED): conv 2-D b grad_weights" in said
    assert "60% (bar 50%)" in said


def test_summary_without_a_peer() -> None:
    found = report.summary(alone(ROWS))
    assert (found.geometric_mean, found.lowest) == (None, None)
    assert not any("PyTorch" in line for line in report.lines(found, 5))
    assert report.lines(report.summary([]), 0) == []


def test_table_marks_what_is_wrong() -> None:
    columns, lines = report.table([row(error=0.5), row(error=math.nan), *alone([row()])])
    assert all(len(line) == len(columns) for line in lines)
    assert ["WRONG" in " ".join(line) for line in lines] == [True, True, False]


def test_other_libraries_have_columns() -> None:
    ways = {"SciPy 1 FFT": 0.004, "SciPy 1 direct": 0.003, "PyTorch 2 contiguous": 0.005}
    columns, lines = report.table([row(others=ways), row(others={"Keras 3 on JAX": 0.008})])
    assert columns[-2:] == ["Keras ms", "SciPy ms"]
    assert [line[-2:] for line in lines] == [["", "3"], ["8", ""]]
    found = report.summary([row(others=ways)])
    assert found.others == {"SciPy": (pytest.approx(3), 1)}
    assert "SciPy's time over refconv's, 1 rows: geometric mean 3.00" in report.lines(found, 1)


def test_limit_is_the_longer_time() -> None:
    limits = object.__new__(measure.Limits)
    limits.flops, limits.bytes = 100.0, 10.0
    assert limits.of(200, 10) == ("compute", 2.0)
    assert limits.of(0, 10) == ("memory", 1.0)
    job = Job(Case("cropping", (6,), 1, 1, padding=(1, 1)))
    limits.bytes = 32.0
    found = measure.Timing(job, 4.0, {}, 0.0, {}, 7).row(limits)
    assert (found.limit, found.limit_fraction, found.peer) == ("memory", 0.25, None)
    assert found.peak_bytes == 4 * (6 + 4) + 7


def test_limits_are_measured() -> None:
    with threads(1):
        limits = measure.Limits()
        limits.again(0.0)
    assert 0 < limits.flops < math.inf
    assert 0 < limits.bytes < math.inf


def test_threads() -> None:
    with pytest.raises(ConvError, match=r"`threads` = 0"), threads(0):
        pass
    with pytest.raises(ConvError, match="threads"), threads(most_threads() + 1):
        pass


def test_exponent_of_synthetic_times() -> None:
    values = [8, 16, 32, 64]
    assert scaling.exponent(values, [3e-6 * n**1.7 for n in values]) == pytest.approx(1.7)
    assert scaling.exponent(values, [5.0] * 4) == pytest.approx(0)
    noisy = [n**2 * noise for n, noise in zip(values, (1.05, 0.96, 1.0, 1.03), strict=True)]
    assert scaling.exponent(values, noisy) == pytest.approx(2, abs=0.05)


def test_scaling_grows_as_named() -> None:
    for each in scaling.series():
        assert len(each.jobs) == len(each.values) >= 4
        work = [job.flops for job in each.jobs]
        assert work == sorted(set(work))
    named = {(each.varied, each.jobs[0].direction) for each in scaling.series()}
    assert named >= set(itertools.product(("batch", "size", "channels", "kernel"), cases.DIRECTIONS))


def test_avx2_is_another_process_with_the_same_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(restricted, "run_with_avx2", lambda arguments: given.append(arguments) or 0)
    assert run("bench", "--avx2", "--filter", "cropping", "--seconds", "0.5", "--json").exit_code == 0
    assert given == [["bench", "--filter", "cropping", "--seconds", "0.5", "--peers", "torch,keras,scipy", "--json"]]


def test_scaling_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = tuple(Job(Case("cropping", (n,), 2, 2, padding=(1, 1))) for n in (8, 16, 32))
    linear = tuple(Job(Case("conv", (n,), 2, 2, kernel=3)) for n in (8, 16, 32))
    monkeypatch.setattr(scaling, "series", lambda: [scaling.Series("conv", "size", (8, 16, 32), linear)])
    result = run("bench", "--scaling", "--seconds", "0.01", "--json")
    assert result.exit_code == 0, result.output
    (entry,) = json.loads(result.stdout)["series"]
    assert entry["values"] == [8, 16, 32]
    assert len(entry["seconds"]) == 3
    assert entry["work_exponent"] == pytest.approx(1, abs=0.2)
    assert "exponent" in run("bench", "--scaling", "--seconds", "0.01").stdout
    assert run("bench", "--scaling", "--filter", "no such").exit_code == 2
    assert jobs[0].flops == 0


def test_roofline() -> None:
    drawn = roofline.figure(ROWS, "a machine", 2, 2.3e11, 1.3e11)
    wide, narrow = drawn.axes
    markers = [line for line in wide.lines if line.get_marker() not in ("None", "", None)]
    assert len(markers) == 2 * sum(each.flops > 0 for each in ROWS)
    assert narrow.get_ylabel() == "GB/s"
    texts = [text.get_text() for text in wide.texts]
    assert any("230 GFLOP/s" in text for text in texts)
    assert any("130 GB/s" in text for text in texts)
    drawn.savefig(io.BytesIO(), format="png", dpi=40)


@pytest.mark.parametrize("rows", [alone(ROWS), ROWS[:1], ROWS[3:], alone(ROWS[3:4])], ids=len)
def test_roofline_of_few_rows(rows: list[measure.Row]) -> None:
    drawn = roofline.figure(rows, "a machine", 1, 2.3e11, 1.3e11)
    drawn.savefig(io.BytesIO(), format="svg")


def test_bench_as_json(tmp_path: Path) -> None:
    figure = tmp_path / "roof.svg"
    wanted = ("--filter", "1x28x28 5x5 -> 6 forward", "--seconds", "0.01", "--peers", "scipy")
    result = run("bench", *wanted, "--threads", "1", "--json", "-o", str(figure))
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) == {"device", "threads", "fma_peak_gflops", "copy_gbytes", "rows"}
    assert found["threads"] == 1
    assert found["fma_peak_gflops"] > 0
    (only,) = found["rows"]
    assert set(only) >= ROW_KEYS
    assert only["name"] == "conv 2-D 1x28x28 5x5 -> 6"
    assert only["direction"] == "forward"
    assert only["limit"] in ("compute", "memory")
    assert only["gflops"] == pytest.approx(only["flops"] / only["seconds"] / 1e9, rel=1e-3)
    assert only["error"] < 1e-5
    assert only["peer"] is only["peer_seconds"] is only["peer_error"] is None
    assert figure.read_text().startswith("<?xml")


def test_bench_without_pytorch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("torch", "jax") else find(name))
    target = tmp_path / "roof.png"
    result = run("bench", "--filter", "1x28x28 5x5 -> 6 forward", "--seconds", "0.01", "-o", str(target))
    assert result.exit_code == 0, result.output
    assert "PyTorch is not installed" in result.stderr
    assert "ratio" in result.stdout
    assert "geometric mean" not in result.stdout
    assert target.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--filter", "flux"], "`--filter` = 'flux'"),
        (["--threads", "0"], "--threads"),
        (["--threads", "4096"], "--threads"),
        (["--seconds", "soon"], "--seconds"),
        (["--seconds", "0"], "--seconds"),
        (["--peers", "theano"], "--peers"),
        (["-o", "roof.gif"], ".svg"),
        (["-o", "no/such/folder/roof.png"], "no folder"),
        (["--scaling", "-o", "roof.png"], "--scaling"),
        (["--scaling", "--first-call"], "--first-call"),
    ],
)
def test_bench_refuses(arguments: list[str], message: str) -> None:
    result = run("bench", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = itertools.cycle([(0.5, 2.0), (0.4, 0.3), (0.3, 0.2), (0.4, 0.6)])
    monkeypatch.setattr(first_call, "_child", lambda number, folder: next(answers))
    result = run("bench", "--first-call", "--filter", "cropping", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {entry["direction"] for entry in found} == {FORWARD, GRAD_INPUT}
    assert (found[0]["import_s"], found[0]["cold_s"], found[0]["warm_s"], found[0]["ok"]) == (0.3, 2.0, 0.2, True)
    assert not first_call.FirstCall("conv", FORWARD, 0.3, 3.5, 0.2).ok
    assert "MISSED" in first_call.table([first_call.FirstCall("conv", FORWARD, 0.3, 2.0, 0.7)])[0]
    wanted = first_call.first_jobs()
    assert {(job.case.layer, job.direction) for job in wanted} == {
        (job.case.layer, job.direction) for job in cases.jobs()
    }


@pytest.mark.slow
def test_first_call_in_a_process() -> None:
    (found,) = first_call.measure(first_call.first_jobs()[:1])
    assert 0 < found.warm_s < found.cold_s


def _doubled(out: np.ndarray, x: np.ndarray) -> None:
    for i in range(out.size):
        out[i] = 2 * x[i]


def _tripled(team: tuple[int, int], x: np.ndarray, out: np.ndarray) -> None:
    for i in range(out.size):
        out[i] = 3 * x[i]


def test_recorded_kernels_compute_nothing() -> None:
    kernel = TextbookLoop(_doubled)
    x, out = np.arange(3.0), np.zeros(3)
    with recorded([kernel]) as found:
        kernel.serial(out, x)
        kernel.parallel(out, x)
        kernel.serial(out.astype(np.float32), x)
    assert out.tolist() == [0, 0, 0]
    assert [wanted.variant for wanted in found] == ["serial", "parallel"] * 2
    found[0].compile()
    assert len(kernel.serial.signatures) == 1  # type: ignore[attr-defined]
    kernel.serial(out, x)
    assert out.tolist() == [0, 2, 4]
    assert len(kernel.serial.signatures) == 1  # type: ignore[attr-defined]


def test_a_launch_keeps_nothing_that_records() -> None:
    kernel = Kernel(_tripled)
    run, out = running.Launch(kernel, 1), np.zeros(3)
    with recorded([kernel]) as found:
        for _ in range(4):
            run(np.arange(3.0), out)
    assert out.tolist() == [0, 0, 0]
    assert len(found) == 1
    for _ in range(4):
        run(np.arange(3.0), out)
    assert out.tolist() == [0, 3, 6]


def test_kernels_that_others_are_planned_with_do_compute() -> None:
    kernel = Kernel(_doubled)
    x, out = np.arange(3.0), np.zeros(3)
    with recorded([kernel], [kernel]) as found:
        kernel.compiled(out, x)
    assert out.tolist() == [0, 2, 4]
    assert [wanted.variant for wanted in found] == ["compiled"]


def test_warmup_finds_the_kernels_of_every_layer() -> None:
    names = {kernel.py.__name__ for kernel in all_kernels("loops", "tiled")}
    assert {"conv1d", "conv2d", "conv3d", "contract", "contract_gradient"} <= names


def test_warmup_lists_what_every_layer_runs() -> None:
    wanted = warmup.wanted_kernels()
    names = {kernel.kernel.py.__name__ for kernel in wanted}
    assert {"contract", "contract_gradient", "fill", "sum_up", "take_bands", "pack", "conv2d"} <= names
    assert len({(id(kernel.kernel), kernel.variant, str(kernel.signature)) for kernel in wanted}) == len(wanted)


def test_warmup_compiles_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(Wanted, "compile", lambda wanted: compiled.append(wanted))
    kernel = TextbookLoop(_doubled)
    monkeypatch.setattr(
        warmup, "wanted_kernels", lambda: [Wanted(kernel, "serial", ()), Wanted(kernel, "parallel", ())]
    )
    result = run("warmup", "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert [wanted.variant for wanted in compiled] == ["serial", "parallel"]
    assert result.stdout.startswith("2 kernels ready in ")


def test_several_processes_compile_what_is_wanted(tmp_path: Path) -> None:
    program = """
import numpy as np
from refconv.jit.kernel_cache import cache_folder, is_kept
from refconv.jit.warming import compile_all, recorded
from refconv.loops.cpu.resizing import nearest1d as kernel

if __name__ == "__main__":
    with recorded([kernel]) as found:
        kernel.serial(np.empty((1, 6, 1)), np.ones((1, 3, 1)), np.arange(6) // 2)
    assert [wanted.variant for wanted in found] == ["serial", "parallel"]
    assert sorted(ready.variant for ready in compile_all(found, 2)) == ["parallel", "serial"]
    print(len(list(cache_folder().glob("*.kernel"))))
"""
    path = tmp_path / "compile_two.py"
    path.write_text(program)
    done = subprocess.run(
        [sys.executable, path], env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.stdout == "2\n", done.stderr


def test_warmup_without_a_folder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "cache_folder", lambda: None)
    result = run("warmup")
    assert result.exit_code == 2
    assert "no folder can keep kernels" in result.stderr
