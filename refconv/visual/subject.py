"""What the caller wants to see: layers, geometries, readings and arrays made into pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from refconv.arguments import axes_in_words, whole_number
from refconv.errors import ConvError
from refconv.formulas import derive
from refconv.geometry import AxisGeometry, ConvGeometry
from refconv.interpolation import axis_taps
from refconv.trace import Stage, array_shape, as_stage, filter_channels, trace
from refconv.visual import words
from refconv.visual.contents import Picture

if TYPE_CHECKING:
    import numpy as np

VIEWS = ("gather", "stamp", "both")
MOST_PLANES = 3
# Layers whose kernel is ones, each channel by itself.
_OF_ONES = ("upsampling", "zero-padding", "cropping")
# The filters and channels shown, the channel that sums are restricted to, and how many channels there are.
_Shown = tuple[tuple[int, ...], tuple[int, ...], int | None, int | None]


def read_subject(
    layer: Any,
    x: Any,
    *,
    weights: Any,
    bias: Any,
    input_shape: Sequence[int] | None,
    filter: int | None,
    channel: int | None,
    view: str | None,
    title: str | None,
) -> list[Picture]:
    """Return one picture for each stage of the layer.

    Raises
    ------
    ConvError
        If an argument does not fit, or the layer is three-dimensional.
    """
    for name, value in (("filter", filter), ("channel", channel)):
        if value is not None:
            whole_number(name, value, 0)
    rank = _rank(layer, input_shape, x)
    if rank > 2:
        raise ConvError(
            "layer",
            _name(layer),
            "pictures of three-dimensional layers come later",
            "animate a two-dimensional slice: the same layer with two of its axes",
        )
    array = None if x is None else _numbers("x", x)
    if hasattr(layer, "stages"):
        if weights is not None or bias is not None:
            name = "weights" if weights is not None else "bias"
            raise ConvError(name, "an array", "a layer brings its own", "use the layer's set_weights, or leave it out")
        stages, array = _layer_stages(layer, array, rank, input_shape)
        subject: Any = None
    else:
        if input_shape is not None:
            raise ConvError("input_shape", input_shape, "this is for layers; a geometry has its size", "leave it out")
        array = None if array is None else _one_sample(array, rank)
        channels = 1 if array is None else array.shape[-1]
        stages, subject = _stages(layer, weights, bias, channels)
    pictures = []
    for number, stage in enumerate(stages):
        if array is not None and stage.geometry is not None and stage.weights is None:
            expected = (*stage.geometry.kernel_size, "channels / groups", "filters")
            raise ConvError(
                "weights",
                None,
                "numbers in the cells need weights",
                f"give weights= of shape ({', '.join(map(str, expected))}), or leave x out",
            )
        last = number == len(stages) - 1
        explained = subject if subject is not None and number == 0 else stage.geometry
        if stage.name == "pointwise":
            explained = None
        picture = _picture(stage, array, filter if last else None, channel, view, explained)
        name = title or (f"Separable convolution, {number + 1}. {stage.name}" if len(stages) > 1 else picture.title)
        pictures.append(picture._replace(title=name))
        if not last and array is not None:
            array = _through(stage, pictures[-1])
    return pictures


def _rank(layer: Any, input_shape: Sequence[int] | None, x: Any) -> int:
    if isinstance(layer, ConvGeometry):
        return layer.rank
    if isinstance(layer, Stage):
        return layer.rank
    if hasattr(layer, "stages"):
        return int(layer.rank)
    if isinstance(getattr(layer, "geometry", None), ConvGeometry):
        return int(layer.geometry.rank)
    raise ConvError(
        "layer",
        _name(layer),
        "not a layer, ConvGeometry, Reading or Stage",
        "see refconv.layers or refconv.conventions",
    )


def _name(layer: Any) -> str:
    return layer if isinstance(layer, str) else type(layer).__name__


def _one_sample(x: np.ndarray, rank: int) -> np.ndarray:
    """Return the input as (spatial..., channels)."""
    if x.ndim == rank:
        return x[..., None]
    if x.ndim == rank + 1:
        return x
    if x.ndim == rank + 2 and x.shape[0] == 1:
        return x[0]
    raise ConvError(
        "x", x.shape, f"a picture shows one sample of {axes_in_words(rank)}", "give (spatial..., channels), or x[:1]"
    )


def _layer_stages(
    layer: Any, x: np.ndarray | None, rank: int, input_shape: Sequence[int] | None
) -> tuple[Sequence[Stage], np.ndarray | None]:
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    if x is not None:
        if x.ndim == rank:
            x = x[None] if first else x[..., None]
        if x.ndim == rank + 1:
            x = x[None]
        if x.ndim != rank + 2 or x.shape[0] != 1:
            raise ConvError("x", x.shape, f"a picture shows one sample of {axes_in_words(rank)}", "give x[:1]")
        if input_shape is not None and tuple(input_shape)[1:] != x.shape[1:]:
            raise ConvError("input_shape", tuple(input_shape), f"`x` has shape {x.shape}", "give one of the two")
        input_shape = x.shape
        if not layer.built:
            layer.build(input_shape)
    if input_shape is None:
        raise ConvError("input_shape", None, "a layer's picture needs the size of its input", "give x= or input_shape=")
    if x is not None:
        x = x[0]
        x = x.transpose((*range(1, rank + 1), 0)) if first else x
    return layer.stages(input_shape), x


def _stages(layer: Any, weights: Any, bias: Any, channels: int) -> tuple[list[Stage], Any]:
    """Return the stages of anything but a layer, and what its formulas are derived from."""
    import numpy as np

    if isinstance(layer, (ConvGeometry, Stage)):
        stage = as_stage(layer)
        if weights is not None:
            stage = stage._replace(weights=_gather_weights(_numbers("weights", weights), stage.rank))
        if bias is not None:
            stage = stage._replace(bias=_numbers("bias", bias).reshape(-1))
        if stage.weights is not None:
            stage = stage._replace(weights=np.asarray(stage.weights))
        if stage.bias is not None:
            stage = stage._replace(bias=np.asarray(stage.bias))
        return [stage], stage.geometry
    geometry, kind = layer.geometry, layer.layer
    if getattr(layer, "interpolation", "nearest") != "nearest":
        rows = tuple(
            axis_taps(n, o, layer.interpolation) for n, o in zip(geometry.input_size, geometry.output_size, strict=True)
        )
        return [Stage(kind, None, interpolation=rows)], layer
    bias_array = None if bias is None else _numbers("bias", bias).reshape(-1)
    if kind in _OF_ONES:
        if weights is not None:
            raise ConvError("weights", "an array", f"a layer of kind {kind!r} has none", "leave it out")
        ones = np.ones((*geometry.kernel_size, 1, channels), np.int64)
        return [Stage(kind, ConvGeometry(geometry.axes, channels), ones)], layer
    if kind == "separable":
        pointwise = ConvGeometry(tuple(AxisGeometry(size, 1) for size in geometry.output_size))
        if weights is None:
            return [Stage("depthwise", geometry), Stage("pointwise", pointwise)], layer
        if not isinstance(weights, (tuple, list)) or len(weights) != 2:
            raise ConvError("weights", type(weights).__name__, "a separable layer has two arrays", "give a pair")
        depth, point = (_gather_weights(_numbers("weights", part), geometry.rank) for part in weights)
        first = Stage("depthwise", ConvGeometry(geometry.axes, depth.shape[-2]), _per_channel(depth))
        return [first, Stage("pointwise", pointwise, point, bias_array)], layer
    if weights is None:
        return [Stage(kind, geometry, None, bias_array)], layer
    array = _gather_weights(_numbers("weights", weights), geometry.rank)
    if kind == "depthwise":
        return [Stage(kind, ConvGeometry(geometry.axes, array.shape[-2]), _per_channel(array), bias_array)], layer
    if kind == "conv-transpose":
        array = _swapped(array, geometry.groups)
    return [Stage(kind, geometry, array, bias_array)], layer


def _numbers(name: str, value: Any) -> np.ndarray:
    """Return an array of finite real numbers as float64 or int64."""
    import numpy as np

    array: np.ndarray = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise ConvError(name, str(array.dtype), "not an array of real numbers", "use integers or floats")
    if array.size == 0:
        raise ConvError(name, array.shape, "the array is empty", "give at least one number")
    if not np.isfinite(array).all():
        raise ConvError(name, "an array", "a picture needs finite numbers", "replace nan and inf")
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _gather_weights(weights: np.ndarray, rank: int) -> np.ndarray:
    """Let weights of one channel and one filter be given without those axes."""
    return weights[..., None, None] if weights.ndim == rank else weights


def _per_channel(weights: np.ndarray) -> np.ndarray:
    """Return depthwise weights (k..., C, multiplier) as a grouped convolution's, (k..., 1, C * multiplier)."""
    return weights.reshape((*weights.shape[:-2], 1, weights.shape[-2] * weights.shape[-1]))


