"""What the layers of Keras 1 share: old words in, old words and weight layouts out."""

from __future__ import annotations

import inspect
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from refconv import conventions, initializers, regularizers
from refconv.arguments import choice, whole_number
from refconv.conventions.layouts import Reading, from_canonical, to_canonical
from refconv.dialects.keras1.words import NEWER_WORDS, VERSION
from refconv.dialects.legacy import LegacyLayer
from refconv.errors import ConvError
from refconv.geometry import ConvGeometry
from refconv.layers.kernel import KernelLayer
from refconv.layers.reading import read_weight

# What Keras 1's layers take besides their own arguments, and `dtype`, which is refconv's.
COMMON = ("input_shape", "batch_input_shape", "name", "trainable", "dtype")

# Arguments that are no part of a configuration, which tells the input's shape and no weights.
_IN_ANOTHER_FORM = ("weights", "input_dim", "input_length")

_numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))


class Keras1Layer(LegacyLayer):
    """Base of the layers of Keras 1.

    Parameters
    ----------
    name : str, optional
        By default the class in small letters and a number from 1 on: ``convolution2d_1``.
    **kwargs
        See `refconv.dialects.legacy.LegacyLayer`.

    Raises
    ------
    ConvError
        If an argument is wrong.
    """

    keras_version = VERSION
    newer_words: ClassVar[dict[str, str]] = NEWER_WORDS

    def __init__(self, *, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=_automatic_name(type(self).__name__) if name is None else name, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):  # a property that does not exist yet says so itself
            return object.__getattribute__(self, name)
        if name in self.newer_words and name in self._own_words():
            return getattr(self, self.newer_words[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def dim_ordering(self) -> str:
        """``"th"``: channels first; ``"tf"``: channels last, as always in one dimension."""
        return "th" if self.data_format == "channels_first" else "tf"

    def get_config(self) -> dict[str, Any]:
        """Return the layer's arguments in Keras 1's words, without weights; `from_config` makes an equal layer."""
        newer = super().get_config()
        config: dict[str, Any] = {
            word: newer[word] for word in ("name", "trainable", "dtype", "batch_input_shape") if word in newer
        }
        for word in self._own_words():
            if word in newer:
                config[word] = newer[word]
            elif word == "dim_ordering" or word in self.__dict__:
                config[word] = getattr(self, word)
            else:
                same = self.newer_words[word]
                config[word] = newer[same] if same in newer else getattr(self, same)
        return config

    @classmethod
    def _own_words(cls) -> list[str]:
        names = inspect.signature(cls.__init__).parameters
        return [name for name in names if name not in ("self", "kwargs", *_IN_ANOTHER_FORM)]

    @classmethod
    def _argument_names(cls) -> list[str]:
        """Return the arguments of the layer in `refconv.layers` that this one is."""
        newer = next(base for base in cls.__mro__ if base.__module__.startswith("refconv.layers."))
        return [name for name in inspect.signature(newer).parameters if name != "kwargs"]

    @classmethod
    def _check_common(cls, arguments: dict[str, Any]) -> None:
        """Refuse what Keras 1's layer does not take, such as Keras 2's words."""
        for argument, value in arguments.items():
            if argument not in COMMON:
                older = {newer: older for older, newer in cls.newer_words.items()}.get(argument)
                words = ", ".join((*cls._own_words(), *COMMON))
                remedy = f"Keras 1 calls it {older}" if older in cls._own_words() else f"use {words}"
                raise ConvError(argument, value, f"{cls.__name__} has no such argument", remedy)


class Keras1Kernel(KernelLayer, Keras1Layer):
    """Base of the layers of Keras 1 that slide a kernel.

    What the arguments mean is `refconv.conventions.keras1`'s matter. Regularizers, constraints and their axes,
    and functions that make initial weights, see Keras 1's layouts; only fans are counted in Keras 3's.

    Attributes
    ----------
    W : ndarray
        The kernel in Keras 1's layout, once the layer is built: the same memory as `kernel`, which has
        Keras 3's. Of a separable layer, `depthwise_kernel` and `pointwise_kernel` are Keras 3's.
    b : ndarray, shape (nb_filter,), or None
        The bias.
    """

    @property
    def W(self) -> np.ndarray:
        """The kernel in Keras 1's layout."""
        return self._in_keras1("kernel", self.kernel)

    @property
    def b(self) -> np.ndarray | None:
        """The bias."""
        bias: np.ndarray | None = self.bias
        return bias

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in Keras 1's order and layouts."""
        return [
            self._in_keras1(name, array).copy(order="C") for name, array in self._arrays.items() if array is not None
        ]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy values into the weights: all of them, or none where one does not fit.

        Parameters
        ----------
        weights : sequence of arrays
            In Keras 1's order and layouts, as `get_weights` returns them.

        Raises
        ------
        ConvError
            If the layer is not built, or the number, a shape or a type of the arrays is wrong.
        """
        present = [(name, array) for name, array in self._arrays.items() if array is not None]
        if not self.built or len(weights) != len(present):
            super().set_weights(weights)
            return
        read = []
        for i, (value, (name, array)) in enumerate(zip(weights, present, strict=True)):
            older = read_weight(f"weights[{i}]", value, self._in_keras1(name, array), self.dtype)
            read.append(np.ascontiguousarray(self._in_keras3(name, older).reshape(array.shape)))
        super().set_weights(read)

    def _hook(self, weight: str, kind: str) -> tuple[str, Any]:
        argument, hook = super()._hook(weight, kind)
        older = self._older_word(argument)
        return older, hook if hook is None else _InKeras1(self, weight, older, hook)

    def _initial(self, name: str, shape: tuple[int, ...] | None) -> np.ndarray | None:
        argument = self.weight_initializers[name]
        if shape is None:
            return super()._initial(name, shape)
        if isinstance(getattr(self, argument), initializers.VarianceScaling):
            if self.kind != "conv-transpose" or name != "kernel":
                return super()._initial(name, shape)
            # Keras 1 keeps the channels before the filters here too, so its fans are those of a convolution.
            values = super()._initial(name, (*shape[:-2], shape[-1], shape[-2]))
            return None if values is None else np.ascontiguousarray(np.swapaxes(values, -1, -2))
        older_shape = self._in_keras1(name, np.broadcast_to(np.zeros(()), shape)).shape
        try:
            values = super()._initial(name, older_shape)
        except ConvError as error:
            word = "init" if error.argument == argument else error.argument
            raise ConvError(word, error.value, error.rule, error.remedy, error.constraint) from None
        return None if values is None else np.ascontiguousarray(self._in_keras3(name, values).reshape(shape))

    def _older_word(self, argument: str) -> str:
        return {newer: older for older, newer in self.newer_words.items()}.get(argument, argument)

    def _in_keras1(self, name: str, array: np.ndarray) -> np.ndarray:
        spec = self._layout(name)
        if spec is None:
            return array
        if "1" in spec:
            array = np.expand_dims(array, spec.index("1"))
        older: np.ndarray = from_canonical(array, spec, transposed=self.kind == "conv-transpose")
        return older

    def _in_keras3(self, name: str, array: np.ndarray) -> np.ndarray:
        spec = self._layout(name)
        newer: np.ndarray = array
        if spec is not None:
            newer = to_canonical(array, spec, transposed=self.kind == "conv-transpose")
        return newer

    def _layout(self, name: str) -> str | None:
        """Return the letters of the axes of a weight in Keras 1; None where they are Keras 3's."""
        if name == "bias":
            return None
        if name == "pointwise_kernel":
            return "OIHW" if self.dim_ordering == "th" else "HWIO"
        return self._reading(self._ample_size()).layout.weights

    def _reading(self, spatial: tuple[int, ...]) -> Reading:
        words = {"kernel_size": self.kernel_size, "border_mode": self.padding, "dim_ordering": self.dim_ordering}
        words |= self._older_words()
        try:
            return conventions.read(self.kind, spatial, "keras1", **words)
        except ConvError as error:
            remedy = error.remedy.replace("framework='keras'", "refconv.layers")
            raise ConvError(error.argument, error.value, error.rule, remedy, error.constraint) from None

    def _older_words(self) -> dict[str, Any]:
        """Return the arguments that not all classes have, in Keras 1's words."""
        return {"subsample": self.strides}

    def _axes(self, spatial: tuple[int, ...], channels: int | None) -> ConvGeometry:
        return self._reading(spatial).geometry

    def _read_padding(self, padding: Any) -> str:
        return choice("border_mode", padding, ("valid", "same", "full"))


class _InKeras1:
    """A regularizer or constraint that sees a weight in Keras 1's layout."""

    def __init__(self, layer: Keras1Kernel, weight: str, argument: str, hook: Any) -> None:
        self.layer, self.weight, self.argument, self.hook = layer, weight, argument, hook

    def __call__(self, values: np.ndarray) -> Any:
        older = self.layer._in_keras1(self.weight, values)
        result = self.hook(older)
        return self._newer(result, values) if np.shape(result) == older.shape else result

    def gradient(self, values: np.ndarray) -> np.ndarray:
        older = self.layer._in_keras1(self.weight, values)
        result = regularizers.gradient(self.hook, older, self.argument)
        return self._newer(result, values) if result.shape == older.shape else result

    def _newer(self, result: Any, values: np.ndarray) -> np.ndarray:
        return self.layer._in_keras3(self.weight, np.asarray(result)).reshape(values.shape)


def kernel_sizes(**sizes: Any) -> tuple[int, ...]:
    """Read the sizes of a kernel, each under its own word.

    Raises
    ------
    ConvError
        If one is not a whole number from 1 on.

    Examples
    --------
    >>> kernel_sizes(nb_row=3, nb_col=5)
    (3, 5)
    """
    return tuple(whole_number(word, size, 1) for word, size in sizes.items())


def _automatic_name(class_name: str) -> str:
    word = class_name.lower()
    return f"{word}_{next(_numbers[word])}"
