"""A sweep as it is written in TOML: read, checked, and said in one sentence where it is wrong."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from workbench.data.catalogue import dataset_info
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.store.spec import PRECISIONS
from workbench.sweeps.table import Table
from workbench.tasks import EPISODES, tasks_of
from workbench.verifiers import Rule

Axes: TypeAlias = dict[str, tuple[Any, ...]]
"""Values to try, by name."""

SPECS = Path(__file__).parent / "specs"
"""Sweeps that come with the workbench."""


@dataclass(frozen=True)
class Evaluation:
    """How runs are evaluated; `m_inf` and `n` are None where the agent's protocol says.

    `cells` are pairs (M_inf, N) where not every M_inf goes with every N.
    `scored` are the updates whose checkpoints are evaluated; None is the protocol's, or the last one alone where
    `steps` is given. `episodes` = 0 evaluates nothing. `episode_limit` cuts episodes short, for tests.
    """

    episodes: int = EPISODES
    m_inf: tuple[int, ...] | None = None
    n: tuple[int, ...] | None = None
    cells: tuple[tuple[int, int], ...] | None = None
    verifier: str | None = None
    scored: tuple[int, ...] | None = None
    success_timing: str = "post"
    workers: int | None = None
    episode_limit: int | None = None


@dataclass(frozen=True)
class AgentPart:
    """What a sweep does with one agent; `steps` None is the protocol's number of updates."""

    name: str
    presets: tuple[str, ...]
    steps: int | None
    batch_size: int | None
    precision: str | None
    weights: Axes
    settings: Axes
    evaluation: Evaluation


@dataclass(frozen=True)
class RayPart:
    """How the Ray engine is used.

    `address` is a cluster's (None: Ray starts on this machine, on 127.0.0.1 alone), `cpus` the processors that it may
    use then. A training takes `gpus` of a GPU (None: a whole one where there is any) and `train_cpus`, an
    evaluation `evaluate_cpus` and no GPU. A task whose worker dies is tried again `retries` times.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: float | None = None
    train_cpus: int = 1
    evaluate_cpus: int = 1
    retries: int = 5


@dataclass(frozen=True)
class SweepSpec:
    """A whole sweep; `pack` seeds are trained together in one run, "auto" as many as measure fastest.

    `make` are datasets that are regenerated where they are not on disk, and used: episodes by name, None the official
    number. With `stages` its runs
    are those of the stages, one after another; the other fields are then what the stages have together.
    """

    file: Path
    agents: tuple[AgentPart, ...]
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    pack: int | Literal["auto"]
    log_every: int
    save_every: int
    data: dict[str, Path]
    ray: RayPart
    make: dict[str, int | None] = field(default_factory=dict)
    stages: "tuple[SweepSpec, ...]" = ()


def find_sweep(name: str | Path) -> Path:
    """A sweep's file from its path or from the name of one that comes with the workbench; raises `UnknownNameError`."""
    path = Path(name)
    if path.is_file():
        return path
    known = {file.stem: file for file in sorted(SPECS.glob("*.toml"))}
    if path.suffix == ".toml" and path.stem not in known:
        raise WorkbenchError(f"there is no file {path}: give a TOML file, or one of {', '.join(known)}.")
    if path.stem not in known:
        raise UnknownNameError("sweep", str(name), known, "Or give a TOML file.")
    return known[path.stem]


def read_sweep(name: str | Path) -> SweepSpec:
    """Read and check a sweep; names of agents, presets and knobs are looked up when it is expanded.

    Raises `WorkbenchError` with the file and the key for anything that is wrong.
    """
    file = find_sweep(name)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WorkbenchError(f"sweep {file} is not TOML: {error}.") from error
    stages = content.pop("stage", [])
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise WorkbenchError(f"sweep {file}, key 'stage': write each stage as a table [[stage]].")
    if not stages:
        return _sweep(Table(file, content), file)
    read = tuple(_sweep(_stage_table(file, content, stage, i), file) for i, stage in enumerate(stages, 1))
    agents = tuple(part for stage in read for part in stage.agents)
    tasks, seeds = (tuple(dict.fromkeys(each for stage in read for each in getattr(stage, name))) for name in SHARED)
    return replace(read[0], agents=agents, tasks=tasks, seeds=seeds, stages=read)


SHARED = ("tasks", "seeds")
"""What a sweep of stages has all of."""