def _swapped(weights: np.ndarray, groups: int) -> np.ndarray:
    """Return a transposed layer's weights (k..., F / groups, C) in the order of a gather, (k..., C / groups, F)."""
    import numpy as np

    if weights.shape[-1] % groups:
        raise ConvError(
            "weights", weights.shape, f"the last axis does not divide into {groups} groups", "use (k..., F/groups, C)"
        )
    return np.concatenate([part.swapaxes(-1, -2) for part in np.split(weights, groups, axis=-1)], axis=-1)


def _picture(
    stage: Stage,
    x: np.ndarray | None,
    filter: int | None,
    channel: int | None,
    view: str | None,
    explained: Any,
) -> Picture:
    view = _view(stage, view)
    if x is None:
        stage = _thin(stage)
    if stage.interpolation is not None:
        shown = _interpolated_channels(x, filter, channel)
    else:
        shown = _planes(stage, x, filter, channel, view)
    filters, channels, only, planes = shown
    remarks = _remarks(stage, filters, only, planes)
    formulas = words.formulas(derive(explained)) if explained is not None else ()
    return Picture(
        stage=stage,
        x=None if x is None else x.tolist(),
        filters=filters,
        channels=channels,
        only_channel=only,
        view=view,
        title=words.title(stage),
        details=words.details(stage),
        formulas=formulas,
        remarks=remarks,
        planes=planes,
    )


