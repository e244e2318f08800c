"""Every lesson runs as it stands."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

LESSONS = sorted((Path(__file__).parent.parent / "tutorials").glob("*.py"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(lesson), run_name="__main__")
    assert not list(tmp_path.iterdir())


def test_there_are_lessons() -> None:
    assert [lesson.stem for lesson in LESSONS] == ["01_convolution", "02_transposed"]
