"""Closed output-size formulas by name: the relationships of arXiv:1603.07285, and every framework's own.

A formula knows nothing of an index; that it agrees with the index rule is tested by enumeration.
Variables: i input size, o output size, k kernel size, ke dilated kernel size, s stride, d dilation, p padding
on both sides, lo and hi padding (of a transposed layer: crop) before and after, op output padding. A prime
marks the sizes of a transposed layer, whose k, s and p are those of the convolution it transposes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from refconv.errors import ConvError

_PAPER = "arXiv:1603.07285"
_FUNCTIONS = {"floor", "ceil", "max", "mod"}
_VARIABLE = re.compile(r"(\d?)\b([a-z_]+)'?|(?<=\d)([a-z_]+)'?")


def _always(**_: int) -> bool:
    return True


@dataclass(frozen=True)
class Formula:
    """One closed formula of an output size.

    Attributes
    ----------
    name : str
        Its key in `FORMULAS`, such as ``"R6"`` or ``"keras.transposed.same"``.
    title : str
        What it is about, in words.
    symbolic : str
        The formula, such as ``"o = floor((i + 2p - k) / s) + 1"``.
    condition : str
        When it holds, in words.
    source : str
        Where it is stated.
    rule : callable
        The right-hand side, with the variables as keyword arguments.
    holds : callable
        Whether the condition is met, with the variables as keyword arguments.

    Examples
    --------
    >>> FORMULAS["R6"].compute({"i": 5, "p": 1, "k": 3, "s": 2})
    3
    """

    name: str
    title: str
    symbolic: str
    condition: str
    source: str
    rule: Callable[..., int]
    holds: Callable[..., bool] = _always

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables on the right-hand side, each once, in reading order.

        Examples
        --------
        >>> FORMULAS["R14"].variables
        ('s', 'i', 'a', 'k', 'p')
        """
        found = (match[2] or match[3] for match in _VARIABLE.finditer(self._right_hand_side))
        return tuple(dict.fromkeys(name for name in found if name not in _FUNCTIONS))

    @property
    def _right_hand_side(self) -> str:
        return self.symbolic.partition(" = ")[2]

    def applies(self, values: Mapping[str, int]) -> bool:
        """Tell whether the formula's condition is met.

        Examples
        --------
        >>> FORMULAS["R3"].applies({"i": 5, "k": 3, "s": 1, "p": 1, "d": 1})
        True
        """
        return set(self.variables) <= set(values) and bool(self.holds(**values))

    def compute(self, values: Mapping[str, int]) -> int:
        """Return the output size.

        Raises
        ------
        ConvError
            If a variable has no value.
        """
        missing = [name for name in self.variables if name not in values]
        if missing:
            raise ConvError(
                "values", dict(values), f"{self.name} needs {', '.join(missing)} too", f"it reads {self.symbolic}"
            )
        return self.rule(**values)

    def substitute(self, values: Mapping[str, int]) -> str:
        """Write the formula with numbers in place of its variables.

        Examples
        --------
        >>> FORMULAS["R6"].substitute({"i": 5, "p": 1, "k": 3, "s": 2})
        'o = floor((5 + 2*1 - 3) / 2) + 1'
        >>> FORMULAS["R12"].substitute({"i": 10, "k": 3, "s": 2})
        "o' = 2(10 - 1) + 3"
        """

        def number(match: re.Match[str]) -> str:
            name = match[2] or match[3]
            if name in _FUNCTIONS:
                return match[0]
            text = str(values[name]) if values[name] >= 0 else f"({values[name]})"
            return f"{'' if match[2] else '*'}{text}"

        result, _, right = self.symbolic.partition(" = ")
        return f"{result} = {_VARIABLE.sub(number, right)}"


