"""A trainer without training, for live views: made-up curves behind the same interface. Kernels import it too."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NAMES = ("loss_fm", "loss_sc", "loss_critic", "q_mean", "q_min", "q_max", "val_fm")


class FakeHistory:
    """Rows of metrics, appended and read by different threads."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self.names: tuple[str, ...] = NAMES

    def append(self, step: int, values: dict[str, float]) -> None:
        self._rows.append((step, *(values.get(name, math.nan) for name in self.names)))

    def since(self, cursor: int) -> tuple[int, dict[str, np.ndarray]]:
        rows = self._rows[cursor:]
        table = np.array(rows, np.float32).reshape(-1, 1 + len(self.names))
        return cursor + len(rows), dict(zip(("step", *self.names), table.T, strict=True))


@dataclass(frozen=True)
class FakeIntervention:
    step: int
    name: str
    old: Any
    new: Any
    gesture: str = ""


@dataclass
class FakeBranch:
    name: str
    parent: str | None = None
    forked_at: int | None = None
    history: FakeHistory = field(default_factory=FakeHistory)
    interventions: list[FakeIntervention] = field(default_factory=list)


class FakeTrainer:
    """Appends a row every 10 "updates"; `run` does it in a thread, `advance` at once."""

    def __init__(self, branches: tuple[str, ...] = ("main",), *, period: float = 0.03) -> None:
        self.branches = {name: FakeBranch(name) for name in branches}
        self.status, self.retired = "idle", False
        self.error: str | None = None
        self.updates_per_second = 333.0
        self.cloud: np.ndarray | None = None
        self.cloud_labels: tuple[str, ...] = ()
        self.paths: list[np.ndarray] = []
        self.reward_grid: np.ndarray | None = None
        self.step = 0
        self.weight = 1.0
        self._period = period
        self._callbacks: list[Callable[..., None]] = []
        self._thread: threading.Thread | None = None

    def subscribe(self, callback: Callable[..., None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.clear()

    def advance(self, chunks: int = 1) -> None:
        """Make rows and tell the subscribers."""
        rng = np.random.default_rng(self.step)
        for _ in range(chunks):
            self.step += 10
            for i, branch in enumerate(self.branches.values()):
                if self.step > (branch.forked_at or 0):
                    branch.history.append(self.step, self._row(i, rng))
            for callback in list(self._callbacks):
                callback()

    def change(self, name: str, new: float, gesture: str = "") -> None:
        """Record a change by hand in the first branch."""
        branch = next(iter(self.branches.values()))
        branch.interventions.append(FakeIntervention(self.step, name, self.weight, new, gesture))
        self.weight = new

    def fork(self, name: str) -> None:
        """A second branch from here."""
        first = next(iter(self.branches))
        self.branches[name] = FakeBranch(name, first, self.step)

    def show_cloud(self, m: int = 1, points: int = 400) -> None:
        """Samples around a ring, and a few trajectories to it."""
        rng = np.random.default_rng(self.step)
        angle = rng.integers(0, 8, (m, points)) * math.pi / 4
        ring = 0.7 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        self.cloud = (ring + 0.06 * rng.normal(size=ring.shape)).astype(np.float32)
        self.cloud_labels = tuple(f"M_inf = {2**i}" for i in range(m))
        starts = rng.normal(size=(24, 2))
        times = np.linspace(0, 1, 9)[:, None]
        self.paths = [start + times * (end - start) for start, end in zip(starts, self.cloud[0], strict=False)]

    def run(self) -> None:
        """Advance in a thread until `halt`."""
        self.status = "running"
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def halt(self, status: str = "paused", error: str | None = None) -> None:
        """Stop the thread."""
        self.status, self.error = status, error
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while self.status == "running":
            self.advance()
            time.sleep(self._period)

    def _row(self, i: int, rng: np.random.Generator) -> dict[str, float]:
        progress, noise = self.step / 1500, 1 + 0.08 * rng.normal(size=4)
        row = {
            "loss_fm": (0.4 + 1.6 * math.exp(-progress)) * noise[0],
            "loss_sc": (0.02 * self.weight + 0.5 * math.exp(-(2 + i) * progress)) * noise[1],
            "loss_critic": (0.001 + 0.3 * math.exp(-3 * progress)) * noise[2],
            "q_mean": (0.2 + 0.1 * i) * (1 - math.exp(-progress)) * noise[3],
        }
        row |= {"q_min": row["q_mean"] - 0.1, "q_max": row["q_mean"] + 0.3}
        return row | ({"val_fm": row["loss_fm"]} if self.step % 200 == 0 else {})


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until a condition holds; returns whether it does in the end."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()
