"""From a sweep to its runs: axes are multiplied out, and seeds that run folders hold already are not packed anew."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from workbench.agents.protocol import protocol
from workbench.data.catalogue import has_environment, parse_task
from workbench.data.dataset import Dataset, Provenance
from workbench.data.load import environment_of, load_data
from workbench.data.ogbench_files import locate, recorded_provenance
from workbench.errors import DatasetError, MissingExtraError, WorkbenchError
from workbench.evaluate.cell import Cell, protocol_grid
from workbench.experiments import Schedule
from workbench.paths import runs_dir
from workbench.store.folder import RunFolder
from workbench.store.spec import RunSpec, make_spec
from workbench.sweeps.regenerated import made_path
from workbench.sweeps.spec import AgentPart, Evaluation, SweepSpec

ChoosePack = Callable[[RunSpec, Path | None], int]
"""How many seeds to train together, of a spec that holds all that are left, with this training file."""

Chosen = dict[str, Any]
"""What a sweep chose for a run, by name; that of the preset is empty, since its value says enough."""

NO_DATA = (DatasetError, MissingExtraError)
"""Errors that leave one task of a sweep without data; the others go on."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep: what is trained, with which file, and how it is evaluated after `scored` updates.

    `data` is the training file that the spec was made from, None where there is only one place to look for it.
    `variant` names what tells it from most of the agent's other runs on the task, besides the seeds. `problem` is what
    keeps it from being trained, such as data that is not on disk.
    """

    spec: RunSpec
    root: Path
    data: Path | None
    cells: tuple[Cell, ...]
    scored: tuple[int, ...]
    evaluation: Evaluation
    schedule: Schedule
    variant: str = ""
    problem: str = ""

    @property
    def folder(self) -> RunFolder:
        """Where the run is, or will be."""
        return RunFolder(self.root / self.spec.hash)

    @property
    def asked(self) -> tuple:
        """What is asked for: equal jobs are one, and one that asks for other episodes of the same run is not."""
        return self.spec.hash, self.cells, self.scored, self.evaluation

    @property
    def label(self) -> str:
        """A few words for people."""
        seeds = ", ".join(map(str, self.spec.seeds))
        parts = (
            self.spec.agent,
            self.variant,
            self.spec.task,
            f"seed{'s' if len(self.spec.seeds) > 1 else ''} {seeds}",
        )
        return " · ".join(part for part in parts if part)


@lru_cache(maxsize=1)
def loaded(task: str, path: Path | None) -> tuple[Dataset, Dataset]:
    """Data of a task; kept until that of another is asked for."""
    return load_data(task, path)


class _Found(NamedTuple):
    """A task's training file, what specs record of it, and why it cannot be used, if so."""

    path: Path | None
    provenance: Provenance
    problem: str = ""


def _data_of(sweep: SweepSpec, task: str) -> _Found:
    """Look for a task's data, once for all its runs; a file of OGBench is read only where no sidecar tells its hash."""
    path = sweep.data.get(task)
    try:
        if not has_environment(task):
            return _Found(path, loaded(task, path)[0].provenance)
        info, _ = parse_task(task)
        made = made_path(info.name, sweep.make[info.name]) if info.name in sweep.make else None
        path = (path or sweep.data.get(info.name) or made or locate(info.name)).absolute()
        if path == made and not path.is_file():
            return _Found(path, Provenance("missing", task), f"{info.name} is made when its turn comes")
        if not path.is_file():
            raise DatasetError(f"there is no file {path} for {task}: mend [data] in the sweep's file.")
        return _Found(path, recorded_provenance(path, info))
    except NO_DATA as error:
        return _Found(path, Provenance("missing", task), str(error))


def one_seed(spec: RunSpec, path: Path | None) -> int:
    """The choice of no packing."""
    return 1


def plan(sweep: SweepSpec, root: Path | None = None, choose_pack: ChoosePack = one_seed) -> list[Job]:
    """The runs of a sweep in the order of its stages, and in each by task, so that a task's data is loaded once.

    Seeds whose run exists under `root`, alone or together with others of the sweep, stay in that run; the others are
    packed by `sweep.pack`, or as `choose_pack` says where that is "auto". A task without data makes jobs with a
    `problem`. Raises `WorkbenchError` with the sweep's file for names and values that no agent knows.
    """
    root = (root or runs_dir()).resolve()
    known = existing_seeds(root)
    found = [
        pair
        for stage in sweep.stages or (sweep,)
        for task in stage.tasks
        for data in [_data_of(stage, task)]
        for part in stage.agents
        for pair in _jobs(stage, part, task, data, root, known, choose_pack)
    ]
    first: dict[tuple, tuple[Job, Chosen]] = {}
    for job, chosen in found:
        first.setdefault(job.asked, (job, chosen))
    return _told_apart(list(first.values()))