_RELATIONSHIPS = (
    Formula(
        "R1",
        "no padding, unit strides",
        "o = (i - k) + 1",
        "s = 1, p = 0, d = 1",
        f"{_PAPER}, relationship 1",
        lambda i, k, **_: i - k + 1,
        lambda s, p, d, **_: s == 1 and p == 0 and d == 1,
    ),
    Formula(
        "R2",
        "padding, unit strides",
        "o = (i - k) + 2p + 1",
        "s = 1, d = 1",
        f"{_PAPER}, relationship 2",
        lambda i, k, p, **_: i - k + 2 * p + 1,
        lambda s, p, d, **_: s == 1 and p >= 0 and d == 1,
    ),
    Formula(
        "R3",
        "half (same) padding",
        "o = i",
        "s = 1, k odd, p = (k - 1)/2, d = 1",
        f"{_PAPER}, relationship 3",
        lambda i, **_: i,
        lambda s, k, p, d, **_: s == 1 and k == 2 * p + 1 and d == 1,
    ),
    Formula(
        "R4",
        "full padding",
        "o = i + (k - 1)",
        "s = 1, p = k - 1, d = 1",
        f"{_PAPER}, relationship 4",
        lambda i, k, **_: i + k - 1,
        lambda s, k, p, d, **_: s == 1 and p == k - 1 and d == 1,
    ),
    Formula(
        "R5",
        "no padding, strides",
        "o = floor((i - k) / s) + 1",
        "p = 0, d = 1",
        f"{_PAPER}, relationship 5",
        lambda i, k, s, **_: (i - k) // s + 1,
        lambda p, d, **_: p == 0 and d == 1,
    ),
    Formula(
        "R6",
        "padding and strides",
        "o = floor((i + 2p - k) / s) + 1",
        "d = 1",
        f"{_PAPER}, relationship 6",
        lambda i, k, s, p, **_: (i + 2 * p - k) // s + 1,
        lambda p, d, **_: p >= 0 and d == 1,
    ),
    Formula(
        "R7",
        "pooling",
        "o = floor((i - k) / s) + 1",
        "a pooling window, p = 0, d = 1",
        f"{_PAPER}, relationship 7",
        lambda i, k, s, **_: (i - k) // s + 1,
        lambda p, d, **_: p == 0 and d == 1,
    ),
    Formula(
        "R8",
        "transpose of no padding, unit strides",
        "o' = i' + (k - 1)",
        "s = 1, p = 0, d = 1",
        f"{_PAPER}, relationship 8",
        lambda i, k, **_: i + k - 1,
        lambda s, p, a, d, **_: s == 1 and p == 0 and a == 0 and d == 1,
    ),
    Formula(
        "R9",
        "transpose of padding, unit strides",
        "o' = i' + (k - 1) - 2p",
        "s = 1, 0 <= p <= k - 1, d = 1",
        f"{_PAPER}, relationship 9",
        lambda i, k, p, **_: i + k - 1 - 2 * p,
        lambda s, k, p, a, d, **_: s == 1 and 0 <= p < k and a == 0 and d == 1,
    ),
    Formula(
        "R10",
        "transpose of half (same) padding",
        "o' = i'",
        "s = 1, k odd, p = (k - 1)/2, d = 1",
        f"{_PAPER}, relationship 10",
        lambda i, **_: i,
        lambda s, k, p, a, d, **_: s == 1 and k == 2 * p + 1 and a == 0 and d == 1,
    ),
    Formula(
        "R11",
        "transpose of full padding",
        "o' = i' - (k - 1)",
        "s = 1, p = k - 1, d = 1",
        f"{_PAPER}, relationship 11",
        lambda i, k, **_: i - (k - 1),
        lambda s, k, p, a, d, **_: s == 1 and p == k - 1 and a == 0 and d == 1,
    ),
    Formula(
        "R12",
        "transpose of no padding, strides",
        "o' = s(i' - 1) + k",
        "p = 0, s divides i - k, d = 1",
        f"{_PAPER}, relationship 12",
        lambda i, k, s, **_: s * (i - 1) + k,
        lambda p, a, d, **_: p == 0 and a == 0 and d == 1,
    ),
    Formula(
        "R13",
        "transpose of padding and strides",
        "o' = s(i' - 1) + k - 2p",
        "0 <= p <= k - 1, s divides i + 2p - k, d = 1",
        f"{_PAPER}, relationship 13",
        lambda i, k, s, p, **_: s * (i - 1) + k - 2 * p,
        lambda k, p, a, d, **_: 0 <= p < k and a == 0 and d == 1,
    ),
    Formula(
        "R14",
        "transpose of padding and strides, odd sizes",
        "o' = s(i' - 1) + a + k - 2p",
        "0 <= p <= k - 1, a = (i + 2p - k) mod s, d = 1",
        f"{_PAPER}, relationship 14",
        lambda i, k, s, p, a, **_: s * (i - 1) + a + k - 2 * p,
        lambda k, s, p, a, d, **_: 0 <= p < k and 0 <= a < s and d == 1,
    ),
    Formula(
        "R15",
        "dilation, padding and strides",
        "o = floor((i + 2p - k - (k - 1)(d - 1)) / s) + 1",
        "any k, s, d and p",
        f"{_PAPER}, relationship 15",
        lambda i, k, s, d, p, **_: (i + 2 * p - k - (k - 1) * (d - 1)) // s + 1,
        lambda p, **_: p >= 0,
    ),
)

