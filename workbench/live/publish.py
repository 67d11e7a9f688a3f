"""From a trainer's thread to the browser: binary deltas, few while nothing is touched, and the latest state wins."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from workbench.live.detached import answer_nobody
from workbench.live.marks import own_marks
from workbench.live.owners import is_over
from workbench.live.symbols import symbol

CALM = 3.0
"""Most messages a second while nothing is touched: a browser that draws takes time from the training beside it."""

RATE = 20.0
"""Most messages a second that tell of what was made by hand, beside those."""

IDLE = 0.5
"""Seconds after which a trainer that said nothing is looked at anyway: its status may have changed."""

KEEP = 60.0
"""Seconds of training after which the picture and the saved state are renewed."""

FULL_ROWS = 4000
"""Most rows of a branch in a full message; longer histories are thinned evenly."""


@runtime_checkable
class WatchedBranch(Protocol):
    """What a view reads of a branch; `history.since(cursor)` gives the next cursor, and columns with `step` first."""

    name: str
    history: Any
    interventions: Any
    parent: Any
    forked_at: Any


@runtime_checkable
class Watched(Protocol):
    """What a view reads of a trainer. `subscribe` calls back in the trainer's thread after each chunk."""

    branches: Any
    status: Any
    error: Any
    updates_per_second: Any
    cloud: Any
    cloud_labels: Any
    paths: Any
    reward_grid: Any
    retired: Any

    def subscribe(self, callback: Callable[..., None]) -> Callable[[], None]: ...


@dataclass(frozen=True)
class Message:
    """A JSON head, and the float32 arrays it counts on by number."""

    head: dict[str, Any]
    buffers: list[bytes] = field(default_factory=list)


@dataclass
class _Sent:
    """How much of a branch has been sent."""

    history: Any
    cursor: int = 0
    moves: int = 0
    marks: list[list[Any]] = field(default_factory=list)


class Changes:
    """What is new in a trainer since the last message; `reward` is a grid over [-1, 1]² drawn under the clouds."""

    def __init__(self, trainer: Watched, reward: np.ndarray | None = None) -> None:
        self._trainer = trainer
        self._reward = reward
        self._sent: dict[str, _Sent] = {}
        self._state: tuple[Any, ...] = ()
        self._pictures: dict[str, Any] = {}

    def message(self, *, full: bool = False, most_rows: int = FULL_ROWS) -> Message | None:
        """The next message; everything where `full`, None where there is nothing to tell."""
        trainer = self._trainer
        if full:
            self._sent, self._pictures = {}, {}
        branches, buffers = list(trainer.branches.values()), []
        parts = [part for branch in branches if (part := self._branch(branch, buffers, most_rows))]
        state = (trainer.status, trainer.error, tuple(branch.name for branch in branches))
        pictures = self._changed_pictures(buffers)
        if not (full or parts or pictures or state != self._state):
            return None
        self._state = state
        head = {
            "full": full,
            "status": trainer.status,
            "error": trainer.error,
            "speed": round(float(trainer.updates_per_second or 0.0), 1),
            "order": list(state[2]),
            "branches": parts,
        }
        return Message(head | pictures, buffers)

    def _branch(self, branch: WatchedBranch, buffers: list[bytes], most_rows: int) -> dict[str, Any] | None:
        sent, history = self._sent.get(branch.name), branch.history
        fresh = sent is None or sent.history is not history
        if sent is None or fresh:
            sent = self._sent[branch.name] = _Sent(history)
        stay, marks = _new_marks(branch, sent)
        sent.cursor, columns = history.since(sent.cursor)
        rows = len(columns["step"]) if "step" in columns else 0
        if not (fresh or rows or marks is not None):
            return None
        part: dict[str, Any] = {
            "name": branch.name,
            "parent": branch.parent,
            "forked_at": branch.forked_at,
            "fresh": fresh,
            "marks_stay": stay,
            "marks": marks or [],
        }
        if rows:
            table = thin(np.column_stack([np.asarray(c, np.float32) for c in columns.values()]), most_rows)
            part |= {"columns": list(columns), "rows": len(table), "buffer": len(buffers)}
            buffers.append(table.tobytes())
        return part

    def _changed_pictures(self, buffers: list[bytes]) -> dict[str, Any]:
        """Clouds, paths and reward, each only where it is another object than the one sent last."""
        trainer, head = self._trainer, {}
        for name, value in (("cloud", trainer.cloud), ("paths", trainer.paths), ("reward", self._reward)):
            if value is None or value is self._pictures.get(name) or not len(value):
                continue
            self._pictures[name] = value
            array = even(value)
            head[name] = {"shape": list(array.shape), "buffer": len(buffers)}
            buffers.append(array.tobytes())
        if "cloud" in head:
            head["cloud"]["labels"] = list(trainer.cloud_labels)
        return head