def _told_apart(found: Sequence[tuple[Job, Chosen]]) -> list[Job]:
    """Each job with its variant: what was chosen for it and not for more than half of the agent's runs on the task."""
    groups: dict[tuple[str, str], list[Chosen]] = {}
    for job, chosen in found:
        groups.setdefault((job.spec.agent, job.spec.task), []).append(chosen)
    named = []
    for job, chosen in found:
        group = groups[job.spec.agent, job.spec.task]
        words = [
            f"{name} {value}".strip()
            for name, value in chosen.items()
            if 2 * sum(each.get(name) == value for each in group) <= len(group)
        ]
        named.append(replace(job, variant=", ".join(words)))
    return named


def _jobs(
    sweep: SweepSpec, part: AgentPart, task: str, found: _Found, root: Path, known: dict, choose_pack: ChoosePack
) -> Iterator[tuple[Job, Chosen]]:
    try:
        specs = _specs(sweep, part, task, found.provenance)
        scored, cells = _scored(part, specs[0][0]), _cells(part, task)
    except WorkbenchError as error:
        raise WorkbenchError(f"sweep {sweep.file}, agent '{part.name}' on {task}: {error}") from error
    schedule = Schedule(sweep.log_every, sweep.save_every)
    made = {"episodes": sweep.make.get(parse_task(task)[0].name, None)} if has_environment(task) and sweep.make else {}
    for spec, chosen in specs:
        for packed in _packed(spec, sweep.pack, known, lambda spec: choose_pack(spec, found.path)):
            job = Job(packed, root, found.path, cells, scored, part.evaluation, schedule, problem=found.problem)
            yield job, chosen | made


def _specs(sweep: SweepSpec, part: AgentPart, task: str, data: Provenance) -> list[tuple[RunSpec, Chosen]]:
    """A spec with all seeds for every preset and combination of weights and settings, and what was chosen for it."""
    steps = part.steps or protocol(part.name, environment_of(task)).updates
    axes = {("preset", ""): part.presets} | {("weight", name): values for name, values in part.weights.items()}
    axes |= {("setting", name): values for name, values in part.settings.items()}
    specs = []
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        spec = make_spec(
            task,
            data,
            agent=part.name,
            preset_name=chosen["preset", ""],
            seeds=sweep.seeds,
            steps=steps,
            settings={axis[1]: value for axis, value in chosen.items() if axis[0] == "setting"},
            weights={axis[1]: value for axis, value in chosen.items() if axis[0] == "weight"},
            batch_size=part.batch_size,
            precision=part.precision,
        )
        specs.append((spec, {name: value for (_, name), value in chosen.items()} | {"updates": steps}))
    return specs


def _scored(part: AgentPart, spec: RunSpec) -> tuple[int, ...]:
    """Updates whose checkpoints are evaluated, in increasing order."""
    known = protocol(part.name, environment_of(spec.task)).scored
    scored = part.evaluation.scored or ((spec.steps,) if part.steps else known)
    if scored[-1] > spec.steps:
        raise WorkbenchError(f"scored names update {scored[-1]:,}, but the run has only {spec.steps:,}.")
    return scored


def _cells(part: AgentPart, task: str) -> tuple[Cell, ...]:
    """Budgets to evaluate, none for a task without environment; what is not given is as the protocol says."""
    if not has_environment(task) or not part.evaluation.episodes:
        return ()
    given = part.evaluation
    if given.cells:
        verifier = given.verifier or protocol(part.name, environment_of(task)).verifier
        return tuple(Cell(m_inf, n, verifier) for m_inf, n in given.cells)
    return protocol_grid(part.name, environment_of(task), given.m_inf or (), given.n or (), given.verifier)


def _packed(spec: RunSpec, pack: Any, known: dict, choose: Callable[[RunSpec], int]) -> Iterator[RunSpec]:
    """The spec cut into runs: first those that exist, then packs of what is left."""
    left = list(spec.seeds)
    for seeds in known.get(_family(spec), ()):
        if set(seeds) <= set(left):
            left = [seed for seed in left if seed not in seeds]
            yield replace(spec, seeds=seeds)
    if left:
        size = pack if pack != "auto" else choose(replace(spec, seeds=tuple(left)))
        for first in range(0, len(left), size):
            yield replace(spec, seeds=tuple(left[first : first + size]))


def _family(spec: RunSpec) -> str:
    """What runs have in common that differ in their seeds alone."""
    return replace(spec, seeds=()).hash


def existing_seeds(root: Path) -> dict[str, list[tuple[int, ...]]]:
    """Seeds of the runs on disk by family: finished ones first, then those with more seeds."""
    found: dict[str, list[tuple[bool, tuple[int, ...]]]] = {}
    for file in sorted(root.glob("*/spec.json")):
        folder = RunFolder(file.parent)
        if folder.is_readable:  # what cannot be read is no run of the sweep, and `list_runs` tells of it
            found.setdefault(_family(folder.spec), []).append((folder.done, folder.spec.seeds))
    order = {family: sorted(runs, key=lambda run: (not run[0], -len(run[1]), run[1])) for family, runs in found.items()}
    return {family: [seeds for _, seeds in runs] for family, runs in order.items()}
