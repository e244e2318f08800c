"""refconv: the reference implementation of convolution arithmetic.

Every layer is one index rule applied by explicit loops; sizes, formulas, pictures and framework
dialects are derived from that rule.

Examples
--------
>>> import refconv
>>> refconv.output_size("conv", (224, 224), kernel_size=7, strides=2, padding=3)
(112, 112)
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Names are imported on first use: `import refconv` loads neither numba, nor numpy, nor matplotlib.
_HOMES = {
    "refconv.errors": ("ConvError",),
    "refconv.geometry": ("AxisGeometry", "ConvGeometry", "receptive_field"),
    "refconv.questions": ("explain", "output_size"),
    "refconv.solver": ("solve",),
    "refconv.matrices": ("matrix",),
    "refconv.functional": (
        "conv",
        "conv_transpose",
        "depthwise_conv",
        "separable_conv",
        "upsample",
        "resize",
        "zero_pad",
        "crop",
        "pad",
        "unfold",
        "fold",
    ),
    "refconv.visual": ("animate",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = ("conventions", "formulas", "functional", "geometry", "layers", "trace", "visual")

__all__ = ["__version__", *_HOME_OF, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"refconv.{name}")
    raise AttributeError(f"module 'refconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
