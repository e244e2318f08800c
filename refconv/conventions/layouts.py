"""What a convention returns, and the letters that say where an array's axes stand.

The letters are JAX's: ``N`` batch, ``C`` channels, ``D``, ``H``, ``W`` the spatial axes; for weights ``I``
the input channels of a group, ``O`` the filters, ``M`` the depth multiplier::

    input, output            NHWC    channels last (canonical), NCHW channels first
    weights                  HWIO    (k..., C/groups, F)
    transposed weights       HWOI    (k..., F/groups, C)
    depthwise weights        HWIM    (k..., C, multiplier); output channel c*M + m reads input channel c

Spatial axes keep the order in which they stand; only batch, channels and the like are moved.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from refconv.arguments import choice
from refconv.errors import ConvError
from refconv.geometry import ConvGeometry

LAYERS = ("conv", "conv-transpose", "depthwise", "separable", "upsampling", "zero-padding", "cropping")
DATA_FORMATS = ("channels_last", "channels_first")
SPATIAL_LETTERS = ("", "W", "HW", "DHW")

_CANONICAL_ENDS = (("NC", "N", "C"), ("IO", "", "IO"), ("IM", "", "IM"))
_TRANSPOSED_END = "OI"


class DimensionNumbers(NamedTuple):
    """Where batch, channel and spatial axes stand in the arrays of a layer.

    Attributes
    ----------
    input, weights, output : str
        One letter per axis; `weights` is empty for a layer without weights. A separable layer's
        `weights` are the depthwise ones; its pointwise ones are those of a convolution.

    Examples
    --------
    >>> DimensionNumbers("NCHW", "OIHW", "NCHW").weights
    'OIHW'
    """

    input: str
    weights: str
    output: str


class FormulaUse(NamedTuple):
    """A closed formula's name and the numbers that one axis puts into it.

    Attributes
    ----------
    name : str
        Key of ``refconv.formulas.FORMULAS``.
    values : dict of str to int
        The formula's variables: ``i`` input, ``k`` kernel, ``ke`` dilated kernel, ``s`` stride, ``d``
        dilation, ``a`` input dilation, ``lo`` and ``hi`` the padding, or a transposed layer's crop,
        before and after, and whatever else the formula's own framework names.
    """

    name: str
    values: dict[str, int]


class Reading(NamedTuple):
    """What a layer's arguments mean: its geometry, its arrays' layout, its formula per axis.

    Attributes
    ----------
    layer : str
        One of `LAYERS`.
    geometry : ConvGeometry
        The whole layer's arithmetic per axis. The channels are unknown here, so a depthwise layer has
        ``groups=1``. Where `interpolation` is not ``"nearest"``, only its sizes hold.
    layout : DimensionNumbers
        The axes of the framework's arrays.
    framework : str
        Whose words were read.
    formulas : tuple of FormulaUse
        The output size's closed formula, per axis.
    interpolation : str
        An upsampling layer's method; ``"nearest"`` for every other layer.
    """

    layer: str
    geometry: ConvGeometry
    layout: DimensionNumbers
    framework: str
    formulas: tuple[FormulaUse, ...]
    interpolation: str = "nearest"

    @property
    def output_size(self) -> tuple[int, ...]:
        """Outputs per spatial axis."""
        return self.geometry.output_size


def layer_name(layer: Any) -> str:
    """Read the name of a layer type; underscores stand for hyphens.

    Raises
    ------
    ConvError
        If it is not among `LAYERS`.

    Examples
    --------
    >>> layer_name("conv_transpose")
    'conv-transpose'
    """
    return choice("layer", layer.replace("_", "-") if isinstance(layer, str) else layer, LAYERS)


def keras_layout(layer: str, rank: int, data_format: Any = "channels_last") -> DimensionNumbers:
    """Return the layout of Keras 2 and 3, whose weights are the same in both data formats.

    Source: semantics of ``keras.layers``, file ``layers/convolutional/base_conv.py`` and its siblings.

    Raises
    ------
    ConvError
        If `data_format` is not one of `DATA_FORMATS`.

    Examples
    --------
    >>> keras_layout("conv-transpose", 2, "channels_first")
    DimensionNumbers(input='NCHW', weights='HWOI', output='NCHW')
    """
    letters = SPATIAL_LETTERS[rank]
    data = "NC" + letters if choice("data_format", data_format, DATA_FORMATS) == "channels_first" else f"N{letters}C"
    ends = {"conv": "IO", "conv-transpose": "OI", "depthwise": "IM", "separable": "IM"}
    return DimensionNumbers(data, letters + ends[layer] if layer in ends else "", data)


def canonical_spec(spec: str, transposed: bool = False) -> str:
    """Return the canonical order of the axes named in `spec`.

    Raises
    ------
    ConvError
        If the letters are neither those of data nor those of weights.

    Examples
    --------
    >>> canonical_spec("NCHW"), canonical_spec("OIHW"), canonical_spec("IOHW", transposed=True)
    ('NHWC', 'HWIO', 'HWOI')
    """
    if len(set(spec)) == len(spec):
        for letters, first, last in _CANONICAL_ENDS:
            if set(letters) <= set(spec):
                spatial = "".join(letter for letter in spec if letter not in letters)
                return first + spatial + (_TRANSPOSED_END if transposed and last == "IO" else last)
    raise ConvError("spec", spec, "these are not the axes of data or of weights", "use letters as in 'NHWC' or 'HWIO'")


def permutation(source: str, target: str) -> tuple[int, ...]:
    """Return the axes of `source` in the order of `target`, as ``transpose`` takes them.

    Raises
    ------
    ConvError
        If the two do not name the same axes.

    Examples
    --------
    >>> permutation("NCHW", "NHWC")
    (0, 2, 3, 1)
    """
    if sorted(source) != sorted(target) or len(set(source)) != len(source):
        raise ConvError("spec", source, f"does not name the axes of {target!r}", "name each axis once")
    return tuple(source.index(letter) for letter in target)


def to_canonical(array: Any, spec: str, transposed: bool = False) -> Any:
    """Return a view of `array`, whose axes are `spec`, in the canonical order.

    Parameters
    ----------
    array : ndarray
        Data or weights.
    spec : str
        A letter per axis of `array`.
    transposed : bool
        Whether these are a transposed layer's weights.

    Raises
    ------
    ConvError
        If the letters do not fit the array.

    Examples
    --------
    >>> import numpy as np
    >>> to_canonical(np.zeros((1, 3, 5, 7)), "NCHW").shape
    (1, 5, 7, 3)
    """
    _check_rank(array, spec)
    return array.transpose(permutation(spec, canonical_spec(spec, transposed)))


def from_canonical(array: Any, spec: str, transposed: bool = False) -> Any:
    """Return a view of the canonical `array` with its axes in the order of `spec`.

    Raises
    ------
    ConvError
        If the letters do not fit the array.

    Examples
    --------
    >>> import numpy as np
    >>> from_canonical(np.zeros((1, 5, 7, 3)), "NCHW").shape
    (1, 3, 5, 7)
    """
    _check_rank(array, spec)
    return array.transpose(permutation(canonical_spec(spec, transposed), spec))


def _check_rank(array: Any, spec: str) -> None:
    if array.ndim != len(spec):
        raise ConvError("spec", spec, f"names {len(spec)} axes, the array has {array.ndim}", "name every axis")
