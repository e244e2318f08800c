"""What README shows is what a reader gets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from refconv.cli.commands import commands

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^    \$ refconv (.*)\n((?:(?:    (?!\$).*)?\n)*)", README, re.M)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize(("command", "shown"), SHELL, ids=lambda text: text[:30])
def test_commands_print_what_is_shown(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, shlex.split(command))
    assert result.exit_code == (2 if "Error:" in shown else 0), result.output
    if shown.strip():
        assert result.output.split() == shown.split()


def test_python_runs_and_its_comments_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    checked = 0
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), names)
        for line in block.splitlines():
            statement, _, comment = line.partition("  #")
            promised = re.match(r"\s*(\(.*\))(:|$)", comment)
            if not promised:
                continue
            name, equals, _ = statement.partition(" = ")
            value = eval(name if equals else statement, names)
            assert getattr(value, "shape", value) == eval(promised[1]), line
            checked += 1
    assert checked == 8
    assert (tmp_path / "conv.gif").stat().st_size > 0
