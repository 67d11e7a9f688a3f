"""From a spec to a record: train with checkpoints, evaluate on a schedule, stop and resume at any moment."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from tqdm import tqdm

from workbench.agents.base import AbstractAgent, TrainState
from workbench.compile_cache import release_programs
from workbench.data.dataset import Dataset
from workbench.data.load import example_of
from workbench.errors import DivergedError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import Evaluation, evaluate
from workbench.paths import runs_dir
from workbench.store.checkpoint import load_checkpoint, state_hash
from workbench.store.folder import RunFolder
from workbench.store.query import RunRecord, read_run
from workbench.store.spec import RunSpec
from workbench.train import ChunkReport, init_seeds, spread, train_chunk, validate
from workbench.types import LossWeights

PIECE_SECONDS = 0.5
"""How long one call on the device should take, so that Ctrl-C and the progress bar answer soon."""


@dataclass(frozen=True)
class Schedule:
    """How often a run reports and saves; none of it changes the trained state.

    All count updates; metrics are means over the updates since the last report. `eval_every` 0 never evaluates. Raises
    `WorkbenchError` for what is no count.
    """

    log_every: int = 500
    save_every: int = 5_000
    eval_every: int = 0

    def __post_init__(self) -> None:
        """Check the counts."""
        for name, least in (("log_every", 1), ("save_every", 1), ("eval_every", 0)):
            if getattr(self, name) < least:
                raise WorkbenchError(f"{name} must be at least {least}, not {getattr(self, name)}.")


class Interrupted(KeyboardInterrupt):
    """Training stopped on request, with a checkpoint of the step it had reached."""


@contextmanager
def stop_request() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C (or SIGTERM) into an event to be looked at between calls; the second acts at once.

    Outside the main thread, where signals cannot be caught, the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, _: Any) -> None:
        event.set()
        signal.signal(number, former[signal.Signals(number)])

    for number in former:
        signal.signal(number, request)
    try:
        yield event
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def train_piece(
    spec: RunSpec, agent: AbstractAgent, data: Dataset, weights: LossWeights, state: TrainState, steps: int
) -> tuple[TrainState, ChunkReport]:
    """Some updates of a run: `train_chunk` with its batch size and schedule, compiled in its precision.

    Whatever trains a run, or repeats it, does it by this.
    """
    with spec.matmul_precision():
        return train_chunk(agent, data, weights, state, steps, spec.batch_size, spec.build_schedule())


def load_or_init(folder: RunFolder, spec: RunSpec, data: Dataset) -> tuple[TrainState, int]:
    """The newest whole checkpoint's state and step, or a fresh state and 0; damaged checkpoints are set aside."""
    agent, example = spec.build_agent(), data.example()
    like = eqx.filter_eval_shape(init_seeds, agent, example, spec.seeds)
    found = folder.load_latest(like, set_aside=True)
    if found is None:
        return init_seeds(agent, example, spec.seeds), 0
    return found


class _Clock:
    """Chooses how many updates the next call runs, from how long the last one took."""

    def __init__(self) -> None:
        self.piece, self.warm = 1, False

    def record(self, steps: int, seconds: float) -> None:
        if self.warm:
            self.piece = int(np.clip(PIECE_SECONDS / max(seconds / steps, 1e-6), 1, 2 * self.piece + 8))
        self.warm = True


def load_agent(folder: RunFolder, checkpoint: Path | None = None) -> tuple[AbstractAgent, TrainState]:
    """A run's agent and its newest state, or that of one `checkpoint`; needs no data, and writes nothing.

    The state has a leading `seed` axis. Raises `WorkbenchError` when the run has no whole checkpoint, or its task no
    environment, and `CheckpointError` for a `checkpoint` that is damaged or another run's.
    """
    spec = folder.spec
    example, agent = example_of(spec.task), spec.build_agent()
    like = eqx.filter_eval_shape(init_seeds, agent, example, spec.seeds)
    if checkpoint is not None:
        return agent, load_checkpoint(checkpoint, like, spec_hash=folder.owner)[0]
    found = folder.load_latest(like)
    if found is None:
        raise WorkbenchError(f"run {folder.path.name} has no whole checkpoint: train it first.")
    return agent, found[0]


def evaluate_run(
    folder: RunFolder, cells: Sequence[Cell], *, episodes: int, checkpoint: Path | None = None, **settings: Any
) -> Evaluation:
    """Evaluate a run's newest `checkpoint` under every cell and add the episodes to its `evals.parquet`.

    Every checkpoint plays the same starts with the same noise. The policy's matrix products are in the run's
    precision; the other settings are those of `evaluate`. Raises what `load_agent` raises.
    """
    spec = folder.spec
    release_programs()
    agent, state = load_agent(folder, checkpoint)
    with spec.matmul_precision():
        evaluation = evaluate(agent, state, spec.task, cells, seeds=spec.seeds, episodes=episodes, **settings)
    folder.add_evals(evaluation.table().assign(step=int(state.step[0])))
    return evaluation


def evaluate_missing(
    folder: RunFolder,
    cells: Sequence[Cell],
    *,
    episodes: int,
    success_timing: str = "post",
    checkpoint: Path | None = None,
    **settings: Any,
) -> None:
    """Evaluate the cells that have fewer than `episodes` episodes a seed, so judged, at the newest `checkpoint`."""
    counts = folder.episodes(success_timing)
    newest = checkpoint or next(reversed(folder.checkpoints()), None)
    step = int(newest.stem) if newest else 0
    wanted = episodes * len(folder.spec.seeds)
    missing = [cell for cell in cells if counts.get((step, cell.m_inf, cell.n, cell.verifier), 0) < wanted]
    if missing:
        settings |= {"success_timing": success_timing, "checkpoint": checkpoint}
        evaluate_run(folder, missing, episodes=episodes, **settings)


