"""The source of a user's own class or function, and of what it uses, as one hash: a run's code is part of its name."""

import ast
import dis
import hashlib
import inspect
import linecache
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType
from typing import Any, TypeAlias

from workbench.errors import WorkbenchError

Own: TypeAlias = type | FunctionType
PLAIN = (bool, int, float, str)
"""Constants of these types count as source."""


def source_hash(own: Own) -> str:
    """SHA-256 of the source of a class or function, and of all it uses from the module (or notebook) it stands in.

    It uses its base classes, and the functions, classes, numbers and texts that its code names, and what those use.
    Decorators and other modules do not count. Raises `WorkbenchError` where Python cannot tell the source: it can for
    files and for cells of a notebook.
    """
    met, parts, links = [own], [], []
    for each in met:  # which grows, in the order of names
        constants, others = _used(each)
        parts.append(f"{_text(each)}\n{sorted(constants.items())}")
        met += [other for other in dict.fromkeys(others.values()) if other not in met]
        links.append([(name, met.index(other)) for name, other in others.items()])
    names = [each.__qualname__ for each in met]
    if len(set(names)) < len(names):  # as functions that one function made: their names do not say who uses which
        parts = [f"{part}\n{used}" for part, used in zip(parts, links, strict=True)]
    else:
        parts = [part for _, part in sorted(zip(names, parts, strict=True))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _text(own: Own) -> str:
    """From `class` or `def` to the end, as it was when first asked for: a file may change after it was imported."""
    if isinstance(own, FunctionType) and own.__name__ == "<lambda>":
        code = own.__code__
        raise WorkbenchError(
            f"the lambda of line {code.co_firstlineno} in {code.co_filename} has no name to find its source by: write "
            "it with def."
        )
    for function in _functions(own):
        code = function.__code__
        linecache.checkcache(code.co_filename)
        source = "".join(linecache.getlines(code.co_filename))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == own.__name__:
                start = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if start <= code.co_firstlineno <= (node.end_lineno or start):
                    return ast.get_source_segment(source, node) or ""
    raise WorkbenchError(
        f"the source of '{own.__name__}' cannot be read, so its runs could not be told from those of another version: "
        "write it in a file or in a cell of a notebook."
    )


def _functions(own: Own) -> Iterator[FunctionType]:
    """The function itself, or what is written in the class as a method or a property."""
    members = [own] if isinstance(own, FunctionType) else vars(own).values()
    for member in members:
        inner = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if isinstance(function := _unwrapped(inner), FunctionType) and function.__module__ == own.__module__:
            yield function


def _used(own: Own) -> tuple[dict[str, Any], dict[str, Own]]:
    """What a class or function names and its module defines: constants, and in order functions and classes."""
    found: dict[str, Any] = {}
    for function in _functions(own):
        known = function.__globals__ | _closure(function)
        found |= {name: _unwrapped(known[name]) for name in _names(function.__code__) if name in known}
    if isinstance(own, type):
        found |= {base.__qualname__: base for base in own.__bases__}
    constants = {name: value for name, value in found.items() if isinstance(value, PLAIN)}
    return constants, {name: found[name] for name in sorted(found) if _is_beside(found[name], own)}


def _is_beside(value: Any, own: Own) -> bool:
    return isinstance(value, type | FunctionType) and value.__module__ == own.__module__


def _unwrapped(value: Any) -> Any:
    """A function below its decorators, such as `jax.jit`."""
    return inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value


def _closure(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if cell != type(cell)()}


def _names(code: CodeType) -> set[str]:
    """Names that code reads from outside of itself, functions inside of it included."""
    own = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_DEREF")}
    return own.union(*(_names(each) for each in code.co_consts if isinstance(each, CodeType)))
