"""The report under way while a run trains: sums of its metrics since the last row, and the seconds of training so far.

Checkpoints hold it, so that a run that goes on from one writes the rows that it would have written without the stop.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from workbench.store.checkpoint import read_running
from workbench.store.folder import RunFolder
from workbench.train import ChunkReport


class Running:
    """Adds up reports of pieces of training until a row is due.

    `seconds` are those of training before this process; `updates` and `sums` (one value a seed) count since the last
    row.
    """

    def __init__(self, seconds: float = 0.0, updates: int = 0, sums: Mapping[str, Any] | None = None) -> None:
        self.updates, self._seconds, self._began = updates, seconds, time.perf_counter()
        self._sums = {name: np.asarray(value, float) for name, value in (sums or {}).items()}

    @classmethod
    def resumed(cls, folder: RunFolder, step: int) -> "Running":
        """As it was at the checkpoint of update `step`; its time is not before that of the last row of metrics."""
        found = read_running(folder.checkpoint(step)) if folder.checkpoint(step).exists() else {}
        rows = folder.metrics_rows()
        before = rows[-1].get("seconds", 0.0) if rows else 0.0
        return cls(max(before, found.get("seconds", 0.0)), found.get("updates", 0), found.get("sums"))

    @property
    def seconds(self) -> float:
        """Of training, of all processes together."""
        return self._seconds + time.perf_counter() - self._began

    def add(self, reports: Iterable[tuple[int, ChunkReport]]) -> None:
        """Enter pieces of so many updates each."""
        for steps, report in reports:
            if self._sums.keys() != report.mean.keys():  # none yet, or those of another version
                self.updates, self._sums = 0, {name: np.zeros(len(mean)) for name, mean in report.mean.items()}
            self.updates += steps
            for name, mean in report.mean.items():
                self._sums[name] += steps * np.asarray(mean, float)

    def rows(self, step: int, seeds: Iterable[int]) -> list[dict[str, Any]]:
        """A row a seed with the means since the last; the next begin anew."""
        means = {name: total / self.updates for name, total in self._sums.items()}
        self.updates, self._sums, seconds = 0, {}, round(self.seconds, 3)
        return [
            {"step": step, "seed": seed, "seconds": seconds} | {name: float(mean[i]) for name, mean in means.items()}
            for i, seed in enumerate(seeds)
        ]

    def to_json(self) -> dict[str, Any]:
        """What `resumed` reads."""
        sums = {name: total.tolist() for name, total in self._sums.items()}
        return {"seconds": self.seconds, "updates": self.updates, "sums": sums}
