"""Put cases to the oracle, Keras, PyTorch, JAX and ONNX, each in a process of its own that lives while it is asked.

``python -m refconv.verify.peers PEER FORWARD|GRADIENTS`` is that process: it reads cases from standard
input and writes them back with their answers. Nothing here imports what is verified.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import IO

import numpy as np

from refconv.verify.framework_answers import FRAMEWORK_ANSWERS
from refconv.verify.oracle_answers import oracle
from refconv.verify.record import Case, load, save

# The packages that a peer needs.
PACKAGES = {
    "oracle": ("numpy",),
    "torch": ("torch",),
    "jax": ("jax",),
    "onnxruntime": ("onnx", "onnxruntime"),
    "onnx-reference": ("onnx",),
    "keras-torch": ("keras", "torch"),
    "keras-jax": ("keras", "jax"),
    # Keras' NumPy backend convolves by JAX.
    "keras-numpy": ("keras", "jax"),
    "keras-tensorflow": ("keras", "tensorflow"),
}
PEERS = tuple(PACKAGES)
FORWARD_ONLY = ("onnxruntime", "onnx-reference", "keras-numpy")
LENGTH_BYTES = 8


class PeerFailedError(RuntimeError):
    """A peer's process ended, or took too long, while it was asked."""


def missing_package(peer: str) -> str:
    """Return the first package that a peer needs and that is not installed, or an empty string."""
    return next((package for package in PACKAGES[peer] if importlib.util.find_spec(package) is None), "")


def versions_of(peer: str) -> dict[str, str]:
    """Return the versions of the packages that a peer needs, by name."""
    return {package: _version(package) for package in PACKAGES[peer]}


def _version(package: str) -> str:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        # Some are distributed under another name, such as tensorflow-cpu.
        return str(importlib.import_module(package).__version__)


class Peer:
    """A process that answers cases; a context manager, whose end ends the process.

    It starts at once and loads its packages while its caller does something else. It sees no user settings.

    Parameters
    ----------
    name : str
        One of `PEERS`.
    gradients : bool
        Whether it also returns gradients, where it has them.
    """

    def __init__(self, name: str, gradients: bool = False) -> None:
        self.name = name
        self._home = tempfile.TemporaryDirectory()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed in `close`
        environment = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join(path or os.getcwd() for path in sys.path),
            KERAS_HOME=self._home.name,
            KERAS_BACKEND=name.removeprefix("keras-") if name.startswith("keras-") else "",
            JAX_ENABLE_X64="1",
            JAX_PLATFORMS="cpu",
            CUDA_VISIBLE_DEVICES="",
            XLA_FLAGS="--xla_backend_optimization_level=0",
            OMP_NUM_THREADS="1",
            PYTHONWARNINGS="ignore",
        )
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "refconv.verify.peers", name, "GRADIENTS" if gradients else "FORWARD"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            try:
                stream.close()  # type: ignore[union-attr]
            except BrokenPipeError:
                # What it did not read before it ended is of no use to anyone.
                continue
        self._home.cleanup()

    def ask(self, cases: Sequence[Case], timeout: float = 600) -> list[Case]:
        """Return the cases with the peer's answers.

        Raises
        ------
        PeerFailedError
            If the process ends, or does not answer within `timeout` seconds.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        killer = threading.Timer(timeout, self._process.kill)
        killer.start()
        try:
            send(self._process.stdin, cases)
            return receive(self._process.stdout)
        except (EOFError, BrokenPipeError) as error:
            status = self._process.wait()
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            ended = f"{self.name} did not answer within {timeout:g} s, or ended by itself (status {status})"
            raise PeerFailedError(": ".join([ended, *lines[-1:]])) from error
        finally:
            killer.cancel()


def ask(peer: str, cases: Sequence[Case], timeout: float = 600) -> list[Case]:
    """Return the cases with the peer's answers, without gradients, from a new process."""
    with Peer(peer) as process:
        return process.ask(cases, timeout)


def send(stream: IO[bytes], cases: Sequence[Case]) -> None:
    """Write cases, after the count of their bytes."""
    buffer = io.BytesIO()
    save(buffer, cases)
    stream.write(len(buffer.getvalue()).to_bytes(LENGTH_BYTES, "little") + buffer.getvalue())
    stream.flush()


def receive(stream: IO[bytes]) -> list[Case]:
    """Read what `send` wrote.

    Raises
    ------
    EOFError
        If there is nothing, or not all of it.
    """
    count = int.from_bytes(_exactly(stream, LENGTH_BYTES), "little")
    return load(io.BytesIO(_exactly(stream, count)))


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError(f"{len(data)} of {count} bytes")
    return data


ANSWERS = {
    "oracle": oracle,
    **{peer: FRAMEWORK_ANSWERS[peer.split("-")[0] if peer.startswith("keras") else peer] for peer in PEERS[1:]},
}


def answered(peer: str, case: Case, gradients: bool = False) -> Case:
    """Fill in the answer of one case, or how the peer refused it, or how it refused the gradients alone."""
    case.versions = versions_of(peer)
    question = dict(case.arrays)
    for also_gradients in (True, False) if gradients and peer not in FORWARD_ONLY else (False,):
        try:
            found = ANSWERS[peer](case, also_gradients)
        except Exception as error:
            # Which exception a peer raises is its own affair: the refusal is what is recorded.
            first_line = (str(error).strip() or "no message").splitlines()[0]
            case.refusal = f"{type(error).__name__}: {first_line}"[:160]
        else:
            case.arrays = question | {name: np.asarray(array, dtype=np.float64) for name, array in found.items()}
            break
    return case


def main(peer: str, wanted: str) -> None:
    """Answer cases until no more come."""
    replies = os.fdopen(os.dup(1), "wb")
    # What a peer prints would otherwise stand among the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for package in PACKAGES[peer]:
        importlib.import_module(package)
    while True:
        try:
            cases = receive(sys.stdin.buffer)
        except EOFError:
            return
        send(replies, [answered(peer, case, wanted == "GRADIENTS") for case in cases])


if __name__ == "__main__":
    main(*sys.argv[1:])
