"""What every framework calls a layer and its arguments: `signature`, by name, mapping and reason.

Examples
--------
>>> print(signature("Cropping1D").framework("torch"))
PyTorch: torch.nn.ZeroPad1d, with negative amounts
  Strategy: needs explicit padding
  Documentation: https://docs.pytorch.org/docs/stable/generated/torch.nn.ZeroPad1d.html
  cropping -> padding, needs explicit padding: the negative amounts, (before, after) from the last axis to the first
  kwargs -> none: a module without weights
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from refconv import layers
from refconv.arguments import choice
from refconv.errors import ConvError, unknown_choice
from refconv.signatures.tables import DIRECT, EXPLICIT, FRAMEWORKS, NONE, RENAMED, STRATEGIES, TABLES, Table, Word

__all__ = ["FRAMEWORKS", "STRATEGIES", "FrameworkSignature", "Mapping", "Signature", "signature"]

# Layers by class name, with their kind and number of spatial axes.
_STEMS = {
    "conv": "Conv{n}D",
    "conv-transpose": "Conv{n}DTranspose",
    "depthwise": "DepthwiseConv{n}D",
    "separable": "SeparableConv{n}D",
    "upsampling": "UpSampling{n}D",
    "zero-padding": "ZeroPadding{n}D",
    "cropping": "Cropping{n}D",
}
LAYERS = {stem.format(n=rank): (kind, rank) for kind, stem in _STEMS.items() for rank in (1, 2, 3)}


@dataclass(frozen=True)
class Mapping:
    """What a framework calls one argument.

    Attributes
    ----------
    argument : str
        Name of refconv's argument.
    word : str or None
        The framework's name for it; None where there is none.
    strategy : str
        One of `STRATEGIES`: ``"direct"`` (the same name), ``"renamed"``, ``"needs explicit padding"``
        (amounts have to be worked out), ``"none"``.
    reason : str
        What is to be known about it; may be empty.
    """

    argument: str
    word: str | None
    strategy: str
    reason: str


@dataclass(frozen=True)
class FrameworkSignature:
    """What a framework calls a layer and its arguments.

    Attributes
    ----------
    framework : str
        Key of `FRAMEWORKS`.
    title : str
        Its name for people.
    api : str or None
        Name of the layer; None where there is none.
    strategy : str
        One of `STRATEGIES`, the furthest from ``"direct"`` that any argument takes, where a missing
        argument counts as renamed.
    reason : str
        How the layer is put together, or why there is none.
    url : str
        Where it is documented; empty where there is none.
    arguments : tuple of Mapping
        For every argument of refconv's layer; empty where there is no such layer.
    others : dict of str to str
        The framework's other arguments, and what they have to be.
    """

    framework: str
    title: str
    api: str | None
    strategy: str
    reason: str
    url: str
    arguments: tuple[Mapping, ...]
    others: dict[str, str]

    def __str__(self) -> str:
        if self.api is None:
            return f"{self.title}: none, {self.reason}"
        head = f"{self.title}: {self.api}" + (f", {self.reason}" if self.reason else "")
        lines = [head, f"  Strategy: {self.strategy}", f"  Documentation: {self.url}"]
        alike: dict[str, list[str]] = {}
        for m in self.arguments:
            alike.setdefault(_in_words(m), []).append(m.argument)
        lines += [f"  {', '.join(arguments)} -> {words}" for words, arguments in alike.items()]
        lines += [f"  besides, {word}: {value}" for word, value in self.others.items()]
        return "\n".join(lines)


def _in_words(mapping: Mapping) -> str:
    word = "the same" if mapping.strategy == DIRECT else mapping.word or "none"
    how = f", {EXPLICIT}" if mapping.strategy == EXPLICIT else ""
    return word + how + (f": {mapping.reason}" if mapping.reason else "")


@dataclass(frozen=True)
class Signature:
    """A layer's arguments, and what each framework calls them.

    Attributes
    ----------
    layer : str
        Name of refconv's class, which is Keras 3's.
    arguments : dict of str to str
        Their defaults, as they are written; empty for arguments that must be given.
    frameworks : tuple of FrameworkSignature
        One per framework.
    """

    layer: str
    arguments: dict[str, str]
    frameworks: tuple[FrameworkSignature, ...]

    @property
    def abstract(self) -> str:
        """The abstract signature: the names of the layer and its arguments."""
        return f"{self.layer}({', '.join(self.arguments)})"

    def framework(self, name: str) -> FrameworkSignature:
        """Return one framework's part.

        Raises
        ------
        ConvError
            If there is no such framework.
        """
        known = choice("framework", name, FRAMEWORKS)
        return next(part for part in self.frameworks if part.framework == known)

    def only(self, name: str) -> Signature:
        """Return the signature with one framework's part.

        Raises
        ------
        ConvError
            If there is no such framework.
        """
        return replace(self, frameworks=(self.framework(name),))

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain dictionaries and lists, for JSON."""
        return {"abstract": self.abstract, **asdict(self)}

    def __str__(self) -> str:
        given = ", ".join(f"{name}={default}" if default else name for name, default in self.arguments.items())
        return "\n\n".join([f"{self.layer}({given})", *map(str, self.frameworks)])


