"""The defaults of Keras' configuration file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from refconv import config, layers


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_without_a_file_the_channels_are_last(keras_home: Path) -> None:
    assert config.image_data_format() == "channels_last"
    assert config.floatx() == "float32"
    assert layers.Conv2D(2, 3).data_format == "channels_last"
    assert list(keras_home.iterdir()) == [], "the configuration is never written"


def test_the_file_is_obeyed(keras_home: Path) -> None:
    (keras_home / "keras.json").write_text(json.dumps({"image_data_format": "channels_first", "backend": "jax"}))
    layer = layers.Conv2D(2, 3)
    assert layer.data_format == "channels_first"
    assert layer(np.ones((1, 4, 5, 6))).shape == (1, 2, 3, 4)
    assert layers.Conv2D(2, 3, data_format="channels_last").data_format == "channels_last"
    for name in ("Conv1DTranspose", "SeparableConv3D"):
        assert getattr(layers, name)(2, 3).data_format == "channels_first"
    for name in ("UpSampling2D", "ZeroPadding1D", "Cropping3D"):
        assert getattr(layers, name)().data_format == "channels_first"
    assert layers.DepthwiseConv1D(3).data_format == "channels_first"
    # Keras' UpSampling1D and Cropping1D have no data format: their channels are last.
    assert layers.UpSampling1D().compute_output_shape((2, 3, 5)) == (2, 6, 5)
    assert layers.Cropping1D().compute_output_shape((2, 3, 5)) == (2, 1, 5)


def test_the_float_type_of_the_file_is_obeyed(keras_home: Path) -> None:
    (keras_home / "keras.json").write_text(json.dumps({"floatx": "float64"}))
    assert layers.Conv1D(2, 3).dtype == "float64"
    assert layers.Conv1D(2, 3, dtype="float16").dtype == "float16"


def test_the_home_folder_is_used_where_keras_home_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps({"image_data_format": "channels_first"}))
    assert config.image_data_format() == "channels_first"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b"[]",
        b'"channels_first"',
        b'{"image_data_format": "th"}',
        b'{"image_data_format": ["a"]}',
        b"\xff\xfe",
    ],
)
def test_a_broken_file_gives_a_warning_that_names_it(keras_home: Path, content: bytes) -> None:
    path = keras_home / "keras.json"
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="keras.json") as caught:
        assert config.image_data_format() == "channels_last"
    assert str(path) in str(caught[0].message)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_gives_a_warning(keras_home: Path) -> None:
    (keras_home / "keras.json").mkdir()
    with pytest.warns(UserWarning, match="cannot be read"):
        assert layers.ZeroPadding2D(dtype="float32").data_format == "channels_last"


def test_an_unknown_float_type_is_named(keras_home: Path) -> None:
    (keras_home / "keras.json").write_text(json.dumps({"floatx": "bfloat16", "image_data_format": "channels_first"}))
    with pytest.warns(UserWarning, match="'floatx': 'bfloat16'"):
        assert config.read_configuration() == config.Configuration("channels_first", "float32")