def _stage_table(file: Path, shared: Mapping[str, Any], own: Mapping[str, Any], number: int) -> Table:
    """What all stages share and one stage replaces; tables are merged, and those of agents it leaves out dropped."""
    both = _merged(shared, own)
    agents = [*both.get("agents", ()), *own.get("agent", ())]
    both["agent"] = {name: table for name, table in both.get("agent", {}).items() if name in agents}
    return Table(file, both, names={key: f"stage {number}.{key}" for key in own})


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where `own` replaces values of the same name, and tables of the same name are merged."""
    tables = {
        key: _merged(shared[key], value)
        for key, value in own.items()
        if isinstance(value, dict) and isinstance(shared.get(key), dict)
    }
    return {**shared, **own, **tables}


def _sweep(table: Table, file: Path) -> SweepSpec:
    own = table.table("agent")
    names = table.texts("agents")
    unused = [name for name in own.content if name not in names]
    if unused:
        raise own.wrong(unused[0], f"is a table of an agent that the sweep does not have: its agents are {names}")
    shared = {key: table.content.pop(key) for key in list(table.content) if key in AGENT_KEYS}
    agents = tuple(_agent(_agent_table(table, name, shared, own.table(name).content), name) for name in names)
    spec = SweepSpec(
        file=file,
        agents=agents,
        tasks=_tasks(table),
        seeds=_seeds(table),
        pack=_pack(table),
        log_every=table.count("log_every", 500),
        save_every=table.count("save_every", 5_000),
        data={name: _beside(file, Path(path)) for name, path in table.table("data").mapping(str).items()},
        ray=_ray(table.table("ray")),
        make=_make(table.table("make")),
    )
    table.finish(AGENT_KEYS)
    return spec


AGENT_KEYS = ("presets", "steps", "batch_size", "precision", "weights", "settings", "evaluation")
"""Keys that a table of one agent can hold too."""


def _agent_table(table: Table, name: str, shared: Mapping[str, Any], own: Mapping[str, Any]) -> Table:
    """Keys of the agent's own table replace those of all; tables are merged."""
    tables = [key for key in own if isinstance(own[key], dict)]
    keys = [*own, *(f"{key}.{inner}" for key in tables for inner in own[key])]
    names = {**table.names, **{key: f"agent.{name}.{key}" for key in keys}}
    return Table(table.file, _merged(shared, own), names=names)


def _agent(table: Table, name: str) -> AgentPart:
    steps = table.optional_count("steps", word="protocol")
    part = AgentPart(
        name=name,
        presets=table.texts("presets", ("paper",)),
        steps=steps,
        batch_size=table.optional_count("batch_size"),
        precision=table.text("precision", None, tuple(PRECISIONS)),
        weights=table.table("weights").axes(),
        settings=table.table("settings").axes(),
        evaluation=_evaluation(table.table("evaluation"), steps),
    )
    table.finish()
    return part


def _evaluation(table: Table, steps: int | None) -> Evaluation:
    evaluation = Evaluation(
        episodes=table.count("episodes", EPISODES, least=0),
        m_inf=table.counts("m_inf"),
        n=table.counts("n"),
        cells=_pairs(table),
        verifier=_verifier(table),
        scored=table.counts("scored"),
        success_timing=table.text("success_timing", "post", ("post", "pre")) or "post",
        workers=table.optional_count("workers"),
        episode_limit=table.optional_count("episode_limit"),
    )
    if steps is not None and evaluation.scored and max(evaluation.scored) > steps:
        raise table.wrong(
            "scored", f"must not go beyond the {steps} updates of steps, but has {max(evaluation.scored)}"
        )
    if evaluation.cells and (evaluation.m_inf or evaluation.n):
        raise table.wrong("cells", "names pairs (M_inf, N), so leave m_inf and n out")
    table.finish()
    return evaluation


def _verifier(table: Table) -> str | None:
    text = table.text("verifier", None)
    try:
        return None if text is None else str(Rule.parse(text))
    except WorkbenchError as error:
        raise table.wrong("verifier", f"must say how an action is made of candidates: {error}") from error


def _pairs(table: Table) -> tuple[tuple[int, int], ...] | None:
    value = table.take("cells", None)
    if value is None:
        return None
    pairs = value if isinstance(value, list) else []
    good = [each for each in pairs if isinstance(each, list) and len(each) == 2 and all(_is_count(n) for n in each)]
    if not pairs or len(good) != len(pairs):
        raise table.wrong("cells", f"must be a list of pairs [M_inf, N] of whole numbers, not {value!r}")
    return tuple(dict.fromkeys((m_inf, n) for m_inf, n in good))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _make(table: Table) -> dict[str, int | None]:
    try:
        names = {name: dataset_info(name).name for name in table.content}
    except UnknownNameError as error:
        raise table.wrong("make", f"has an {error}") from error
    found = {names[key]: table.optional_count(key, word="official") for key in list(table.content)}
    table.finish()
    return found


def _tasks(table: Table) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(task for word in table.texts("tasks") for task in tasks_of(word)))
    except UnknownNameError as error:
        raise table.wrong("tasks", f"has an {error}") from error


def _seeds(table: Table) -> tuple[int, ...]:
    value = table.take("seeds", 1)
    if type(value) is int and value >= 1:
        return tuple(range(value))
    listed = value if isinstance(value, list) and all(type(each) is int for each in value) else []
    if not listed or len(set(listed)) != len(listed) or min(listed) < 0:
        raise table.wrong("seeds", f"must be a list of different whole numbers, or how many, not {value!r}")
    return tuple(listed)


def _pack(table: Table) -> "int | Literal['auto']":
    if table.content.get("pack") != "auto":
        return table.count("pack", 1)
    table.take("pack", 1)
    return "auto"


def _ray(table: Table) -> RayPart:
    part = RayPart(
        address=table.text("address", None),
        cpus=table.optional_count("cpus"),
        gpus=table.number("gpus"),
        train_cpus=table.count("train_cpus", 1),
        evaluate_cpus=table.count("evaluate_cpus", 1),
        retries=table.count("retries", 5, least=0),
    )
    table.finish()
    return part


def _beside(file: Path, path: Path) -> Path:
    """A path in a sweep's file is meant from that file's folder."""
    return path.expanduser() if path.expanduser().is_absolute() else (file.parent / path).resolve()
