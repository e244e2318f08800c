"""What each framework's words mean: a layer's arguments become a geometry, a layout and a formula.

A convention is a pure function from a framework's own arguments to a `Reading`. What the framework
itself cannot express is a `ConvError`, never a clamp.

Examples
--------
>>> read("conv", (224, 224), "torch", kernel_size=7, stride=2, padding=3).output_size
(112, 112)
>>> read("conv-transpose", 10, "keras", kernel_size=3, strides=2).output_size
(21,)
"""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any

from refconv.arguments import choice
from refconv.conventions.axes import unknown_word
from refconv.conventions.layouts import LAYERS, DimensionNumbers, FormulaUse, Reading, layer_name
from refconv.errors import ConvError

FRAMEWORKS = ("rule", "keras1", "keras", "tf", "torch", "onnx", "jax", "matlab")

__all__ = ["FRAMEWORKS", "LAYERS", "DimensionNumbers", "FormulaUse", "Reading", "read"]


def read(layer: str, input_size: Any, framework: str = "rule", **words: Any) -> Reading:
    """Read a layer's arguments in a framework's own words.

    Parameters
    ----------
    layer : str
        One of `LAYERS`; underscores are accepted for hyphens.
    input_size : int or sequence of int
        Size of each spatial axis.
    framework : str
        One of `FRAMEWORKS`.
    **words
        The framework's own arguments, such as ``kernel_size`` and ``strides`` in Keras.

    Raises
    ------
    ConvError
        If the framework lacks the layer or a word, a word is missing, or a value breaks a rule.

    Examples
    --------
    >>> read("conv", (32, 32), "onnx", kernel_shape=3, auto_pad="SAME_LOWER").geometry.axes[0].pad_before
    1
    """
    name = layer_name(layer)
    framework = choice("framework", framework, FRAMEWORKS)
    convention = getattr(importlib.import_module(f"refconv.conventions.{framework}"), name.replace("-", "_"))
    check_words(f"{framework}'s {name} layer", convention, words)
    reading: Reading = convention(input_size, **words)
    return reading


def check_words(what: str, convention: Any, words: dict[str, Any]) -> None:
    """Check that `words` are the ones a convention takes, and that none it needs is missing.

    Raises
    ------
    ConvError
        Naming the word.
    """
    known, reads_others = _words_of(convention)
    for word, value in words.items():
        if word not in known and not reads_others:
            raise unknown_word(word, value, what, known)
    for word, required in known.items():
        if required and word not in words:
            raise ConvError(word, None, f"{what} needs it", f"give {word}=")


# A signature takes longer to read than all else that a small layer asks of its convention.
@functools.cache
def _words_of(convention: Any) -> tuple[dict[str, bool], bool]:
    """Return a convention's words, with whether each is required, and whether it reads others itself."""
    parameters = list(inspect.signature(convention).parameters.values())
    # Keras 1's kernel words depend on the rank, so there the convention itself reads the unknown ones.
    reads_others = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return {p.name: p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY}, reads_others