def _thin(stage: Stage) -> Stage:
    """Drop the weights of a stage with too many channels to show: a picture without numbers needs none."""
    if stage.weights is None or stage.geometry is None:
        return stage
    planes = array_shape(stage.weights)[-2] * stage.geometry.groups
    return stage if planes <= MOST_PLANES else stage._replace(weights=None, bias=None)


def _view(stage: Stage, view: str | None) -> str:
    possible = stage.geometry is not None and words.stampable(stage.geometry)
    if view in ("stamp", "both") and not possible:
        raise ConvError("view", view, "only a transposed convolution stamps its kernel", "use view='gather'")
    if view is not None:
        return view
    if not possible:
        return "gather"
    return "stamp" if stage.name == "upsampling" else "both"


def _interpolated_channels(x: np.ndarray | None, filter: int | None, channel: int | None) -> _Shown:
    planes = 1 if x is None else int(x.shape[-1])
    chosen = channel if channel is not None else filter or 0
    if chosen >= planes:
        name = "channel" if channel is not None else "filter"
        raise ConvError(name, chosen, f"there are {planes} channels", f"use 0 to {planes - 1}")
    return (chosen,), (chosen,), None, planes


def _planes(stage: Stage, x: np.ndarray | None, filter: int | None, channel: int | None, view: str) -> _Shown:
    geometry = stage.geometry
    assert geometry is not None
    if stage.weights is None:
        for name, value in (("filter", filter), ("channel", channel)):
            if value:
                raise ConvError(name, value, "a picture without numbers has one plane", "give x= and weights=")
        return (0,), (0,), None, None
    *_, per_group, count = array_shape(stage.weights)
    planes = per_group * geometry.groups
    if x is not None and x.shape != (*geometry.input_size, planes):
        expected = (*geometry.input_size, planes)
        raise ConvError("x", x.shape, "the shape does not fit the layer and its weights", f"use {expected}")
    geometry.check_channels(planes, count)
    by_itself = per_group == 1 and geometry.groups == planes
    if channel is not None and channel >= planes:
        raise ConvError("channel", channel, f"there are {planes} channels", f"use 0 to {planes - 1}")
    if by_itself and filter is None and channel is None and view == "gather" and 1 < count <= MOST_PLANES:
        filters = tuple(range(count))
        return filters, tuple(filter_channels(stage, f)[0] for f in filters), None, planes
    if filter is None:
        filter = channel * (count // planes) if by_itself and channel is not None else 0
    read = filter_channels(stage, filter)
    if channel is not None:
        if channel not in read:
            reads = ", ".join(str(c) for c in read)
            raise ConvError("channel", channel, f"filter {filter} does not read it", f"use one of {reads}")
        return (filter,), (channel,), channel if len(read) > 1 else None, planes
    if len(read) > MOST_PLANES:
        raise ConvError(
            "channel",
            None,
            f"filter {filter} sums over {len(read)} channels, and a picture shows {MOST_PLANES} at most",
            f"use channel={read[0]} to {read[-1]} to see one channel's share of the sum",
        )
    shown = tuple(range(planes)) if planes <= MOST_PLANES and view == "gather" else read
    return (filter,), shown, None, planes


def _remarks(stage: Stage, filters: tuple[int, ...], only: int | None, planes: int | None) -> tuple[str, ...]:
    remarks = []
    if stage.geometry is not None and (text := words.dropped(stage.geometry)):
        remarks.append(text)
    count = array_shape(stage.weights)[-1] if stage.weights is not None else 1
    if only is not None:
        remarks.append(f"Channel {only} of {planes} alone: its share of filter {filters[0]}'s sum.")
    elif len(filters) > 1:
        remarks.append("Every channel has its own kernel, and nothing is summed across channels.")
    elif stage.geometry is not None and stage.geometry.groups > 1 and stage.weights is not None:
        read = ", ".join(str(c) for c in filter_channels(stage, filters[0]))
        remarks.append(f"Filter {filters[0]} of {count} reads channel {read} of {planes} only.")
    elif count > 1:
        remarks.append(f"Filter {filters[0]} of {count}.")
    return tuple(remarks)


def _through(stage: Stage, picture: Picture) -> np.ndarray:
    """Return the first stage's output as the second one's input, in as many channels as are shown."""
    import numpy as np

    count = array_shape(stage.weights)[-1]
    shown = range(count) if count <= MOST_PLANES else picture.filters
    totals = {f: [step.total for step in trace(stage, picture.x, filter=f)] for f in shown}
    kind = np.int64 if all(isinstance(value, int) for value in totals[picture.filters[0]]) else np.float64
    output = np.zeros((*stage.output_size, count), kind)
    for f, values in totals.items():
        output[..., f] = np.array(values).reshape(stage.output_size)
    return output
