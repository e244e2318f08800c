"""Settings that every test shares."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# One folder of compiled kernels per worker: two processes that compile the same kernel at once
# would otherwise test each other's files, which has a test of its own.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
_KERNELS = Path(tempfile.gettempdir()) / f"refconv-test-cache-{os.getuid()}" / _WORKER
os.environ.setdefault("NUMBA_CACHE_DIR", str(_KERNELS))
os.environ["MPLBACKEND"] = "Agg"

settings.register_profile(
    "refconv", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("refconv")


@pytest.fixture(autouse=True)
def _no_keras_configuration(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own keras.json out of the tests."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.getbasetemp() / "no-keras-home"))
