"""The command line: what is typed, what is printed, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import refconv
from refconv.cli import values
from refconv.cli.commands import commands
from refconv.errors import ConvError

ROOT = str(Path(refconv.__file__).parents[1])


def run(command: str) -> Result:
    return CliRunner().invoke(commands, command.split())


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": ROOT}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, **options)


@pytest.mark.parametrize(
    ("text", "rank", "expected"),
    [
        ("3", 2, 3),
        ("-1", 2, -1),
        ("+2", 1, 2),
        ("1:2", 1, ((1, 2),)),
        ("1:2", 3, ((1, 2),) * 3),
        ("1x2", 2, (1, 2)),
        ("1:2x0:3", 2, ((1, 2), (0, 3))),
        ("1x0:3", 2, (1, (0, 3))),
        ("-1:2x-3", 2, ((-1, 2), -3)),
        (" 1X2x3 ", 3, (1, 2, 3)),
    ],
)
def test_amounts(text: str, rank: int, expected: object) -> None:
    assert values.amounts("--padding", text, rank) == expected


@pytest.mark.parametrize("text", ["", "a", "1.5", "9" * 5000, "1:2:3", "1:", ":1", "1xx2", "1,2", "--1", "1 2"])
def test_malformed_amounts(text: str) -> None:
    with pytest.raises(ConvError, match=r"^`--padding` = .*before:after pair") as caught:
        values.amounts("--padding", text, 2)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(("text", "rank"), [("1x2", 3), ("1x2x3", 2), ("1:2x0:3", 3)])
def test_wrong_number_of_axes(text: str, rank: int) -> None:
    with pytest.raises(ConvError, match=rf"values for {rank} spatial axes; give one for all axes, or {rank} joined"):
        values.amounts("--padding", text, rank)


def test_two_amounts_in_one_dimension_are_not_taken_for_a_pair() -> None:
    with pytest.raises(ConvError, match="before and after are written --padding 1:2"):
        values.amounts("--padding", "1x2", 1)


def test_numbers_per_axis() -> None:
    assert values.per_axis("--kernel", "3", 2) == 3
    assert values.per_axis("--kernel", "3x5", 2) == (3, 5)
    with pytest.raises(ConvError, match="write --kernel 3 or --kernel 3x5"):
        values.per_axis("--kernel", "1:2", 2)


def test_sizes() -> None:
    assert values.sizes("--input", "10x8x6") == (10, 8, 6)
    for text in ("", "10,8", "10x", "axb", "10x8x6x4", "0", "5x-1"):
        with pytest.raises(ConvError, match="--input"):
            values.sizes("--input", text)


def test_padding_words_pass_through() -> None:
    assert values.padding("--padding", "same-lower", 2) == "same-lower"
    assert values.padding("--padding", "1:2", 1) == ((1, 2),)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("conv --input 224x224 --kernel 7x7 --stride 2 --padding 3", "112x112"),
        ("conv -i 32x20 -k 3 -p 1:2x0:3", "33x21"),
        ("conv -i 10 -k 3 -p causal -d 4", "10"),
        ("conv -i 10x10 -k 3 --padding -1", "6x6"),
        ("conv -i 5x5 -k 3 -p full", "7x7"),
        ("conv-transpose -i 10 -k 3 -s 2", "21"),
        ("conv_transpose -i 10 -k 3 -s 2 --padding 1 --output-padding 1", "20"),
        ("depthwise -i 10x9 -k 3x2 -s 2x1 --depth-multiplier 2", "4x8"),
        ("separable -i 12 -k 3 -d 2", "8"),
        ("upsampling -i 3x4 --size 2x3 --interpolation bilinear", "6x12"),
        ("zero-padding -i 3x4 --padding 1:2x0:3", "6x7"),
        ("cropping -i 28x28 --cropping 2x4", "24x20"),
        ("cropping -i 9x9x9 --cropping 1:2", "6x6x6"),
        ("conv -i 5 -k 2 -p same-lower -f onnx", "5"),
        ("conv-transpose -i 10 -k 3 -s 2 -f torch", "21"),
        ("conv-transpose -i 10 -k 3 -s 2 -f torch --output-shape 22", "22"),
    ],
)
def test_size(command: str, expected: str) -> None:
    result = run(f"size {command}")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == expected + "\n"


def test_size_as_json() -> None:
    result = run("size conv -i 32x20 -k 3 -s 2x1 --json")
    assert json.loads(result.stdout) == {"layer": "conv", "framework": "rule", "input": [32, 20], "output": [15, 18]}


@pytest.mark.parametrize(
    ("command", "named", "hint"),
    [
        ("size conf -i 5 -k 3", "`LAYER` = 'conf'", "did you mean 'conv'?"),
        ("size conv -i 5 -k 3 -f torhc", "`--framework` = 'torhc'", "did you mean 'torch'?"),
        ("size conv -i 5 -k 3 -p sane", "`--padding` = 'sane'", "did you mean 'same'?"),
        ("size conv -i 5 -k 3 -s 0", "`--stride` = 0", "use 1 or more"),
        ("size conv -i 5 -k 3 -s two", "`--stride` = 'two'", "write --stride 3"),
        ("size conv -i 7 -k 5 -d 2", "`--input` = 7", "or use --padding same"),
        ("size conv -i 5x5 -k 3x3x3", "`--kernel` = '3x3x3'", "2 spatial axes"),
        ("size conv -i 5", "`--kernel` is missing", "needs it"),
        ("size conv -i 5,5 -k 3", "`--input` = '5,5'", "write --input 10, 10x8"),
        ("size conv -i 5 -k 3 --cropping 1", "`--cropping`", ""),
        ("size upsampling -i 5 -k 3", "`--kernel`", ""),
        ("size upsampling -i 5 --interpolation bilinaer", "`--interpolation`", "did you mean 'bilinear'?"),
        ("size conv -i 5 -k 3 --groups x", "`--groups` = 'x'", "write --groups 2"),
        ("size conv -i 5 -k 3 -s 2 -d 2 -f keras", "`--stride`", ""),
        ("size conv-transpose -i 5 -k 3 -s 2 --output-padding 2 -f torch", "`--output-padding`", ""),
        ("explain conv -i 5 -k 3 --filters 4", "`--channels` is missing", "give --channels"),
        ("explain conv -i 5 -k 3 --channels 3 --groups 2 --filters 4", "`--groups`", ""),
        ("explain conv -i 5 -k 3 --channels three", "`--channels` = 'three'", "write --channels 2"),
        ("solve conf -i 5 -o 5", "`LAYER` = 'conf'", "did you mean 'conv'?"),
        ("solve -i 5x5 -o 5", "`--output`", ""),
        ("solve -i 5 -o 5 --max-kernel 0", "`--max-kernel` = 0", "use 1 or more"),
        ("solve -i 5 -o 5 --limit -1", "`--limit` = -1", "use 0 or more"),
        ("solve -i 5 -o 9 --output-padding 1", "`--output-padding` = 1", "use conv-transpose"),
        ("show conv -i 5 -k 3 -o out.gift", "`--output` = '.gift'", "did you mean '.gif'?"),
        ("show conv -i 5 -k 3 -o nowhere/out.gif", "`--output` = 'nowhere/out.gif'", "no folder 'nowhere'"),
        ("show conv -i 5 -k 3 -o out.gif --theme drak", "`--theme` = 'drak'", "did you mean 'dark'?"),
        ("show conv -i 5 -k 3 -o out.gif --view stamp", "`--view`", ""),
        ("show conv -i 99999x99999 -k 3 -o out.gif --values", "`--input` = '99999x99999'", "such as --input 8x8"),
        ("show conv -i 9 -k 99999 -p full -o out.gif --values", "`--kernel` = '99999'", "such as --kernel 8"),
        ("show conv -i 5x5x5 -k 3 -o out.gif", "`--input` = '5x5x5'", "one or two axes"),
    ],
)
def test_what_is_wrong_is_said_once_as_it_was_typed(
    command: str, named: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(command)
    assert list(tmp_path.iterdir()) == []
    assert result.exit_code == 2
    assert result.stdout == ""
    assert named in result.stderr
    assert hint in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["size", "size conv", "size conv -i 5 --strude 2", "sise", "solve --input 5"])
def test_misuse_is_status_2(command: str) -> None:
    result = run(command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_explain_derives_and_counts() -> None:
    command = "explain conv -i 224x224 -k 7 -s 2 -p 3 --channels 3 --filters 64"
    text = run(command).stdout
    assert "floor((224 + 2*3 - 7) / 2) + 1" in text
    assert "9,472 parameters. 118,013,952 multiply-adds" in text
    assert max(map(len, text.splitlines())) <= 80
    answer = json.loads(run(f"{command} --json --no-bias").stdout)
    assert answer["output_size"] == [112, 112]
    assert answer["parameters"] == 7 * 7 * 3 * 64
    assert answer["multiply_adds"] == 112 * 112 * 7 * 7 * 3 * 64


def test_explain_counts_depthwise_filters() -> None:
    answer = json.loads(run("explain depthwise -i 9 -k 3 --channels 4 --depth-multiplier 2 --json").stdout)
    assert answer["parameters"] == 3 * 4 * 2 + 4 * 2


def test_solve_as_json_is_a_list_whose_layers_do_what_was_asked() -> None:
    result = run("solve --input 32x20 --output 16x20 --kernel 3x4 --per-axis --json")
    found = json.loads(result.stdout)
    assert found
    for solution in found:
        assert list(solution) == ["kernel", "stride", "dilation", "padding", "output_padding"]
        assert solution["kernel"] == [3, 4]
        padding = "x".join(f"{before}:{after}" for before, after in solution["padding"])
        words = {name: "x".join(map(str, solution[name])) for name in ("stride", "dilation")}
        options = f"-i 32x20 -k 3x4 -s {words['stride']} -d {words['dilation']} -p {padding}"
        assert run(f"size conv {options}").stdout == "16x20\n"


def test_solve_prints_a_table() -> None:
    lines = run("solve -i 224 -o 112 -k 7 -s 2").stdout.splitlines()
    assert lines[0] == "conv: 224 -> 112"
    assert lines[2].split() == ["kernel", "stride", "dilation", "padding"]
    assert lines[3].split() == ["7", "2", "1", "3"]
    limited = run("solve -i 224 -o 112 --limit 2").stdout.splitlines()
    assert len(limited) == 7
    assert limited[-1].startswith("2 of ")
    assert len(run("solve -i 224 -o 112 --limit 0").stdout.splitlines()) > 30


def test_solve_without_a_solution() -> None:
    result = run("solve -i 3 -o 100")
    assert result.exit_code == 0
    assert result.stdout.startswith("Nothing within these bounds turns 3 into 100")
    assert run("solve -i 3 -o 100 --json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("options", "magic"),
    [
        ("conv -i 4 -k 3 -p 1:0 -o a.gif", b"GIF89a"),
        ("conv -i 3x4 -k 2 --values --groups 2 -o a.png", b"\x89PNG"),
        ("conv-transpose -i 2 -k 3 -s 2 --values --view both -o a.gif", b"GIF89a"),
        ("depthwise -i 4 -k 3 --values --depth-multiplier 2 -o a.svg", b"<?xml"),
        ("separable -i 4 -k 3 --values --theme dark -o a.gif", b"GIF89a"),
        ("upsampling -i 2 --values --interpolation linear -o a.pdf", b"%PDF"),
        ("zero-padding -i 2 --padding 1:2 --values -o a.gif", b"GIF89a"),
        ("cropping -i 4 --cropping 1 -o a.gif --max-frames 1", b"GIF89a"),
    ],
)
def test_show_writes_a_file(options: str, magic: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(f"show {options}")
    assert (result.exit_code, result.stderr) == (0, "")
    (written,) = tmp_path.iterdir()
    assert written.read_bytes().startswith(magic)
    assert result.stdout.startswith(f"{written.name}: ")


@pytest.mark.parametrize("command", ["", "size", "explain", "solve", "show", "demo"])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_examples_and_fits_a_terminal(command: str, option: str) -> None:
    result = run(f"{command} {option}")
    assert result.exit_code == 0
    assert f"refconv {command}" in result.stdout.partition("Examples:")[2]
    assert max(map(len, result.stdout.splitlines())) <= 80


def _examples() -> list[str]:
    text = "".join(
        run(f"{command} --help").stdout.partition("Examples:")[2] for command in ("size", "explain", "solve")
    )
    return [line.strip().removeprefix("refconv ") for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("command", _examples())
def test_examples_of_the_help_work(command: str) -> None:
    result = run(command)
    assert (result.exit_code, result.stderr) == (0, "")


def test_commands_are_listed_in_the_order_they_are_learnt() -> None:
    listed = run("--help").stdout.partition("Commands:")[2]
    places = [listed.index(f"\n  {name}  ") for name in ("size", "explain", "solve", "show", "demo")]
    assert places == sorted(places)


def test_version_and_module() -> None:
    done = process("-m", "refconv", "--version")
    assert (done.returncode, done.stdout) == (0, f"refconv, version {refconv.__version__}\n")
    assert process("-m", "refconv", "size", "conv", "-i", "5", "-k", "3").stdout == "3\n"


def test_wrong_arguments_of_the_process() -> None:
    done = process("-m", "refconv", "size", "conv", "-i", "5", "-k", "9")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: `--input` = 5: the dilated kernel spans 9 but the padded input is 5 [G7]; "
        "the smallest input here is 9, or use --padding same.\n"
    )


@pytest.mark.parametrize("arguments", ["size conv -i 5 -k 3", "solve -i 10 -o 5 -k 3"])
def test_quick_answers_load_nothing_slow(arguments: str) -> None:
    done = process("-X", "importtime", "-m", "refconv", *arguments.split())
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"numpy", "numba", "matplotlib", "rich", "PIL"}


def test_a_closed_pipe_is_quiet() -> None:
    solve = [sys.executable, "-m", "refconv", "solve", "-i", "64", "-o", "32", "--limit", "0", "--max-kernel", "60"]
    environment = os.environ | {"PYTHONPATH": ROOT}
    with subprocess.Popen(solve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("refconv.cli.commands.read_layer", interrupted)
    result = run("size conv -i 5 -k 3")
    assert (result.exit_code, result.output) == (130, "")


def test_a_file_that_cannot_be_read_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr("refconv.cli.commands.read_layer", broken)
    result = run("size conv -i 5 -k 3")
    assert (result.exit_code, result.stderr) == (2, "Error: somewhere: Permission denied\n")


def test_the_startup_bench_names_every_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    from refconv.bench import startup

    monkeypatch.setattr(startup, "seconds", lambda arguments, folder: 0.25)
    result = CliRunner().invoke(startup.main, ["--runs", "1"])
    assert [line.split()[-1] for line in result.stdout.splitlines()[3:]] == ["MISSED", "ok", "ok"]
    assert result.exit_code == 1
    rows = json.loads(CliRunner().invoke(startup.main, ["--json"]).stdout)
    assert [row["bar_s"] for row in rows] == [0.15, 0.4, 3.0]


def test_values_are_the_same_every_time_and_sum_as_the_loops_do() -> None:
    from refconv.cli.example import example_input, example_weights
    from refconv.conventions import read
    from refconv.trace import Stage, trace

    reading = read("conv", (5, 6), kernel_size=(3, 2), strides=2, padding=((1, 0), (0, 2)))
    x, weights = example_input(reading), example_weights(reading)
    assert (x, weights) == (example_input(reading), example_weights(reading))
    sums = [step.total for step in trace(Stage("conv", reading.geometry, weights), x)]
    y = refconv.conv([x], weights, strides=2, padding=((1, 0), (0, 2)))
    assert sums == y.ravel().tolist()
    assert len(set(sums)) > 6


def test_a_framework_crops_in_its_own_words() -> None:
    matlab = "size conv-transpose --input 10 --kernel 3 --stride 2 --framework matlab --cropping same"
    assert run(matlab).output == "20\n"
    refused = run("size cropping --input 10 --cropping same")
    assert refused.exit_code == 2
    assert "`--cropping` = 'same'" in refused.stderr
