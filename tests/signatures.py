"""Signatures as documentation prints them, read for comparison with the classes'."""

from __future__ import annotations

import ast
import inspect


def documented(call: str) -> tuple[str, list[tuple[str, object]]]:
    """Return name and (argument, default) pairs of a signature as in ``layers.Conv1D(filters, strides=1)``."""
    path, _, arguments = call.strip().partition("(")
    function = ast.parse(f"def f({arguments.rstrip().removesuffix(')')}): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert not function.args.kwonlyargs
    names = [argument.arg for argument in function.args.args]
    defaults = [ast.literal_eval(value) for value in function.args.defaults]
    required = len(names) - len(defaults)
    return path.rpartition(".")[2], list(zip(names, [inspect.Parameter.empty] * required + defaults, strict=True))


def actual(cls: type) -> list[tuple[str, object]]:
    """Return the (argument, default) pairs of a class that takes ``**kwargs`` last."""
    *parameters, kwargs = inspect.signature(cls).parameters.values()
    assert kwargs.kind is inspect.Parameter.VAR_KEYWORD
    assert all(p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for p in parameters)
    return [(p.name, p.default) for p in parameters]
