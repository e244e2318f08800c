"""An error's message in the words of the command line: options as they are typed."""

from __future__ import annotations

import re

from refconv.errors import ConvError

# The library's names of what an option sets; a name that is not here is an option by itself.
_OPTIONS = {
    "layer": "LAYER",
    "input_size": "--input",
    "input_shape": "--input",
    "output_size": "--output",
    "kernel": "--kernel",
    "kernel_size": "--kernel",
    "kernel_shape": "--kernel",
    "stride": "--stride",
    "strides": "--stride",
    "padding": "--padding",
    "dilation": "--dilation",
    "dilation_rate": "--dilation",
    "dilations": "--dilation",
    "output_padding": "--output-padding",
    "output_shape": "--output-shape",
    "groups": "--groups",
    "group": "--groups",
    "depth_multiplier": "--depth-multiplier",
    "size": "--size",
    "interpolation": "--interpolation",
    "cropping": "--cropping",
    "framework": "--framework",
    "channels": "--channels",
    "filters": "--filters",
    "max_kernel": "--max-kernel",
    "max_stride": "--max-stride",
    "max_dilation": "--max-dilation",
    "max_padding": "--max-padding",
    "max_asymmetry": "--max-asymmetry",
    "per_axis": "--per-axis",
    "theme": "--theme",
    "view": "--view",
    "max_frames": "--max-frames",
    "path": "--output",
    "filter": "--filter",
}
_NAMED = re.compile(r"`(\w+)`")
_ASSIGNED = re.compile(r"\b(\w+)=(?:'([\w-]+)'|(-?\d+)\b)?")


def as_typed(error: ConvError) -> str:
    """Return the error's message with every argument named as its option.

    Examples
    --------
    >>> print(as_typed(ConvError("strides", 0, "must be at least 1", "use 1 or more")))
    `--stride` = 0: must be at least 1; use 1 or more.
    >>> print(as_typed(ConvError("kernel_size", 9, "too large", "use padding='same'")))
    `--kernel` = 9: too large; use --padding same.
    >>> print(as_typed(ConvError("kernel", None, "a convolution needs it", "give kernel=")))
    `--kernel` is missing: a convolution needs it; give --kernel.
    """
    text = _NAMED.sub(lambda match: f"`{_OPTIONS.get(match[1], match[1])}`", str(error))
    text = text.replace("` = None:", "` is missing:", 1)
    return _ASSIGNED.sub(_assigned, text)


def _assigned(match: re.Match[str]) -> str:
    option = _OPTIONS.get(match[1])
    if option is None:
        return match[0]
    value = match[2] or match[3] or ""
    return value if option == "LAYER" else f"{option} {value}".rstrip()