def signature(layer: Any) -> Signature:
    """Return what every framework calls a layer and its arguments.

    Parameters
    ----------
    layer : str, class or Layer
        A layer of `refconv.layers` or `refconv.dialects`, or its name: refconv's, or a framework's where that is one
        layer's only, such as ``"torch.nn.Conv2d"``, ``"ConvTranspose1d"`` or ``"transposedConv3dLayer"``, in any
        letter case.

    Raises
    ------
    ConvError
        If there is no such layer, or the name is that of several.

    Notes
    -----
    The tables are those of `refconv.signatures.tables`, checked against the live signatures of refconv, Keras, PyTorch,
    JAX and ONNX.

    Examples
    --------
    >>> found = signature("Conv1DTranspose")
    >>> found.framework("matlab").api
    'transposedConv1dLayer'
    >>> {m.argument: m.word for m in found.framework("torch").arguments}["strides"]
    'stride'
    """
    name = _layer_name(layer)
    kind, rank = LAYERS[name]
    parameters = inspect.signature(getattr(layers, name)).parameters.values()
    arguments = {p.name: "" if p.default is p.empty else repr(p.default) for p in parameters}
    frameworks = tuple(_part(framework, TABLES[framework][kind], rank, list(arguments)) for framework in FRAMEWORKS)
    return Signature(name, arguments, frameworks)


def _layer_name(layer: Any) -> str:
    """Return the name of refconv's class."""
    if isinstance(layer, str):
        return _named(layer)
    made_by = layer if hasattr(layer, "__name__") else type(layer)
    for ancestor in getattr(made_by, "__mro__", ()):
        if ancestor.__name__ in LAYERS:
            return str(ancestor.__name__)
    # MATLAB's layers are made by functions, whose names are those of the tables.
    function = getattr(made_by, "function", made_by.__name__)
    own = [layer_name for api, layer_name in _apis() if api == function]
    if own:
        return own[0]
    raise ConvError("layer", layer, "not a layer of refconv", f"use one of {', '.join(LAYERS)}")


def _named(text: str) -> str:
    words = text.lower()
    own = {name.lower(): name for name in LAYERS}
    aliases = {name.lower(): getattr(layers, name).__name__ for name in layers.__all__}
    own |= {alias: name for alias, name in aliases.items() if name in LAYERS}
    if words in own:
        return own[words]
    if words.replace("_", "-") in _STEMS:
        stem = _STEMS[words.replace("_", "-")]
        raise ConvError("layer", text, "three layers are of this kind", f"use {_either(stem, (1, 2, 3))}")
    found = list(dict.fromkeys(name for api, name in _apis() if words in (api.lower(), api.lower().split(".")[-1])))
    if len(found) == 1:
        return found[0]
    if found:
        raise ConvError("layer", text, f"the name of {len(found)} layers", f"use one of {', '.join(found)}")
    nearest = unknown_choice("layer", text, [*own.values(), *(api for api, _ in _apis())]).remedy
    known = f"use {', '.join(_either(stem, (1, 2, 3)) for stem in _STEMS.values())}"
    raise ConvError("layer", text, "no layer of this name", nearest if nearest.endswith("?") else known)


def _either(stem: str, ranks: tuple[int, ...]) -> str:
    return " or ".join(stem.format(n=rank) for rank in ranks)


def _apis() -> Iterator[tuple[str, str]]:
    """Yield the frameworks' names of layers, each with refconv's; one put together from parts has none of its own."""
    for tables in TABLES.values():
        for layer, (kind, rank) in LAYERS.items():
            api = _of_rank(tables[kind].name, rank)
            if api is not None and not tables[kind].note:
                yield api, layer


def _part(framework: str, table: Table, rank: int, arguments: list[str]) -> FrameworkSignature:
    title = FRAMEWORKS[framework]
    api = _of_rank(table.name, rank)
    if api is None:
        return FrameworkSignature(framework, title, None, NONE, table.missing, "", (), {})
    mappings = tuple(_mapping(argument, table, rank) for argument in arguments)
    taken = {RENAMED if m.strategy == NONE else m.strategy for m in mappings}
    furthest = max(taken, key=STRATEGIES.index)
    url = table.url.replace("{n}", str(rank))
    said = {word: text.get(rank) if isinstance(text, dict) else text for word, text in table.others.items()}
    others = {word: text for word, text in said.items() if text is not None}
    return FrameworkSignature(framework, title, api, furthest, table.note, url, mappings, others)


def _mapping(argument: str, table: Table, rank: int) -> Mapping:
    word = _word(argument, table, rank)
    if word.name is None:
        return Mapping(argument, None, NONE, word.reason)
    name = argument if word.name == "=" else word.name
    strategy = EXPLICIT if word.padding else DIRECT if name == argument else RENAMED
    return Mapping(argument, name, strategy, word.reason)


def _word(argument: str, table: Table, rank: int) -> Word:
    """Return a table's word for an argument: its own, that of its ending, or that of all."""
    for key in (argument, "*_" + argument.rsplit("_", 1)[-1], "*"):
        if key in table.words:
            entry = table.words[key]
            if isinstance(entry, dict):
                entry = entry[rank]
            return Word(entry) if isinstance(entry, str) else entry
    raise KeyError(argument)


def _of_rank(name: str | dict[int, str], rank: int) -> str | None:
    return name.replace("{n}", str(rank)) if isinstance(name, str) else name.get(rank)
