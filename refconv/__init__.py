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
    "refconv.signatures": ("signature",),
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
        "bias_grad",
        "conv_grad_input",
        "conv_grad_weights",
        "conv_transpose_grad_input",
        "conv_transpose_grad_weights",
        "crop_grad_input",
        "depthwise_conv_grad_input",
        "depthwise_conv_grad_weights",
        "fold_grad_input",
        "pad_grad_input",
        "resize_grad_input",
        "separable_conv_grad_input",
        "separable_conv_grad_weights",
        "unfold_grad_input",
        "upsample_grad_input",
        "zero_pad_grad_input",
    ),
    "refconv.visual": ("animate",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = (
    "activations",
    "constraints",
    "conventions",
    "dialects",
    "formulas",
    "functional",
    "geometry",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "trace",
    "visual",
)

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
