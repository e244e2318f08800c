"""Animations as files and in notebooks, and what is refused."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from refconv import conventions, layers
from refconv.errors import ConvError
from refconv.files import write_whole
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.trace import Stage
from refconv.visual import Animation, animate
from refconv.visual.progress import Progress

GEOMETRY = ConvGeometry((AxisGeometry(4, 2), AxisGeometry(3, 2)))
X = np.arange(12).reshape(4, 3) - 5


@pytest.fixture(scope="module")
def animation() -> Animation:
    return animate(GEOMETRY, X, weights=[[1, 2], [-1, 0]])


def test_gif_has_every_frame_and_holds_the_last(animation: Animation, tmp_path: Path) -> None:
    path = animation.save(tmp_path / "a.gif")
    durations = []
    with Image.open(path) as image:
        assert image.info["comment"].decode() == animation.alt_text
        assert image.info["loop"] == 0
        assert image.size == (round(animation.scenes[0].width), round(animation.scenes[0].height))
        for i in range(image.n_frames):
            image.seek(i)
            durations.append(image.info["duration"])
    assert durations == [1000] * 5 + [2000] == list(animation.durations)
    assert path.stat().st_size < 500_000


def test_more_frames_run_faster() -> None:
    geometry = ConvGeometry((AxisGeometry(26, 1),))
    assert animate(geometry).durations == (500,) * 25 + (2000,)


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".GIF", b"GIF89a")]
)
def test_file_formats(animation: Animation, tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = animation.save(str(tmp_path / f"a{suffix}"))
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


def test_storyboard_carries_its_description(animation: Animation, tmp_path: Path) -> None:
    with Image.open(animation.save(tmp_path / "a.png")) as image:
        assert image.info["Description"] == animation.alt_text
    assert animation.alt_text.split(".")[0] in animation.save(tmp_path / "a.svg").read_text(encoding="utf-8")


def test_frame_draws_where_it_is_told(animation: Animation) -> None:
    before = dict(mpl.rcParams)
    own = animation.frame(0)
    assert own.figure is not None
    figure = Figure(figsize=(6, 4))
    ax = figure.add_subplot()
    ax.plot([0, 1])
    assert animation.frame(-1, ax=ax) is ax
    assert not ax.lines
    figure.savefig(io.BytesIO())
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_drawn_frame_has_the_colours_of_its_panels() -> None:
    ax = animate(GEOMETRY).frame(-1)
    file = io.BytesIO()
    ax.figure.savefig(file, format="png")
    pixels = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 3)
    found = {tuple(int(c) for c in colour) for colour in np.unique(pixels, axis=0)}
    assert {(0x56, 0xB4, 0xE9), (0xF0, 0xE4, 0x42), (0xD5, 0x5E, 0x00)} <= found


def test_notebook_shows_the_gif_with_its_text(animation: Animation) -> None:
    html = animation._repr_html_()
    assert html.startswith('<img src="data:image/gif;base64,R0lGOD')
    assert "Convolution, stride 1" in html


def test_alt_text_says_sizes_and_formula() -> None:
    text = animate(conventions.read("conv", (5, 5), kernel_size=3, strides=2)).alt_text
    assert text == (
        "Animation in 4 frames. Convolution, stride 2 · padding 0: input 5×5, kernel 3×3, output 2×2. "
        "R5: o = floor((i - k) / s) + 1 = floor((5 - 3) / 2) + 1 = 2."
    )


def test_what_can_be_animated() -> None:
    assert len(animate(Stage("conv", GEOMETRY))) == 6
    assert len(animate(layers.Conv1D(4, 3), input_shape=(None, 9, 2))) == 7
    assert len(animate(layers.UpSampling2D(2, interpolation="bilinear"), X[None, ..., None])) == 48
    assert len(animate(layers.Conv2DTranspose(1, 2, strides=2), np.ones((1, 2, 2, 1)))) == 16
    assert len(animate(GEOMETRY, X[None, ..., None], weights=np.ones((2, 2, 1, 1)), bias=[3])) == 6


def test_max_frames_are_evenly_spaced() -> None:
    animation = animate(ConvGeometry((AxisGeometry(21, 1),)), max_frames=5)
    assert [scene.summary for scene in animation.scenes] == ["y(0)", "y(5)", "y(10)", "y(15)", "y(20)"]
    assert [scene.number for scene in animation.scenes] == [1, 2, 3, 4, 5]


def test_callers_array_is_not_touched() -> None:
    x, weights = X.astype("float32"), np.ones((2, 2), "float32")
    copies = x.copy(), weights.copy()
    animate(GEOMETRY, x, weights=weights)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(weights, copies[1])


CONV3D = ConvGeometry((AxisGeometry(3, 2),) * 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: animate(CONV3D), "three-dimensional layers come later; animate a two-dimensional slice"),
        (lambda: animate("conv"), "`layer` = 'conv': not a layer"),
        (lambda: animate(GEOMETRY, X), "numbers in the cells need weights"),
        (lambda: animate(GEOMETRY, X[:3], weights=np.ones((2, 2))), "`x` = \\(3, 3, 1\\)"),
        (lambda: animate(GEOMETRY, X, weights=np.ones((2, 3))), "`weights` = \\(2, 3, 1, 1\\)"),
        (lambda: animate(GEOMETRY, X * np.nan, weights=np.ones((2, 2))), "finite numbers"),
        (lambda: animate(GEOMETRY, X * 1j, weights=np.ones((2, 2))), "`x` = 'complex128'"),
        (lambda: animate(GEOMETRY, theme="dusk"), "`theme` = 'dusk'"),
        (lambda: animate(GEOMETRY, view="scatter"), "`view` = 'scatter'"),
        (lambda: animate(GEOMETRY, view="stamp"), "only a transposed convolution stamps"),
        (lambda: animate(GEOMETRY, filter=-1), "`filter` = -1"),
        (lambda: animate(GEOMETRY, X, weights=np.ones((2, 2, 1, 3)), filter=3), "there are 3 filters"),
        (lambda: animate(ConvGeometry((AxisGeometry(60, 3),))), "legible up to 40; animate a smaller input"),
        (lambda: animate(ConvGeometry((AxisGeometry(24, 3),) * 2)), "484 frames.*max_frames=100"),
        (lambda: animate(layers.Conv2D(1, 2)), "needs the size of its input"),
        (lambda: animate(layers.Conv2D(1, 2), np.ones((2, 5, 5, 1))), "one sample"),
        (lambda: animate(layers.Conv2D(1, 2), np.ones((1, 5, 5, 4))), "use channel=0 to 3"),
        (lambda: animate(layers.Conv2D(1, 2), np.ones((1, 5, 5, 4)), channel=4), "there are 4 channels"),
        (lambda: animate(GEOMETRY).frame(6), "`i` = 6: there are 6 frames"),
        (lambda: animate(GEOMETRY).save("a.gof"), "did you mean '.gif'"),
        (lambda: animate(GEOMETRY).save("nowhere/a.gif"), "there is no folder 'nowhere'"),
    ],
)
def test_what_is_refused(make: object, message: str) -> None:
    with pytest.raises(ConvError, match=message):
        make()  # type: ignore[operator]


def test_one_channel_of_many() -> None:
    layer = layers.Conv2D(1, 2)
    x = np.random.default_rng(1).normal(size=(1, 4, 4, 5))
    scene = animate(layer, x, channel=3).scenes[0]
    assert any("Channel 3 of 5 alone" in text.text for text in scene.texts)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_bytes(b"half")
        raise KeyboardInterrupt

    (tmp_path / "a.gif").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.gif", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").read_bytes() == b"old"
    with pytest.raises(ConvError, match="this is a folder"):
        write_whole(tmp_path, fail)


def test_video_needs_its_extra(animation: Animation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ConvError, match=r"pip install 'refconv\[video\]'"):
        animation.save(tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_video(animation: Animation, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    assert animation.save(tmp_path / "a.mp4").stat().st_size > 1000


def test_progress_shows_only_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(3, None) as quiet:
        quiet.tick()
    assert quiet.bar is None
    with Progress(3, True) as bar:
        bar.tick()
        assert bar.bar is not None
    assert capsys.readouterr().out == ""


def test_importing_pictures_loads_no_matplotlib() -> None:
    code = "import sys, refconv.visual, refconv.visual.scene; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
