"""What every frame says, as data: cells, sums, captions, and that nothing leaves the frame."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from refconv import conventions, functional, layers
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.visual import Animation, animate
from refconv.visual.scene import Panel, Scene
from refconv.visual.theme import DIVERGING, INPUT, KERNEL, OUTPUT
from refconv.visual.words import short

RNG = np.random.default_rng(4)
read = conventions.read


def panels(scene: Scene, role: str) -> list[Panel]:
    return [panel for panel in scene.panels if panel.role == role]


def numbers(panel: Panel) -> list[str]:
    return [cell.text for cell in panel.cells if cell.kind == "data"]


def written(array: np.ndarray) -> list[str]:
    return [short(value) for value in array.reshape(-1).tolist()]


def ints(*shape: int) -> np.ndarray:
    return RNG.integers(-4, 5, shape)


X5, K3 = ints(5, 6), ints(3, 3)
CASES: dict[str, tuple[Any, np.ndarray, np.ndarray | None, str, dict[str, Any]]] = {
    # name: reading, input (spatial), weights (k...), functional's name, its words
    "valid": (read("conv", (5, 6), kernel_size=3), X5, K3, "conv", {}),
    "strided": (
        read("conv", (5, 6), kernel_size=3, strides=2, padding=1), X5, K3, "conv", {"strides": 2, "padding": 1}
    ),
    "same": (read("conv", (5, 6), kernel_size=(2, 3), strides=2, padding="same"), X5, ints(2, 3), "conv",
             {"strides": 2, "padding": "same"}),
    "full": (read("conv", (5, 6), kernel_size=3, padding="full"), X5, K3, "conv", {"padding": "full"}),
    "asymmetric": (read("conv", (5, 6), kernel_size=3, padding=((0, 2), (1, -1))), X5, K3, "conv",
                   {"padding": ((0, 2), (1, -1))}),
    "dilated": (read("conv", (5, 6), kernel_size=2, dilation_rate=3), X5, ints(2, 2), "conv", {"dilation_rate": 3}),
    "causal": (read("conv", (16,), kernel_size=3, dilation_rate=4, padding="causal"), ints(16), ints(3), "conv",
               {"dilation_rate": 4, "padding": "causal"}),
    "transposed": (read("conv_transpose", (3, 2), kernel_size=3, strides=2, padding=1, output_padding=1), ints(3, 2),
                   K3, "conv_transpose", {"strides": 2, "padding": 1, "output_padding": 1}),
    "transposed 1-D": (read("conv_transpose", (4,), kernel_size=3, strides=2), ints(4), ints(3), "conv_transpose",
                       {"strides": 2}),
    "zero padding": (read("zero_padding", (3, 4), padding=((1, 2), (0, 1))), ints(3, 4), None, "zero_pad",
                     {"padding": ((1, 2), (0, 1))}),
    "cropping": (read("cropping", (5, 6), cropping=((1, 2), (0, 3))), X5, None, "crop",
                 {"cropping": ((1, 2), (0, 3))}),
    "nearest": (read("upsampling", (2, 3), size=(2, 3)), ints(2, 3), None, "upsample", {"size": (2, 3)}),
    "bilinear": (read("upsampling", (3, 4), size=2, interpolation="bilinear"), ints(3, 4) * 1.0, None, "upsample",
                 {"size": 2, "interpolation": "bilinear"}),
    "linear 1-D": (read("upsampling", (5,), size=3, interpolation="linear"), ints(5) * 1.0, None, "upsample",
                   {"size": 3, "interpolation": "linear"}),
}  # fmt: skip


def loops(name: str, x: np.ndarray, weights: np.ndarray | None, words: dict[str, Any]) -> np.ndarray:
    arrays = [x[None, ..., None]] + ([] if weights is None else [weights[..., None, None]])
    return getattr(functional, name)(*arrays, **words)[0, ..., 0]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("case", CASES)
def test_last_frame_shows_what_the_loops_compute(case: str, theme: str) -> None:
    reading, x, weights, name, words = CASES[case]
    last = animate(reading, x, weights=weights, theme=theme).scenes[-1]
    (output,) = panels(last, "output")
    assert numbers(output) == written(loops(name, x, weights, words))


@pytest.mark.parametrize("case", ["transposed", "transposed 1-D", "nearest"])
@pytest.mark.parametrize("view", ["gather", "stamp", "both"])
def test_every_view_ends_at_the_same_output(case: str, view: str) -> None:
    reading, x, weights, name, words = CASES[case]
    last = animate(reading, x, weights=weights, view=view).scenes[-1]
    (output,) = panels(last, "output")
    shown = [cell.text for cell in output.cells if cell.kind in ("data", "pending")]
    assert shown == written(loops(name, x, weights, words))


@pytest.mark.parametrize("case", CASES)
def test_running_sums_stand_under_their_terms(case: str) -> None:
    reading, x, weights, _, _ = CASES[case]
    for scene in animate(reading, x, weights=weights, view="gather" if reading.geometry.transposed else None).scenes:
        last_running = [text.text for text in scene.texts if text.role == "running"][-1]
        total = next(text.text for text in scene.texts if text.role == "total" and text.text.startswith("= "))
        assert total == f"= {last_running}"
        assert scene.summary.endswith(total)


def test_separable_shows_both_steps() -> None:
    layer = layers.SeparableConv2D(2, 2, bias_initializer="ones")
    x = ints(1, 3, 4, 2)
    animation = animate(layer, x)
    outputs = layer(x.astype("float64"))
    assert len(animation) == 2 * 2 * 3
    assert [panels(scene, "output")[0].title for scene in (animation.scenes[0], animation.scenes[-1])] == [
        "Output 2×3 · filter 0",
        "Output 2×3 · filter 0",
    ]
    shown = [float(text.replace("−", "-")) for text in numbers(panels(animation.scenes[-1], "output")[0])]
    np.testing.assert_allclose(shown, outputs[0, ..., 0].reshape(-1), atol=0.006)
    assert len({(scene.width, scene.height) for scene in animation.scenes}) == 1
    assert animation.title == "Separable convolution"


def test_depthwise_runs_its_channels_in_lockstep() -> None:
    x, weights = ints(4, 5, 2), ints(2, 2, 2, 1)
    reading = read("depthwise", (4, 5), kernel_size=2)
    last = animate(reading, x, weights=weights).scenes[-1]
    expected = functional.depthwise_conv(x[None], weights)[0]
    assert [numbers(panel) for panel in panels(last, "output")] == [written(expected[..., c]) for c in range(2)]
    assert len(panels(last, "input")) == len(panels(last, "kernel")) == 2


def test_groups_leave_the_other_channels_faint() -> None:
    geometry = ConvGeometry((AxisGeometry(5, 3), AxisGeometry(4, 3)), groups=3)
    x, weights = ints(5, 4, 3), ints(3, 3, 1, 6)
    last = animate(geometry, x, weights=weights, filter=3).scenes[-1]
    faint = [all(cell.faint for cell in panel.cells) for panel in panels(last, "input")]
    assert faint == [True, False, True]
    expected = functional.conv(x[None], weights, groups=3)[0, ..., 3]
    assert numbers(panels(last, "output")[0]) == written(expected)


def test_channels_are_summed_from_all_planes() -> None:
    layer = layers.Conv2D(2, (2, 3), bias_initializer="ones", data_format="channels_first")
    x = ints(1, 3, 4, 5)
    last = animate(layer, x, filter=1).scenes[-1]
    shown = [float(text.replace("−", "-")) for text in numbers(panels(last, "output")[0])]
    np.testing.assert_allclose(shown, layer(x.astype("float64"))[0, 1].reshape(-1), atol=0.06)
    assert len(panels(last, "input")) == 3


def test_kinds_of_cells() -> None:
    first = animate(read("conv", (6, 6), kernel_size=3, strides=2, padding=1)).scenes[0]
    (grid,) = panels(first, "input")
    assert (grid.rows, grid.columns) == (8, 8)
    assert sum(cell.kind == "padding" for cell in grid.cells) == 28
    assert {(cell.row, cell.column) for cell in grid.cells if cell.unread} == {
        (r, c) for r in range(8) for c in range(8) if 7 in (r, c)
    }
    assert any("The floor drops the last row and the last column" in text.text for text in first.texts)
    spread = panels(animate(read("conv_transpose", (2, 2), kernel_size=3, strides=2)).scenes[0], "input")[0]
    assert [cell.text for cell in spread.cells if cell.kind == "inserted"] == ["0"] * 5
    cropped = panels(animate(read("cropping", (4,), cropping=(1, 0))).scenes[0], "input")[0]
    assert [cell.kind for cell in cropped.cells] == ["cropped", "data", "data", "data"]


def test_kernel_of_a_gather_is_flipped_and_of_a_stamp_is_not() -> None:
    scene = animate(read("conv_transpose", (3,), kernel_size=3), [1, 2, 3], weights=[5, 6, 7]).scenes[0]
    assert [numbers(panel) for panel in panels(scene, "kernel")] == [["7", "6", "5"], ["5", "6", "7"]]
    plain = animate(read("conv_transpose", (3,), kernel_size=3)).scenes[0]
    assert [numbers(panel) for panel in panels(plain, "kernel")] == [["c", "b", "a"], ["a", "b", "c"]]


def test_both_views_run_in_lockstep() -> None:
    x, weights = ints(3, 3), ints(3, 3)
    animation = animate(read("conv_transpose", (3, 3), kernel_size=3, strides=2, padding=1), x, weights=weights)
    for scene in animation.scenes:
        gathered, plain = panels(scene, "input")
        left = sorted((cell.text, cell.weight) for cell in gathered.cells if cell.weight and cell.kind == "data")
        right = sorted((cell.text, cell.weight) for cell in plain.cells if cell.weight)
        assert left == right
        assert sum(box.role == "stamp" for box in scene.boxes) == len(right)
    (output,) = panels(animation.scenes[0], "output")
    assert (output.rows, output.note) == (7, "cropped from 7×7")


def test_dilated_kernel_fills_its_taps_and_outlines_its_span() -> None:
    scene = animate(read("conv", (7, 7), kernel_size=3, dilation_rate=2)).scenes[0]
    taps = [box for box in scene.boxes if box.role == "tap"]
    (window,) = [box for box in scene.boxes if box.role == "window"]
    cell = scene.panels[0].cell
    assert len(taps) == 9
    assert (window.width, window.height) == (5 * cell, 5 * cell)
    assert panels(scene, "kernel")[0].note == "spans 5×5"


def every_animation() -> dict[str, Animation]:
    found = {name: animate(reading, x, weights=weights) for name, (reading, x, weights, _, _) in CASES.items()}
    found |= {f"{name}, plain": animate(reading) for name, (reading, *_) in CASES.items()}
    found["long numbers"] = animate(
        read("conv", (5, 5), kernel_size=5, padding=2), RNG.normal(size=(5, 5)), weights=RNG.normal(size=(5, 5))
    )
    found["large"] = animate(read("conv", (16, 20), kernel_size=5, padding=2))
    return found


def test_every_scene_is_labelled_stays_in_its_frame_and_is_json() -> None:
    for name, animation in every_animation().items():
        first = animation.scenes[0]
        assert {panel.role for panel in first.panels} == {"input", "kernel", "output"}, name
        for scene in (first, animation.scenes[-1]):
            assert (scene.width, scene.height) == (first.width, first.height), name
            assert json.loads(json.dumps(scene.as_dict()))["panels"][0]["title"] == scene.panels[0].title
            for panel in scene.panels:
                assert panel.title.split()[0].lower() == panel.role
                assert "×" in panel.title or any(letter.isdigit() for letter in panel.title), name
                assert panel.x >= 20, name
                assert panel.x + panel.columns * panel.cell <= scene.width - 20, name
                assert panel.label_x + len(panel.title) * 8 + 10 <= scene.width, name
                assert panel.y + panel.rows * panel.cell < min(t.y for t in scene.texts if t.role == "caption"), name
            for text in scene.texts:
                reach = len(text.text) * 7.6 / {"left": 1, "center": 2, "right": 99}[text.align]
                assert text.x + reach <= scene.width + 20, (name, text)
                assert 0 < text.y < scene.height, (name, text)
            for key in scene.keys:
                assert key.y < scene.height - 8, name


def test_panels_do_not_overlap() -> None:
    for name, animation in every_animation().items():
        boxes = [(p.x, p.y, p.x + p.columns * p.cell, p.y + p.rows * p.cell) for p in animation.scenes[0].panels]
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
                assert apart, name


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [INPUT, OUTPUT, KERNEL, *DIVERGING])
def test_black_numbers_are_legible_on_every_fill(colour: str) -> None:
    assert (luminance(colour) + 0.05) / (luminance("#000000") + 0.05) >= 5.4
