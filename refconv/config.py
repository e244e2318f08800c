"""The defaults that Keras' configuration file sets: the data format, Keras 1's ordering, the float type.

The file is ``keras.json`` in the folder that the environment variable KERAS_HOME names, or in
``~/.keras``. It is read whenever a default is needed and never written.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

# The first of each is the default.
DATA_FORMATS = ("channels_last", "channels_first")
FLOAT_TYPES = ("float32", "float16", "float64")
DIM_ORDERINGS = ("th", "tf")


class Configuration(NamedTuple):
    """What the configuration file says, or the defaults.

    Attributes
    ----------
    image_data_format : str
        ``"channels_last"`` or ``"channels_first"``.
    floatx : str
        ``"float32"``, ``"float16"`` or ``"float64"``.
    image_dim_ordering : str
        Keras 1's ``"th"`` (channels first) or ``"tf"`` (channels last).
    """

    image_data_format: str = DATA_FORMATS[0]
    floatx: str = FLOAT_TYPES[0]
    image_dim_ordering: str = DIM_ORDERINGS[0]


def configuration_file() -> Path:
    """Return where the configuration file stands, whether or not there is one."""
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(os.path.expanduser(home)) / "keras.json"


def read_configuration() -> Configuration:
    """Read the configuration file; where it is broken, warn and name it, and use the defaults.

    Source: ``keras/src/backend/config.py`` of Keras 3.15.1, which raises for an unknown value and
    ignores a file that is not JSON.

    Examples
    --------
    >>> read_configuration()
    Configuration(image_data_format='channels_last', floatx='float32', image_dim_ordering='th')
    """
    path = configuration_file()
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Configuration()
    except (OSError, ValueError) as error:
        _warn(path, f"cannot be read ({error})")
        return Configuration()
    if not isinstance(settings, dict):
        _warn(path, "does not hold a JSON object")
        return Configuration()
    return Configuration(
        _setting(path, settings, "image_data_format", DATA_FORMATS),
        _setting(path, settings, "floatx", FLOAT_TYPES),
        _setting(path, settings, "image_dim_ordering", DIM_ORDERINGS),
    )


def image_data_format() -> str:
    """Return the data format of layers that are not told one.

    Examples
    --------
    >>> image_data_format()
    'channels_last'
    """
    return read_configuration().image_data_format


def floatx() -> str:
    """Return the float type of layers that are not told one.

    Examples
    --------
    >>> floatx()
    'float32'
    """
    return read_configuration().floatx


def image_dim_ordering() -> str:
    """Return where Keras 1's layers that are not told it have their channels; unset it is ``"th"``.

    Source: the documentation of Keras 1's layers; its last releases took ``"tf"`` where it was unset.

    Examples
    --------
    >>> image_dim_ordering()
    'th'
    """
    return read_configuration().image_dim_ordering


def _setting(path: Path, settings: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = settings.get(name, choices[0])
    if value in choices:
        return str(value)
    _warn(path, f"has {name!r}: {value!r}, which is not one of " + ", ".join(map(repr, choices)))
    return choices[0]


def _warn(path: Path, fault: str) -> None:
    warnings.warn(f"{path} {fault}; the default is used instead", UserWarning, stacklevel=3)
