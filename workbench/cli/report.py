"""Rows for people or for programs: one call prints either an aligned table or JSON."""

import json as json_module
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def show(rows: list[dict], json: bool, title: str = "") -> None:
    """Print `rows` as an aligned plain table with a title, or as a JSON list.

    Columns are the keys of all rows in order of first appearance; numbers are aligned right. In JSON, numpy values
    become plain ones, paths become strings, and NaN or infinity becomes null.
    """
    if json:
        print(json_module.dumps([_plain(row) for row in rows], indent=2, default=str))
        return
    if title:
        print(title)
    if not rows:
        print("(nothing)")
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    right = [all(_is_number(row.get(column)) for row in rows) for column in columns]
    for line in [heads, ["-" * width for width in widths], *cells]:
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ]
        print("  ".join(padded).rstrip())


def records(table: "pd.DataFrame") -> list[dict]:
    """The rows of a table as plain values; missing ones are None."""
    return json_module.loads(table.to_json(orient="records") or "[]")


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level, keys joined by a space: `{"a": {"b": 1}}` → `{"a b": 1}`."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix} {key}".strip()
        flat |= flatten(item, name) if isinstance(item, Mapping) else {name: item}
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "-"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return str(value)