_KERAS_SOURCE = "Keras 3.15, backend/common/backend_utils.py, compute_conv_transpose_output_shape"

_CLOSED_FORMS = (
    Formula(
        "conv",
        "convolution",
        "o = floor((i + lo + hi - ke) / s) + 1",
        "ke <= i + lo + hi",
        f"{_PAPER}, relationship 15, with unequal padding",
        lambda i, lo, hi, ke, s, **_: (i + lo + hi - ke) // s + 1,
    ),
    Formula(
        "conv.same",
        "'same' padding",
        "o = ceil(i / s)",
        "max((o - 1)s + ke - i, 0) zeros are shared between both ends",
        "TensorFlow, tf.nn.convolution, padding 'SAME'",
        lambda i, s, **_: -(-i // s),
    ),
    Formula(
        "conv.causal",
        "causal padding",
        "o = floor((i - 1) / s) + 1",
        "lo = ke - 1, hi = 0, so the kernel cancels out",
        "Keras 3.15, layers/convolutional/base_conv.py",
        lambda i, s, **_: (i - 1) // s + 1,
    ),
    Formula(
        "conv.full",
        "full padding",
        "o = floor((i + ke - 2) / s) + 1",
        "lo = hi = ke - 1",
        f"{_PAPER}, relationship 4, with strides and dilation",
        lambda i, ke, s, **_: (i + ke - 2) // s + 1,
    ),
    Formula(
        "transposed",
        "transposed convolution",
        "o' = s(i' - 1) + ke - lo - hi",
        "lo and hi cells are cropped off the full output; negative ones are appended",
        f"{_PAPER}, relationship 14, with unequal crops and dilation",
        lambda i, s, ke, lo, hi, **_: s * (i - 1) + ke - lo - hi,
    ),
    Formula(
        "keras.transposed.valid",
        "Keras' transposed convolution, 'valid'",
        "o' = s(i' - 1) + max(ke, s)",
        "output_padding is not given",
        _KERAS_SOURCE,
        lambda i, s, ke, **_: s * (i - 1) + max(ke, s),
    ),
    Formula(
        "keras.transposed.valid.output_padding",
        "Keras' transposed convolution, 'valid' with output_padding",
        "o' = s(i' - 1) + ke + op",
        "output_padding is given",
        _KERAS_SOURCE,
        lambda i, s, ke, op, **_: s * (i - 1) + ke + op,
    ),
    Formula(
        "keras.transposed.same",
        "Keras' transposed convolution, 'same'",
        "o' = i' * s",
        "output_padding is not given",
        _KERAS_SOURCE,
        lambda i, s, **_: i * s,
    ),
    Formula(
        "keras.transposed.same.output_padding",
        "Keras' transposed convolution, 'same' with output_padding",
        "o' = s(i' - 1) + ke mod 2 + op",
        "output_padding is given",
        _KERAS_SOURCE,
        lambda i, s, ke, op, **_: s * (i - 1) + ke % 2 + op,
    ),
    Formula(
        "torch.conv",
        "PyTorch's convolution",
        "o = floor((i + 2p - d(k - 1) - 1) / s) + 1",
        "the dilated kernel fits",
        "PyTorch 2.13, torch.nn.Conv2d",
        lambda i, p, d, k, s, **_: (i + 2 * p - d * (k - 1) - 1) // s + 1,
    ),
    Formula(
        "torch.transposed",
        "PyTorch's transposed convolution",
        "o' = s(i' - 1) - 2p + d(k - 1) + op + 1",
        "op < max(s, d)",
        "PyTorch 2.13, torch.nn.ConvTranspose2d",
        lambda i, s, p, d, k, op, **_: s * (i - 1) - 2 * p + d * (k - 1) + op + 1,
        lambda s, d, op, **_: 0 <= op < max(s, d),
    ),
    Formula(
        "onnx.conv",
        "ONNX's Conv",
        "o = floor((i + lo + hi - ke) / s) + 1",
        "ke <= i + lo + hi",
        "ONNX 1.23, operator Conv",
        lambda i, lo, hi, ke, s, **_: (i + lo + hi - ke) // s + 1,
    ),
    Formula(
        "onnx.transposed",
        "ONNX's ConvTranspose",
        "o' = s(i' - 1) + op + ke - lo - hi",
        "output_shape is not given",
        "ONNX 1.23, operator ConvTranspose",
        lambda i, s, op, ke, lo, hi, **_: s * (i - 1) + op + ke - lo - hi,
    ),
    Formula(
        "onnx.transposed.output_shape",
        "ONNX's ConvTranspose with output_shape",
        "o' = s(i' - 1) + op + ke - total",
        "total = s(i' - 1) + op + ke - output_shape cells are cropped; pads are ignored",
        "ONNX 1.23, operator ConvTranspose",
        lambda i, s, op, ke, total, **_: s * (i - 1) + op + ke - total,
    ),
    Formula(
        "jax.conv",
        "convolution over a zero-inserted input",
        "o = floor((a(i - 1) + 1 + lo + hi - ke) / s) + 1",
        "a - 1 zeros stand between neighbouring inputs",
        "JAX 0.10, jax.lax.conv_general_dilated",
        lambda i, a, lo, hi, ke, s, **_: (a * (i - 1) + 1 + lo + hi - ke) // s + 1,
    ),
    Formula(
        "jax.transposed",
        "JAX's transposed convolution",
        "o' = s(i' - 1) + 1 + lo + hi - ke + 1",
        "lo and hi pad the zero-inserted input",
        "JAX 0.10, jax.lax.conv_transpose",
        lambda i, s, lo, hi, ke, **_: s * (i - 1) + 1 + lo + hi - ke + 1,
    ),
    Formula(
        "matlab.conv",
        "MATLAB's convolution layer",
        "o = floor((i + lo + hi - ke) / s) + 1",
        "ke <= i + lo + hi",
        "MATLAB, convolution2dLayer",
        lambda i, lo, hi, ke, s, **_: (i + lo + hi - ke) // s + 1,
    ),
    Formula(
        "matlab.transposed",
        "MATLAB's transposed convolution layer",
        "o' = s(i' - 1) + k - lo - hi",
        "Cropping takes lo and hi cells off the output",
        "MATLAB, transposedConv2dLayer",
        lambda i, s, k, lo, hi, **_: s * (i - 1) + k - lo - hi,
    ),
    Formula(
        "matlab.transposed.same",
        "MATLAB's transposed convolution layer, Cropping 'same'",
        "o' = i' * s",
        "k - s cells are cropped; where k < s, zeros are appended",
        "MATLAB, transposedConv2dLayer",
        lambda i, s, **_: i * s,
    ),
    Formula(
        "keras1.transposed",
        "Keras 1's Deconvolution",
        "o' = s(i' - 1) + a + k - crop",
        "0 <= a < s, chosen by output_shape; crop is the documentation's 2p",
        "Keras 1.2, layers/convolutional.py, Deconvolution2D",
        lambda i, s, a, k, crop, **_: s * (i - 1) + a + k - crop,
    ),
    Formula(
        "upsampling",
        "upsampling",
        "o = i * size",
        "size is a whole factor",
        "Keras 3.15, layers/reshaping/up_sampling2d.py",
        lambda i, size, **_: i * size,
    ),
    Formula(
        "zero_padding",
        "zero padding",
        "o = i + lo + hi",
        "lo and hi zeros are added",
        "Keras 3.15, layers/reshaping/zero_padding2d.py",
        lambda i, lo, hi, **_: i + lo + hi,
    ),
    Formula(
        "cropping",
        "cropping",
        "o = i - lo - hi",
        "lo and hi cells are cut off",
        "Keras 3.15, layers/reshaping/cropping2d.py",
        lambda i, lo, hi, **_: i - lo - hi,
    ),
)

FORMULAS: dict[str, Formula] = {formula.name: formula for formula in _RELATIONSHIPS + _CLOSED_FORMS}
