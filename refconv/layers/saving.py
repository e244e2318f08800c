"""Layers as plain data, and back: their class and their arguments."""

from __future__ import annotations

import importlib
from typing import Any

from refconv.errors import ConvError
from refconv.layers.base import Layer

# Where the classes of layers are looked for; no other module is imported.
_HOMES = ("refconv.layers", "refconv.dialects", "refconv.models")


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer's class and arguments; `deserialize` makes an equal layer of them, without its weights.

    Examples
    --------
    >>> from refconv.layers import ZeroPadding1D
    >>> serialize(ZeroPadding1D(2, name="edge"))["config"]["padding"]
    (2, 2)
    """
    kind = type(layer)
    data: dict[str, Any] = {"module": _home(kind), "class_name": kind.__name__, "config": layer.get_config()}
    for name in ("learn_rate_factor_of", "l2_factor_of"):
        factors = getattr(layer, name)
        if factors:
            data[name] = dict(factors)
    return data


def deserialize(data: Any, custom_objects: dict[str, Any] | None = None) -> Layer:
    """Make a layer from what `serialize` returned, of refconv or of Keras.

    Parameters
    ----------
    data : dict
        With ``class_name`` and ``config``, and ``module`` where it is no class of `refconv.layers`.
    custom_objects : dict, optional
        Classes of one's own, by name.

    Raises
    ------
    ConvError
        If it is no such dictionary, there is no such class, or an argument is wrong.

    Examples
    --------
    >>> deserialize({"class_name": "UpSampling1D", "config": {"size": 3}}).size
    3
    """
    if not isinstance(data, dict) or not isinstance(data.get("class_name"), str):
        raise ConvError("layer", data, "not the configuration of a layer", "give {'class_name': ..., 'config': ...}")
    kind = _class(data, custom_objects or {})
    config = data.get("config", {})
    if not isinstance(config, dict):
        raise ConvError("config", config, "not a dictionary", "give arguments by name")
    known = {"custom_objects": custom_objects} if hasattr(kind, "leaves") else {}
    try:
        layer: Layer = kind.from_config(config, **known)
    except TypeError as error:
        raise ConvError("config", config, f"{data['class_name']} cannot be made of it: {error}", "") from None
    for name in ("learn_rate_factor_of", "l2_factor_of"):
        getattr(layer, name).update(data.get(name, {}))
    return layer


def _home(kind: type) -> str:
    """Return the shortest module that has the class."""
    parts = kind.__module__.split(".")
    if parts[0] == "refconv":
        for end in range(2, len(parts)):
            home = ".".join(parts[:end])
            if getattr(importlib.import_module(home), kind.__name__, None) is kind:
                return home
    return kind.__module__


def _class(data: dict[str, Any], custom_objects: dict[str, Any]) -> type[Layer]:
    name, module = data["class_name"], str(data.get("module", _HOMES[0]))
    kind = custom_objects.get(name)
    if kind is None:
        home = _HOMES[0] if module.split(".")[0] == "keras" else module
        if home.startswith(_HOMES):
            try:
                kind = getattr(importlib.import_module(home), name, None)
            except ImportError:
                kind = None
    if not isinstance(kind, type) or not issubclass(kind, Layer):
        rule = f"no class of layers in {module}"
        raise ConvError("class_name", name, rule, f"give it in custom_objects={{{name!r}: ...}}")
    return kind
