"""Measuring as on a processor without AVX-512: refconv and PyTorch both keep to AVX2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

_FEATURES = ("sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "bmi", "bmi2", "fma")

AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": ",".join(f"+{feature}" for feature in _FEATURES),
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
"""What Numba, ATen, oneDNN and MKL read when they start."""


def run_with_avx2(arguments: Sequence[str]) -> int:
    """Run ``refconv`` with these arguments in a process that keeps to AVX2, and return its status."""
    command = [sys.executable, "-m", "refconv", *arguments]
    return subprocess.run(command, env=os.environ | AVX2, check=False).returncode