def _new_marks(branch: WatchedBranch, sent: _Sent) -> tuple[int, list[list[Any]] | None]:
    """How many marks stay as they were sent, and those that follow; None where nothing was moved since.

    A gesture that goes on changes its mark.
    """
    moves = len(branch.interventions)
    if moves == sent.moves:
        return len(sent.marks), None
    former, told = sent.marks, [[int(e.step), symbol(e.name), _plain(e.old), _plain(e.new)] for e in own_marks(branch)]
    stay = next((i for i, (a, b) in enumerate(zip(former, told, strict=False)) if a != b), min(len(former), len(told)))
    sent.moves, sent.marks = moves, told
    return stay, told[stay:]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int) or value is None else float(value)


def even(value: Any) -> np.ndarray:
    """One float32 array of an array or a list of arrays of different lengths, short ones padded with NaN."""
    if not isinstance(value, list | tuple):
        return np.ascontiguousarray(value, np.float32)
    arrays = [np.asarray(each, np.float32) for each in value]
    padded = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), np.nan, np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded


def thin(table: np.ndarray, most: int) -> np.ndarray:
    """About `most` rows of a table, evenly spread, and the last row.

    A column that is not finite everywhere has up to `most // 4` of its own rows besides, evenly spread as well.
    """
    if len(table) <= most:
        return table
    keep = np.zeros(len(table), bool)
    keep[:: -(-len(table) // most)] = True
    keep[-1] = True
    rare: dict[bytes, np.ndarray] = {}  # columns that are measured together thin alike, and count once
    for finite in np.isfinite(table).T:
        rows = np.flatnonzero(finite)
        if len(rows) < len(table):
            rare[rows.tobytes()] = rows
    for rows in rare.values():
        keep[rows[:: max(1, -(-len(rows) // max(1, most // 4)))]] = True
    return table[keep]


class Publisher:
    """Sends changes of a trainer from a daemon thread: a change made by hand at once, all else `CALM` times a second.

    Of those made by hand no more than `RATE` a second. The trainer's thread only sets flags. Nothing is sent before a
    front end has said `hello`, which asks for all; set `listening` to False to fall silent again. `keep` is called in
    the publisher's thread when training halts, and every `KEEP` seconds while it goes on. When the trainer was retired
    and has ended, the thread tells it and ends too.
    """

    def __init__(
        self,
        trainer: Watched,
        send: Callable[[dict[str, Any], list[bytes]], None],
        *,
        reward: np.ndarray | None = None,
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        self._trainer, self._send, self._keep = trainer, send, keep
        self._changes = Changes(trainer, reward)
        self._kept = (trainer.status, time.monotonic())
        self.listening = self._full = self._closed = False
        self._wake, self._urgent = threading.Event(), threading.Event()
        self._touched: Any = None
        self.sent = 0
        self.seconds = 0.0
        self._unsubscribe = trainer.subscribe(self._hear)
        self._thread = threading.Thread(target=self._run, name="workbench-live-view", daemon=True)
        self._thread.start()

    def hello(self) -> None:
        """A front end has appeared: send everything, from now on too. Safe in any thread, returns at once."""
        self.listening = self._full = True
        self._urgent.set()
        self._wake.set()

    def close(self) -> None:
        """Stop sending and end the thread."""
        self._closed = True
        self._unsubscribe()
        self._urgent.set()
        self._wake.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5.0)

    @property
    def cost(self) -> Mapping[str, float]:
        """Messages sent, and the mean milliseconds of processor time that collecting and sending one took."""
        return {"sent": self.sent, "ms": 1e3 * self.seconds / max(1, self.sent)}

    def _hear(self) -> None:
        """Something happened; called in the trainer's thread."""
        trainer = self._trainer
        touched = (trainer.status, [len(branch.interventions) for branch in list(trainer.branches.values())])
        if touched != self._touched:
            self._touched = touched
            self._urgent.set()
        self._wake.set()

    def _rest(self, hurried: float, start: float) -> float:
        """Wait for the next message's turn, after one at `start`; returns when the last was sent before its turn."""
        if not self._urgent.wait(max(0.0, start + 1.0 / CALM - time.perf_counter())):
            return hurried
        time.sleep(max(0.0, hurried + 1.0 / RATE - time.perf_counter()))
        self._urgent.clear()
        return time.perf_counter()

    def _run(self) -> None:
        answer_nobody()
        hurried = 0.0
        while not self._closed:
            self._wake.wait(IDLE)
            self._wake.clear()
            if self._closed:
                return
            start, over = time.perf_counter(), is_over(self._trainer)
            if self.listening:
                self._publish()
            self._keep_now_and_then()
            if over:
                return self.close()
            hurried = self._rest(hurried, start)

    def _keep_now_and_then(self) -> None:
        status, (former, at) = self._trainer.status, self._kept
        busy = status in ("compiling", "running")
        if (status != former and not busy) or (status == "running" and time.monotonic() - at >= KEEP):
            self._keep()
            at = time.monotonic()
        self._kept = (status, at)

    def _publish(self) -> None:
        start = time.thread_time()
        full = self._full
        if full:
            self._full = False  # before collecting: a hello during it asks again
        message = self._changes.message(full=full)
        if message is not None:
            self.sent += 1
            self._send(message.head | {"number": self.sent}, message.buffers)
            self.seconds += time.thread_time() - start
