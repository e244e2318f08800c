"""The demonstration: a photograph through six layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from refconv import layers
from refconv.cli.commands import commands
from refconv.demo import checks, run, small
from refconv.demo.checks import Result, counted, results
from refconv.demo.figure import figure
from refconv.demo.parts import LUMINANCE, SOBEL_X, gabor, photograph
from refconv.errors import ConvError


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return photograph()


@pytest.fixture(scope="module")
def shown(image: np.ndarray) -> dict[str, Result]:
    return {result.part.name: result for result in results(image)}


@pytest.fixture
def few_animations(monkeypatch: pytest.MonkeyPatch) -> None:
    few = small.small_layers()[3:4]
    monkeypatch.setattr("refconv.demo.program.small_layers", lambda: few)


def test_photograph(image: np.ndarray) -> None:
    assert image.shape == (1, 150, 128, 3)
    assert image.dtype == np.float32
    assert 0 <= image.min() < 0.05
    assert 0.95 < image.max() <= 1
    # The sky behind her is blue.
    assert image[0, 20, -5, 2] > image[0, 20, -5, 0] + 0.2


def test_sizes_agree(shown: dict[str, Result]) -> None:
    sizes = {name: result.computed for name, result in shown.items()}
    assert sizes == {
        "conv": (150, 128),
        "dilated": (142, 120),
        "depthwise": (150, 128),
        "strided": (72, 61),
        "transposed": (145, 123),
        "upsampling": (144, 122),
    }
    assert all(result.agrees for result in shown.values())


def test_every_map_is_shown(shown: dict[str, Result]) -> None:
    for result in shown.values():
        channels = {c for shown_map in result.part.maps for c in range(*shown_map.channels.indices(99))}
        assert channels == set(range(result.output.shape[-1]))


def test_values_of_the_maps(image: np.ndarray, shown: dict[str, Result]) -> None:
    grey = image[0].astype(np.float64) @ LUMINANCE
    edges = shown["conv"].output[0, :, :, 2]
    assert edges[40, 77] == pytest.approx((grey[39:42, 76:79] * SOBEL_X).sum(), abs=1e-6)
    apart = shown["dilated"].output[0, :, :, 3]
    assert apart[40, 77] == pytest.approx((grey[40:49:4, 77:86:4] * SOBEL_X.T).sum(), abs=1e-6)
    shifted = shown["depthwise"].output[0]
    np.testing.assert_array_equal(shifted[:, 4:, 0], image[0, :, :-4, 0])
    np.testing.assert_array_equal(shifted[:, :, 1], image[0, :, :, 1])
    np.testing.assert_array_equal(shifted[:, :-4, 2], image[0, :, 4:, 2])
    stripes = shown["strided"].output[0, :, :, 2]
    assert stripes[30, 11] == pytest.approx((grey[60:67, 22:29] * gabor(7, 60)).sum(), abs=1e-6)
    dots = shown["transposed"].output[0, :, :, 0]
    np.testing.assert_array_equal(dots[1::2, 1::2], shown["strided"].output[0, :, :, 0])
    assert not dots[::2].any()
    assert not dots[:, ::2].any()


def test_counting_knows_no_formula() -> None:
    assert counted(layers.Conv2D(1, (3, 2), strides=(2, 3)), (1, 8, 9, 1)) == (3, 3)
    assert counted(layers.Conv2DTranspose(1, 3, strides=(3, 2)), (1, 4, 5, 1)) == (12, 11)
    assert counted(layers.UpSampling2D((2, 3), interpolation="bilinear"), (1, 4, 5, 1)) == (8, 15)


def test_figure_says_every_size(image: np.ndarray, shown: dict[str, Result]) -> None:
    drawn = figure(image, list(shown.values()))
    words = "\n".join(text.get_text() for text in drawn.texts)
    for result in shown.values():
        assert "x".join(map(str, result.computed)) in words
        assert all(shown_map.caption in words for shown_map in result.part.maps)
    assert len(drawn.axes) == 2 + sum(len(result.part.maps) for result in shown.values())


def test_small_layers_are_the_same_parts_and_computed_alike() -> None:
    ones = small.small_layers()
    assert [one.name for one in ones] == ["conv", "dilated", "depthwise", "strided", "transposed", "upsampling"]
    for one, again in zip(ones, small.small_layers(), strict=True):
        np.testing.assert_array_equal(one.x, again.x)
        assert all(
            np.array_equal(a, b) for a, b in zip(one.layer.get_weights(), again.layer.get_weights(), strict=True)
        )


@pytest.mark.usefixtures("few_animations")
def test_run_writes_and_prints(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "on demand"
    result = CliRunner().invoke(commands, ["demo", "-o", str(folder)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["feature_maps.png", "strided.gif"]
    assert (folder / "feature_maps.png").read_bytes().startswith(b"\x89PNG")
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines if "Written to" not in line) <= 80
    assert sum(line.rstrip().endswith(("✓", "ok")) for line in lines) == 12
    (strided,) = [line.split() for line in lines if "floor((150 - 7) / 2) + 1" in line]
    assert strided[-4:-1] == ["72", "72", "72"]
    assert any(str(folder) in line for line in lines)
    assert "DIFFER" not in result.stdout


@pytest.mark.usefixtures("few_animations")
def test_a_size_that_differs_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "counted", lambda layer, shape: (72, 60))
    monkeypatch.setattr("refconv.demo.program._save", lambda drawn, path: None)
    result = CliRunner().invoke(commands, ["demo", "-o", str(tmp_path)])
    assert result.exit_code == 1
    assert "6 of 6 layers DIFFER" in result.stdout


def test_the_folder_must_not_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConvError, match="is a file"):
        run(file)
    assert CliRunner().invoke(commands, ["demo", "-o", str(file)]).exit_code == 2
