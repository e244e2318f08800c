"""The rooms of the house and which way imports run."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import refconv

PACKAGE = Path(refconv.__file__).parent

# Each room and the rooms it may import from; a room may always import from itself.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "arguments": {"errors"},
    "geometry": {"arguments", "errors"},
    "interpolation": {"arguments", "errors", "geometry"},
    "formulas": {"arguments", "errors", "geometry"},
    "solver": {"arguments", "errors", "geometry", "conventions"},
    "conventions": {"arguments", "errors", "geometry"},
    "trace": {"arguments", "errors", "geometry"},
    "jit": {"errors", "geometry"},
    "loops": {"arguments", "errors", "geometry", "interpolation", "jit"},
    "tiled": {"arguments", "errors", "geometry", "interpolation", "jit"},
    "memory": {"errors"},
    "functional": {"arguments", "errors", "geometry", "memory", "interpolation", "conventions", "loops", "tiled"},
    "matrices": {"arguments", "errors", "geometry", "memory", "interpolation", "trace"},
    "questions": {"arguments", "errors", "geometry", "conventions", "formulas"},
    "config": {"errors", "arguments"},
    "identifiers": {"errors"},
    "activations": {"errors", "identifiers"},
    "initializers": {"errors", "arguments", "identifiers"},
    "regularizers": {"errors", "arguments", "identifiers"},
    "constraints": {"errors", "arguments", "identifiers"},
    "layers": {
        "arguments",
        "errors",
        "geometry",
        "memory",
        "interpolation",
        "conventions",
        "functional",
        "trace",
        "config",
        "activations",
        "initializers",
        "regularizers",
        "constraints",
    },
    "dialects": {
        "arguments",
        "errors",
        "geometry",
        "conventions",
        "functional",
        "trace",
        "config",
        "activations",
        "initializers",
        "regularizers",
        "constraints",
        "layers",
    },
    "signatures": {"arguments", "errors", "layers"},
    "files": {"errors"},
    "losses": {"errors", "identifiers", "functional", "layers"},
    "metrics": {"arguments", "errors", "identifiers", "functional", "losses"},
    "optimizers": {"arguments", "errors", "identifiers", "functional", "layers"},
    "models": {"arguments", "errors", "files", "functional", "layers", "losses", "metrics", "optimizers"},
    "verify": {"arguments", "errors", "conventions", "functional"},
    "visual": {"arguments", "errors", "files", "geometry", "interpolation", "formulas", "trace"},
}
TOP = {"cli", "demo", "bench", "__main__", "__init__"}

# Rooms that answer before numba or matplotlib would have loaded.
LIGHT = ["geometry", "formulas", "solver", "conventions", "trace", "interpolation", "questions", "visual.scene"]


def _room_and_imports(path: Path) -> tuple[str, set[str]]:
    relative = path.relative_to(PACKAGE).with_suffix("")
    room = relative.parts[0]
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative} imports relatively; name the room"
            names = [node.module or ""]
            if node.module == "refconv":
                names = [f"refconv.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        imported |= {name for name in names if name.split(".")[0] in ("refconv", "numba", "matplotlib")}
    return room, imported


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_run_one_way(path: Path) -> None:
    room, imported = _room_and_imports(path)
    if room in TOP:
        return
    assert room in ALLOWED, f"{room} is a new room: say here what it may import"
    rooms = {name.split(".")[1] for name in imported if name.startswith("refconv.") and name != "refconv.__version__"}
    assert rooms - {room, "__version__"} <= ALLOWED[room]


def test_only_one_module_compiles() -> None:
    compiling = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        if any(name.split(".")[0] == "numba" for name in _room_and_imports(path)[1])
    }
    assert {name.split("/")[0] for name in compiling} <= {"jit", "loops", "tiled"}


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("name", ["", *(f".{room}" for room in LIGHT)])
def test_light_rooms_load_neither_numba_nor_matplotlib(name: str) -> None:
    assert not _modules_after(f"import refconv{name}") & {"numba", "matplotlib", "llvmlite"}


def test_import_refconv_loads_no_numpy() -> None:
    assert "numpy" not in _modules_after("import refconv, refconv.questions")


def test_the_rule_is_written_once() -> None:
    """`o * stride + k * dilation - pad_before` stands in geometry.py and nowhere else."""
    for path in SOURCES:
        if path.name == "geometry.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                names = {n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "") for n in ast.walk(node)}
                assert not {"stride", "dilation", "pad_before"} <= names, f"{path.name}:{node.lineno}"


def test_every_public_name_resolves() -> None:
    for name in refconv.__all__:
        assert getattr(refconv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'convolve'"):
        refconv.convolve  # noqa: B018
