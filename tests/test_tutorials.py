"""Every lesson runs as it stands: those that train a network at a reduced size by default."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import pytest

LESSONS = sorted((Path(__file__).parent.parent / "tutorials").glob("*.py"))
TRAINING = [lesson for lesson in LESSONS if "sklearn" in lesson.read_text(encoding="utf-8")]


def run(lesson: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if lesson in TRAINING and importlib.util.find_spec("sklearn") is None:
        pytest.skip('scikit-learn is not installed: pip install ".[lessons]"')
    monkeypatch.chdir(folder)
    runpy.run_path(str(lesson), run_name="__main__")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFCONV_LESSONS", "quick")
    run(lesson, tmp_path, monkeypatch)


@pytest.mark.lessons
@pytest.mark.parametrize("lesson", TRAINING, ids=lambda path: path.stem)
def test_networks_reach_what_the_lessons_say(lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFCONV_LESSONS", raising=False)
    run(lesson, tmp_path, monkeypatch)


def test_there_are_lessons() -> None:
    assert [lesson.stem for lesson in LESSONS] == ["01_convolution", "02_transposed", "03_digits", "04_segmentation"]
    assert [lesson.stem for lesson in TRAINING] == ["03_digits", "04_segmentation"]
