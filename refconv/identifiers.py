"""How a name, a configuration dictionary or a class is read as an object: one way for every kind of object.

Keras wrote its configurations in three forms, and all are read: ``{"name": "L1L2Regularizer", "l1":
0.1}`` (Keras 1), ``{"class_name": "L1L2", "config": {"l1": 0.1}}`` (Keras 2) and the latter with
``"module"`` and ``"registered_name"`` (Keras 3), which is the form written here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from refconv.errors import ConvError, unknown_choice


class Named(NamedTuple):
    """What a name or a configuration dictionary states.

    Attributes
    ----------
    name : str
        The name as it was written.
    config : dict
        Arguments by name.
    """

    name: str
    config: dict[str, Any]


def read_identifier(argument: str, identifier: Any) -> Named | None:
    """Read a name or a configuration dictionary; anything else is None.

    Raises
    ------
    ConvError
        If a dictionary has none of Keras' three forms.

    Examples
    --------
    >>> read_identifier("kernel_regularizer", {"class_name": "L2", "config": {"l2": 0.1}})
    Named(name='L2', config={'l2': 0.1})
    """
    if isinstance(identifier, str):
        return Named(identifier, {})
    if not isinstance(identifier, dict):
        return None
    name, config = identifier.get("class_name"), identifier.get("config")
    if name is None and "name" in identifier:
        return Named(str(identifier["name"]), {key: value for key, value in identifier.items() if key != "name"})
    if name == "function" and isinstance(config, str):
        return Named(config, {})
    if not isinstance(name, str) or not isinstance(config, (dict, type(None))):
        rule = "not a configuration dictionary"
        raise ConvError(argument, identifier, rule, "give {'class_name': name, 'config': {argument: value}}")
    return Named(name, dict(config or {}))


def plain(name: str) -> str:
    """Return a name without capitals and underscores: ``MaxNorm``, ``max_norm`` and ``maxnorm`` are one.

    Examples
    --------
    >>> plain("MaxNorm"), plain("l1_l2")
    ('maxnorm', 'l1l2')
    """
    return name.replace("_", "").lower()


def unknown_name(argument: str, identifier: Any, names: Iterable[str], otherwise: str) -> ConvError:
    """Build the error for what is neither a known name nor `otherwise`.

    Examples
    --------
    >>> print(unknown_name("activation", "rleu", ["relu", "tanh"], "a function of an array"))
    `activation` = 'rleu': not one of 'relu', 'tanh', and not a function of an array; did you mean 'relu'?
    """
    error = unknown_choice(argument, identifier, names)
    return ConvError(argument, identifier, f"{error.rule}, and not {otherwise}", error.remedy)


def made(argument: str, name: str, factory: Callable[..., Any], config: dict[str, Any]) -> Any:
    """Call `factory` with arguments that it has.

    An argument that it does not have is passed over where it is None, as Keras writes its newer ones.

    Raises
    ------
    ConvError
        If one is unknown, or one is missing.

    Examples
    --------
    >>> made("dtype", "int", lambda x, base=10: int(x, base), {"x": "11", "base": 2, "new": None})
    3
    """
    known = {p.name: p for p in inspect.signature(factory).parameters.values() if p.kind is not p.VAR_KEYWORD}
    given = {word: value for word, value in config.items() if word in known or value is not None}
    for word in given:
        if word not in known:
            nearest = unknown_choice(argument, word, known).remedy if known else "leave it out"
            raise ConvError(argument, {name: config}, f"{name} has no argument {word!r}", nearest)
    for word, parameter in known.items():
        if parameter.default is parameter.empty and word not in given:
            remedy = f"give {{'class_name': {name!r}, 'config': {{{word!r}: ...}}}}"
            raise ConvError(argument, {name: config} if config else name, f"{name} needs {word!r}", remedy)
    return factory(**given)


def configuration(module: str, thing: Any) -> dict[str, Any]:
    """Return the configuration of an object, in Keras 3's form.

    Parameters
    ----------
    module : str
        Where Keras has the class, such as ``"keras.regularizers"``.
    thing : object
        It has ``get_config()``.
    """
    return {
        "module": module,
        "class_name": type(thing).__name__,
        "config": thing.get_config(),
        "registered_name": None,
    }


def checked_version(version: Any) -> int:
    """Read which Keras a name is one of: 1, 2 or 3.

    Raises
    ------
    ConvError
        If it is another.
    """
    if version not in (1, 2, 3) or isinstance(version, bool):
        raise ConvError("version", version, "not a version of Keras", "use 1, 2 or 3")
    return int(version)
