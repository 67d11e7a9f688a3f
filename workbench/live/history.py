"""Metrics of one branch by update: columns that grow, written by the trainer's thread and read by any."""

import threading
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float32


class History:
    """Rows of named numbers, stored as float32 columns; a value that a row does not have is NaN.

    Steps do not fall from row to row, and are exact up to 16,777,216 updates. Rows are only ever added at the end: a
    branch that is rewound, or that learns something of an earlier update, gets another History, so a reader's cursor
    is good for as long as the object is the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns = {"step": np.full(256, np.nan, np.float32)}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics seen so far, in order of first appearance, without `step`."""
        with self._lock:
            return tuple(self._columns)[1:]

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row after `step` updates."""
        with self._lock:
            size = len(self._columns["step"])
            if self._length == size:
                grown = np.full(size, np.nan, np.float32)
                self._columns = {name: np.concatenate([column, grown]) for name, column in self._columns.items()}
            for name, value in {"step": step, **values}.items():
                if name not in self._columns:
                    self._columns[name] = np.full_like(self._columns["step"], np.nan)
                self._columns[name][self._length] = value
            self._length += 1

    def since(self, cursor: int) -> tuple[int, dict[str, Float32[np.ndarray, " row"]]]:
        """The next cursor, and copies of the rows from `cursor` on; every column has all of these rows."""
        with self._lock:
            rows = slice(cursor, self._length)
            return self._length, {name: column[rows].copy() for name, column in self._columns.items()}

    def all(self) -> dict[str, Float32[np.ndarray, " row"]]:
        """Copies of all rows."""
        return self.since(0)[1]

    def until(self, step: int) -> "History":
        """A new History of the rows up to and including `step`."""
        columns = self.all()
        kept = int(np.searchsorted(columns["step"], step, side="right"))
        return self._of({name: column[:kept] for name, column in columns.items()})

    def including(self, step: int, values: Mapping[str, float]) -> "History":
        """A new History that has `values` at an update that may be past: in its last row, else in one of its own."""
        columns = self.all()
        row = int(np.searchsorted(columns["step"], step, side="right")) - 1
        if row < 0 or columns["step"][row] != step:
            row += 1
            columns = {name: np.insert(column, row, np.nan) for name, column in columns.items()}
        for name, value in {"step": step, **values}.items():
            columns.setdefault(name, np.full_like(columns["step"], np.nan))[row] = value
        return self._of(columns)

    def without(self, found: Iterable[tuple[int, Iterable[str]]]) -> "History":
        """A new History that has no more of these values, by update and names; rows that held nothing else are gone."""
        columns = self.all()
        for step, names in found:
            for name in names:
                columns[name][columns["step"] == step] = np.nan
        held = [~np.isnan(column) for name, column in columns.items() if name != "step"]
        left = np.any(held, axis=0) if held else np.zeros(len(self), bool)
        return self._of({name: column[left] for name, column in columns.items()})

    @classmethod
    def _of(cls, columns: Mapping[str, Float32[np.ndarray, " row"]]) -> "History":
        new = cls()
        room = np.full(256, np.nan, np.float32)
        new._columns = {name: np.concatenate([column, room]) for name, column in columns.items()}
        new._length = len(columns["step"])
        return new