def train_run(
    spec: RunSpec,
    train_data: Dataset,
    val_data: Dataset,
    *,
    schedule: Schedule = Schedule(),
    root: Path | None = None,
    progress: bool = True,
    evaluate: Callable[[RunFolder], Any] = lambda folder: None,
) -> RunRecord:
    """Train a spec to its last step, resuming from the newest checkpoint; a finished run returns at once.

    `evaluate(folder)` is called every `schedule.eval_every` updates, after a checkpoint. Raises
    `DivergedError` when a metric stops being finite, `Interrupted` after Ctrl-C once a checkpoint is on disk, and
    `WorkbenchError` for data that is not the spec's.
    """
    spec.check_data(train_data.provenance)
    folder = RunFolder.create(root or runs_dir(), spec)
    with folder.lock(), stop_request() as stop:
        if not folder.done:
            release_programs()
            state, step = load_or_init(folder, spec, train_data)
            state, train_data, val_data = spread(state, train_data, val_data)
            folder.rewind(step)
            folder.note_environment()
            bar = tqdm(
                total=spec.steps,
                initial=step,
                unit="update",
                desc=f"train {folder.path.name}",
                disable=None if progress else True,
            )
            with bar:
                _Loop(folder, spec, schedule, train_data, val_data, evaluate, stop, bar).run(state, step)
    return read_run(folder)


class _Loop:
    """The plain Python loop around `train_chunk`: report, evaluate, save, stop."""

    def __init__(self, folder, spec, schedule, train_data, val_data, evaluate, stop, bar) -> None:
        self.folder, self.spec, self.schedule = folder, spec, schedule
        self.train_data, self.val_data = train_data, val_data
        self.evaluate, self.stop, self.bar = evaluate, stop, bar
        self.agent, self.weights, self.clock = spec.build_agent(), spec.build_weights(), _Clock()
        self.scheduled = spec.build_schedule()

    def run(self, state: TrainState, step: int) -> None:
        """Train from `step` to the end and mark the run done."""
        started = time.perf_counter()
        if step and self._evaluates_at(step) and not (self.folder.evals()["step"] == step).any():
            self.evaluate(self.folder)  # a kill came between the checkpoint and its evaluation
        every = [n for n in (self.schedule.log_every, self.schedule.save_every, self.schedule.eval_every) if n]
        while step < self.spec.steps:
            boundary = min(self.spec.steps, *(step - step % n + n for n in every))
            state, reports, step = self._advance(state, step, boundary)
            if step == boundary:
                self._report(state, reports, step, time.perf_counter() - started)
                self._save_and_evaluate(state, step)
            if self.stop.is_set():
                path = self.folder.save(state, step)
                raise Interrupted(f"stopped at update {step}; {path} holds it, and the same command resumes.")
        self.folder.finish({"step": step, "state_sha256": state_hash(state)})

    def _advance(self, state: TrainState, step: int, boundary: int) -> tuple[TrainState, list, int]:
        """Run to the boundary in pieces, or until a stop is asked for."""
        reports = []
        while step < boundary and not self.stop.is_set():
            steps = min(self.clock.piece, boundary - step)
            start = time.perf_counter()
            state, report = train_piece(self.spec, self.agent, self.train_data, self.weights, state, steps)
            report = jax.device_get(report)
            self.clock.record(steps, time.perf_counter() - start)
            self._check_finite(report)
            reports.append((steps, report))
            step += steps
            self.bar.update(steps)
        return state, reports, step

    def _check_finite(self, report: ChunkReport) -> None:
        failure = report.failure()
        if failure is None:
            return
        step, terms = failure
        kept = self.folder.checkpoints()
        advice = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
        raise DivergedError(
            f"run {self.folder.path.name} stopped being finite at update {step} in {', '.join(terms)}; {advice}: "
            "lower the learning rate or the weight of the Q loss and train again."
        )

    def _report(self, state: TrainState, reports: list, step: int, seconds: float) -> None:
        total = sum(steps for steps, _ in reports)
        weights = self.scheduled.with_weights(self.weights, state.step[0]) if self.scheduled else self.weights
        with self.spec.matmul_precision():
            held_out = jax.device_get(validate(self.agent, self.val_data, weights, state))
        rows = []
        for i, seed in enumerate(self.spec.seeds):
            row: dict[str, Any] = {"step": step, "seed": seed, "seconds": round(seconds, 3)}
            for name in reports[0][1].mean:
                row[name] = float(sum(steps * report.mean[name][i] for steps, report in reports) / total)
            rows.append(row | {name: float(value[i]) for name, value in held_out.items()})
        self.folder.append_metrics(rows)

    def _save_and_evaluate(self, state: TrainState, step: int) -> None:
        evaluates = self._evaluates_at(step)
        if evaluates or step % self.schedule.save_every == 0 or step == self.spec.steps:
            self.folder.save(state, step)
        if evaluates:
            self.evaluate(self.folder)

    def _evaluates_at(self, step: int) -> bool:
        every = self.schedule.eval_every
        return bool(every) and (step % every == 0 or step == self.spec.steps)
