"""The layers of refconv inside MATLAB's: Keras', but padding and cropping are amounts, and padding has a value."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from refconv import functional
from refconv.dialects.matlab.words import PADDING_VALUES
from refconv.errors import ConvError
from refconv.layers import Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, Conv3D, Conv3DTranspose
from refconv.layers.base import Shape
from refconv.layers.conv import Convolution
from refconv.layers.conv_transpose import ConvolutionTranspose
from refconv.layers.kernel import KernelLayer
from refconv.trace import Stage


class _Core(KernelLayer):
    """A layer inside one of MATLAB's, whose arguments are that one's."""

    framework = "rule"
    # The layer object of MATLAB's that this one computes for.
    matlab: Any

    def get_config(self) -> dict[str, Any]:
        """Return the arguments in MATLAB's words; `from_config` makes an equal layer of them."""
        return {"name": self.name, "trainable": self.trainable, "dtype": self.dtype, **self.matlab.config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer, and MATLAB's around it, from what `get_config` returned."""
        from refconv.dialects import matlab

        function = getattr(matlab, config["function"])
        core: Self = function(config["filterSize"], config["numFilters"], **config["arguments"]).core
        core.name, core.trainable, core.dtype = config["name"], config["trainable"], config["dtype"]
        return core

    def _read_padding(self, padding: Any) -> Any:
        return padding


class _Convolution(_Core, Convolution):
    """A convolution whose `padding` may be (before, after) per axis, filled with `padding_value`."""

    padding_value: float | str = 0

    def _linear(self, x: np.ndarray) -> np.ndarray:
        if self.padding_value == 0:
            return super()._linear(x)
        return functional.conv(self._padded(x), self.kernel, self.bias, **self._unpadded_words())

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        if self.padding_value == 0:
            return super()._input_gradient(dy, input_shape)
        amounts = self._amounts(input_shape)
        sizes = (n + before + after for n, (before, after) in zip(input_shape[1:-1], amounts, strict=True))
        padded_shape = (input_shape[0], *sizes, input_shape[-1])
        dx = functional.conv_grad_input(dy, self.kernel, padded_shape, **self._unpadded_words())
        return functional.pad_grad_input(dx, input_shape, padding=amounts, mode=self._mode)

    def _weight_gradients(self, x: np.ndarray, dy: np.ndarray) -> dict[str, np.ndarray]:
        if self.padding_value == 0:
            return super()._weight_gradients(x, dy)
        words = self._unpadded_words()
        return {"kernel": functional.conv_grad_weights(self._padded(x), dy, self.kernel_size, **words)}

    @property
    def _mode(self) -> str:
        return PADDING_VALUES.get(str(self.padding_value), "constant")

    def _padded(self, x: np.ndarray) -> np.ndarray:
        value = self.padding_value if self._mode == "constant" else 0
        return functional.pad(x, padding=self._amounts(x.shape), mode=self._mode, value=value)

    def _unpadded_words(self) -> dict[str, Any]:
        return self._words() | {"padding": "valid"}

    def _amounts(self, input_shape: Shape) -> tuple[tuple[int, int], ...]:
        return tuple((axis.pad_before, axis.pad_after) for axis in self.geometry(input_shape).axes)

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        if self.padding_value != 0:
            rule = "with this in the padding the output is not the convolution's matrix times the data"
            raise ConvError("PaddingValue", self.padding_value, rule, "use 0")
        return super()._stages(input_shape, channels)


class _ConvolutionTranspose(_Core, ConvolutionTranspose):
    """A transposed convolution whose `padding` is the crop, (before, after) per axis."""

    def _ample_size(self) -> tuple[int, ...]:
        # Every input adds a cell to the output at least, so that this is never all cropped.
        crops: Any = self.padding
        return tuple(max(before + after, 0) + 2 for before, after in crops)


class MatlabConvolution1D(_Convolution, Conv1D):
    """The layer inside ``convolution1dLayer``."""


class MatlabConvolution2D(_Convolution, Conv2D):
    """The layer inside ``convolution2dLayer``."""


class MatlabConvolution3D(_Convolution, Conv3D):
    """The layer inside ``convolution3dLayer``."""


class MatlabConvolutionTranspose1D(_ConvolutionTranspose, Conv1DTranspose):
    """The layer inside ``transposedConv1dLayer``."""


class MatlabConvolutionTranspose2D(_ConvolutionTranspose, Conv2DTranspose):
    """The layer inside ``transposedConv2dLayer``."""


class MatlabConvolutionTranspose3D(_ConvolutionTranspose, Conv3DTranspose):
    """The layer inside ``transposedConv3dLayer``."""


CONVOLUTIONS = {1: MatlabConvolution1D, 2: MatlabConvolution2D, 3: MatlabConvolution3D}
TRANSPOSED = {1: MatlabConvolutionTranspose1D, 2: MatlabConvolutionTranspose2D, 3: MatlabConvolutionTranspose3D}
