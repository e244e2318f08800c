"""What the layers without weights share: upsampling, zero padding, cropping."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refconv import conventions
from refconv.geometry import ConvGeometry
from refconv.layers.base import Layer, Shape
from refconv.trace import Stage


class ChannelwiseLayer(Layer):
    """Base of the layers without weights, which treat every channel alike and by itself."""

    kind: str

    def _forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        return self.call(x), x.shape

    def _backward(self, state: Any, dy: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self._input_gradient(dy, state), {}

    def _input_gradient(self, dy: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        raise NotImplementedError

    def _words(self) -> dict[str, Any]:
        """Return the arguments in the words of `refconv.conventions`."""
        raise NotImplementedError

    def _axes(self, spatial: tuple[int, ...], channels: int | None) -> ConvGeometry:
        reading = conventions.read(self.kind, spatial, "keras", **self._words())
        return replace(reading.geometry, groups=channels or 1)

    def _stages(self, input_shape: Shape, channels: int) -> tuple[Stage, ...]:
        geometry = self.geometry(input_shape)
        return (Stage(self.kind, geometry, np.ones((*geometry.kernel_size, 1, channels), self.dtype)),)
