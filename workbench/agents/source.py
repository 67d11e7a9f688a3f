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
    parts, waiting = {}, [own]
    while waiting:
        each = waiting.pop()
        if each.__qualname__ in parts:
            continue
        used = _used(each)
        constants = {name: value for name, value in used.items() if isinstance(value, PLAIN)}
        parts[each.__qualname__] = f"{_text(each)}\n{sorted(constants.items())}"
        waiting += [value for name, value in used.items() if name not in constants]
    return hashlib.sha256("\n".join(parts[name] for name in sorted(parts)).encode()).hexdigest()


@cache
def _text(own: Own) -> str:
    """From `class` or `def` to the end, as it was when first asked for: a file may change after it was imported."""
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


def _used(own: Own) -> dict[str, Any]:
    """What a class or function names and its module defines: classes and functions, and constants."""
    found: dict[str, Any] = {}
    for function in _functions(own):
        known = function.__globals__ | _closure(function)
        found |= {name: _unwrapped(known[name]) for name in _names(function.__code__) if name in known}
    if isinstance(own, type):
        found |= {base.__qualname__: base for base in own.__bases__}
    return {name: value for name, value in found.items() if isinstance(value, PLAIN) or _is_beside(value, own)}


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
