"""Models in files: one ``.npz`` that holds arrays and JSON, and neither pickle nor code.

The file is a zip archive. ``model.json`` says what the model is; the weights of layer number n are the
arrays ``n_name/0``, ``n_name/1``, ... in the order of its `get_weights`, and what the optimizer keeps for
weight number n is ``optimizer/n/0``, ... `numpy.load` reads the arrays too.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from refconv import losses, metrics, optimizers
from refconv.arguments import whole_number
from refconv.errors import ConvError
from refconv.files import write_whole
from refconv.layers import deserialize, serialize
from refconv.layers.container import Container

if TYPE_CHECKING:
    from refconv.models.sequential import Sequential

Model = TypeVar("Model", bound="Sequential")

_FORMAT = "refconv model"
_VERSION = 1
_DESCRIPTION = "model.json"


def save(model: Sequential, path: Path) -> None:
    """Write a model to a file, whole or not at all.

    Raises
    ------
    ConvError
        If the path does not end in ``.npz`` or cannot be written to, the model is not built, or it holds a
        plain function.
    """
    if path.suffix != ".npz":
        raise ConvError("path", str(path), "a model is an .npz file", f"use {path.stem + '.npz'!r}")
    if not model.built:
        raise ConvError("model", model, "the shape of its input is not known", "call build(input_shape) first")
    description = {
        "format": _FORMAT,
        "version": _VERSION,
        "input_shape": model.input_shape,
        "model": serialize(model),
        "training": None,
    }
    arrays = _named_weights(model)
    if model.optimizer is not None and model.loss is not None:
        description["training"] = {
            "optimizer": optimizers.serialize(model.optimizer),
            "loss": losses.serialize(model.loss),
            "metrics": [metrics.serialize(metric) for metric in model.metrics],
            "iterations": model.optimizer.iterations,
            "memory": [len(kept) for kept in model.optimizer.memory],
        }
        for i, kept in enumerate(model.optimizer.memory):
            arrays |= {f"optimizer/{i}/{j}": array for j, array in enumerate(kept)}
    text = json.dumps(description, default=_plain, indent=1)
    write_whole(path, lambda draft: _write(draft, text, arrays))


def load(
    path: str | os.PathLike[str],
    custom_objects: dict[str, Any] | None = None,
    kind: type[Model] | None = None,
) -> Model:
    """Read a model that `Sequential.save` wrote.

    Parameters
    ----------
    path : path
        Where it stands.
    custom_objects : dict, optional
        Layer classes of one's own, by name.
    kind : type, optional
        The class that the model must be of.

    Raises
    ------
    ConvError
        If there is no such file, or it does not hold a whole model of that class.
    """
    place = str(path)
    try:
        with zipfile.ZipFile(place) as archive:
            description = json.loads(archive.read(_DESCRIPTION))
            arrays = {name[:-4]: _read(archive, name) for name in archive.namelist() if name.endswith(".npy")}
    except FileNotFoundError:
        raise ConvError("path", place, "there is no such file", "save a model there first") from None
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        ValueError,
        EOFError,
        RuntimeError,
        MemoryError,
    ) as error:
        # NotImplementedError, for an unknown compression, is a RuntimeError; a damaged size may be any.
        _refuse(place, f"not a model, or a damaged one ({error})")
    try:
        return _restored(description, arrays, custom_objects, kind)
    except ConvError as error:
        _refuse(place, f"it does not hold a whole model: {error}")
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        _refuse(place, f"it does not hold a whole model ({type(error).__name__}: {error})")


def _restored(description: Any, arrays: dict[str, np.ndarray], custom_objects: Any, kind: type[Model] | None) -> Model:
    if description["format"] != _FORMAT or description["version"] != _VERSION:
        rule = f"version {description['version']} of {description['format']!r} is not known here"
        raise ConvError("version", description["version"], rule, f"{_VERSION} is")
    model: Any = deserialize(description["model"], custom_objects)
    if kind is not None and not isinstance(model, kind):
        raise ConvError("class_name", type(model).__name__, f"no {kind.__name__}", "load it by its own class")
    model.build(tuple(description["input_shape"]))
    left = dict(arrays)
    for number, leaf in enumerate(model.leaves()):
        count = len(leaf.get_weights())
        if count:
            leaf.set_weights([_taken(left, f"{number}_{leaf.name}/{i}") for i in range(count)])
    training = description["training"]
    if training is not None:
        model.compile(training["optimizer"], training["loss"], training["metrics"])
        counts = training["memory"]
        memory = [[_taken(left, f"optimizer/{i}/{j}") for j in range(count)] for i, count in enumerate(counts)]
        shapes = [weight.shape for weight in model.trainable_weights]
        if memory and _shapes(memory, shapes) != shapes:
            raise ConvError("memory", counts, "the optimizer's arrays have not the shapes of the weights", "")
        model.optimizer.memory = memory
        model.optimizer.iterations = whole_number("iterations", training["iterations"], 0)
    if left:
        raise ConvError("arrays", sorted(left), "they belong to no layer", "")
    return model


def _shapes(memory: list[list[np.ndarray]], shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the shapes of what is kept for each weight; where that is nothing, they are the weight's."""
    if len(memory) != len(shapes):
        return []
    return [kept[0].shape if kept else shape for kept, shape in zip(memory, shapes, strict=True)]


def _taken(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise ConvError("arrays", name, "it is missing", "")
    return arrays.pop(name)


def _named_weights(model: Container) -> dict[str, np.ndarray]:
    return {
        f"{number}_{leaf.name}/{i}": array
        for number, leaf in enumerate(model.leaves())
        for i, array in enumerate(leaf.get_weights())
    }


def _write(draft: Path, text: str, arrays: dict[str, np.ndarray]) -> None:
    # A fixed date, so that equal models are equal files.
    with zipfile.ZipFile(draft, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_DESCRIPTION), text)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    member: IO[bytes]
    with archive.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        # Only at its end does an archive check what was read.
        member.read()
    return array


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    rule = "only names and the objects of refconv can be saved, not functions or objects of one's own"
    raise ConvError("model", value, rule, "give the layer a name such as 'relu'")


def _refuse(place: str, rule: str) -> NoReturn:
    raise ConvError("path", place, rule, "save the model again") from None
