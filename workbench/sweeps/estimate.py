"""What a sweep will take: runs, hours and disk, from rates that are measured here and kept in memory alone."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from workbench.data.catalogue import has_environment, parse_task
from workbench.data.load import environment_of
from workbench.store.spec import RunSpec
from workbench.sweeps import probe
from workbench.sweeps.ledger import missing_steps, reached
from workbench.sweeps.plan import NO_DATA, Job, loaded
from workbench.tasks import TASKS

Shape: TypeAlias = tuple[int, int]
"""Widths of observation and action."""

HOUR, GIGABYTE = 3600.0, 1e9


def shape_of(task: str, path: Path | None) -> Shape | None:
    """Widths of a task; known for OGBench and D4RL, read from the data of others, None where there is none."""
    if task in TASKS:
        return TASKS[task].obs, TASKS[task].act
    if has_environment(task):
        info, _ = parse_task(task)
        return info.obs, info.act
    try:
        data = loaded(task, path)[0]
    except NO_DATA:
        return None
    return data.obs, data.act


@dataclass
class Probes:
    """Rates measured so far, one for each distinct thing to measure; `say` is told before each.

    With `one_shape` an agent is measured at one shape, the first that is asked for, and its rates serve for the others.
    """

    seconds: float = 2.0
    one_shape: bool = False
    say: Callable[[str], None] = lambda text: None
    rates: dict[tuple, float] = field(default_factory=dict)
    at: dict[str, Shape] = field(default_factory=dict)

    def updates(self, spec: RunSpec, shape: Shape) -> float:
        """Updates a second of a run."""
        shape, costs = self._shape(spec, shape), kind(spec)
        what = f"updates of {spec.agent} {spec.preset} ({len(spec.seeds)} seed(s), {shape[0]} x {shape[1]})"
        return self._rate(
            ("update", *costs, shape), what, lambda: probe.updates_per_second(spec, *shape, seconds=self.seconds)
        )

    def decisions(self, job: Job, cell: Any, shape: Shape) -> float:
        """Decisions a second of an evaluation."""
        spec, episodes = job.spec, job.evaluation.episodes
        shape = self._shape(spec, shape)
        what = f"decisions of {spec.agent} {spec.preset} ({cell}, {shape[0]} x {shape[1]})"
        return self._rate(
            ("decide", *kind(spec), shape, cell, episodes),
            what,
            lambda: probe.decisions_per_second(spec, *shape, cell, episodes=episodes, seconds=self.seconds),
        )

    def steps(self, job: Job) -> float:
        """Environment steps a second."""
        environment, workers = environment_of(job.spec.task), job.evaluation.workers
        return self._rate(
            ("step", environment, workers),
            f"steps of {environment}",
            lambda: probe.steps_per_second(job.spec.task, seconds=self.seconds, workers=workers),
        )

    def pack(self, spec: RunSpec, path: Path | None) -> int:
        """The best pack for what is left of a spec's seeds; 1 where there is no data to tell the widths."""
        found = shape_of(spec.task, path) if len(spec.seeds) > 1 else None
        if found is None:
            return 1
        shape = self._shape(spec, found)
        what = f"packs of up to {len(spec.seeds)} seeds of {spec.agent} {spec.preset}"
        key = ("pack", *kind(spec), shape)
        return int(self._rate(key, what, lambda: probe.best_pack(spec, *shape, seconds=self.seconds)))

    def _shape(self, spec: RunSpec, shape: Shape) -> Shape:
        return self.at.setdefault(f"{spec.agent} {spec.preset}", shape) if self.one_shape else shape

    def _rate(self, key: tuple, what: str, measure: Callable[[], float]) -> float:
        if key not in self.rates:
            self.say(what)
            self.rates[key] = float(measure())
        return self.rates[key]


def kind(spec: RunSpec) -> tuple:
    """What the cost of an update depends on besides the shape: numbers with a fraction change no array."""
    sizes = {name: value for name, value in spec.settings.items() if not isinstance(value, float)}
    return spec.agent, spec.preset, repr(sorted(sizes.items())), spec.batch_size, len(spec.seeds), spec.precision


@dataclass(frozen=True)
class Estimate:
    """What is left of one run: hours of training and of evaluation, bytes it adds on disk, and the rates used."""

    job: Job
    done: bool
    train_hours: float
    evaluate_hours: float
    bytes: int
    updates_per_second: float | None


def estimate(job: Job, probes: Probes) -> Estimate:
    """Estimate what is left of a run, one run at a time on this machine.

    Training is updates over their measured rate. Evaluation assumes that every episode lasts to its limit, and that
    stepping and deciding take turns, so it is an upper limit. Not counted: compilation, loading data, and runs of which
    nothing can be measured, since only data that is not there would tell their widths.
    """
    trained, missing = job.folder.done, missing_steps(job)
    shape, done = shape_of(job.spec.task, job.data), trained and not missing
    if done or shape is None:
        return Estimate(job, done, 0.0, 0.0, 0, None)
    size = 0 if trained else probe.checkpoint_bytes(job.spec, *shape)
    updates = 0 if trained else job.spec.steps - reached(job.folder)
    speed = None if trained else probes.updates(job.spec, shape)
    train = updates / speed / HOUR if speed else 0.0
    return Estimate(job, False, train, _evaluation_hours(job, missing, probes, shape), size, speed)


def _evaluation_hours(job: Job, missing: Sequence[int], probes: Probes, shape: Shape) -> float:
    if not missing:
        return 0.0
    limit = job.evaluation.episode_limit or parse_task(job.spec.task)[0].limit
    steps = len(missing) * job.evaluation.episodes * len(job.spec.seeds) * limit
    return sum(steps / probes.steps(job) + steps / probes.decisions(job, cell, shape) for cell in job.cells) / HOUR


def summary(jobs: Sequence[Job], probes: Probes) -> list[dict[str, Any]]:
    """A row an agent and preset and one of all: runs, done, updates a second, hours, gigabytes of last checkpoints."""
    found = [estimate(job, probes) for job in _commonest_shape_first(jobs)]
    groups = {f"{job.spec.agent}, {job.spec.preset}": None for job in jobs}
    rows = [
        _row(name, [one for one in found if f"{one.job.spec.agent}, {one.job.spec.preset}" == name]) for name in groups
    ]
    return [*rows, _row("all", found)]


def _commonest_shape_first(jobs: Sequence[Job]) -> list[Job]:
    """So that a probe of one shape is of the shape that most runs have."""
    shapes = [shape_of(job.spec.task, job.data) for job in jobs]
    counts = Counter(shapes)
    return [job for job, _ in sorted(zip(jobs, shapes, strict=True), key=lambda each: -counts[each[1]])]


def _row(name: str, found: Sequence[Estimate]) -> dict[str, Any]:
    speeds = sorted({one.updates_per_second for one in found if one.updates_per_second})
    train, evaluate = sum(one.train_hours for one in found), sum(one.evaluate_hours for one in found)
    return {
        "agent": name,
        "runs": len(found),
        "done": sum(one.done for one in found),
        "updates_per_s": None
        if name == "all" or not speeds
        else " to ".join(f"{s:.4g}" for s in {speeds[0]: 0, speeds[-1]: 0}),
        "training_h": train,
        "evaluation_h": evaluate,
        "hours": train + evaluate,
        "gigabytes": sum(one.bytes for one in found) / GIGABYTE,
    }
