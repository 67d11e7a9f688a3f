"""Training from the command line: a spec from a preset, resumed when the same command is given again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from workbench.cli.report import records, show
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.evaluate.cell import Cell


@dataclass(frozen=True)
class Weights:
    """Loss weights and rates that replace the preset's; an agent refuses those that are no knobs of its own.

    Each is a number, or a schedule over the updates: 'linear(V, W, FROM, TO)', 'cosine(V, W, FROM, TO)',
    'warmup(V, TO)' or 'steps(V, UPDATE: W, ...)'. A knob or loss term of your own has no flag here: --own.
    """

    ql: float | str | None = None
    """Weight of the Q loss (sorl, cac)."""
    fm: float | str | None = None
    """Weight of the flow-matching loss (sorl)."""
    sc: float | str | None = None
    """Weight of the self-consistency loss (sorl)."""
    alpha: float | str | None = None
    """Inverse temperature (iql, fawac), or weight of imitation against Q (fql, fbrac, rebrac)."""
    beta: float | str | None = None
    """Weight of Q against imitation (srpo), or penalty of the critic (rebrac)."""
    gamma: float | str | None = None
    """Discount, in [0, 1]."""
    tau: float | str | None = None
    """Rate of the target networks, in (0, 1]."""
    lr: float | str | None = None
    """Learning rate of Adam."""


@dataclass(frozen=True)
class Train:
    """Train an agent on a task; the same command resumes an interrupted run and returns at once for a finished one.

    The run's folder is named by a hash of everything its result depends on.
    """

    task: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
    """Such as cube-single-play-singletask-task2-v0, toy:eight_gaussians, minari:D4RL/pen/human-v2, or own:NAME."""
    agent: str = "sorl"
    """sorl, bc, iql, rebrac, idql, srpo, cac, fawac, fbrac, ifql, fql, or one that a file of --code registers."""
    preset: str = "paper"
    """paper, medium or small; sorl also has official."""
    steps: int | None = None
    """Updates; by default as many as the agent's protocol says: a million, or three for IDQL."""
    seeds: tuple[int, ...] = (0,)
    """Seeds, trained together as one program."""
    batch_size: int | None = None
    """Transitions a batch; by default the preset's."""
    weights: Weights = Weights()
    own: tuple[str, ...] = ()
    """Weights of your own knobs and loss terms, such as smooth=0.1."""
    set: tuple[str, ...] = ()
    """Agent settings that replace the preset's, such as width=256 m_btt=2, or terms=["mine"] for a loss of your own."""
    precision: str | None = None
    """Of matrix products, on a GPU: float32, tensorfloat32 or bfloat16; by default the device's own."""
    code: tuple[Path, ...] = ()
    """Python files to run first: they register agents and loss terms of your own."""
    data: Path | None = None
    """Training npz file, but for toys and Minari; by default the official one on disk, else the largest made here."""
    log_every: int = 500
    """Updates between two rows of metrics."""
    save_every: int = 5_000
    """Updates between two checkpoints: the most a kill can cost."""
    eval_every: int = 0
    """Updates between two evaluations; 0 never."""
    m_inf: tuple[int, ...] = ()
    """Step counts of those evaluations; by default 1, 2, 4 and 8, or another agent's protocol, which says the rest."""
    episodes: int = 50
    """Episodes of each."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Train and print the last row of metrics."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.agents.protocol import protocol
        from workbench.cli.code import run_files
        from workbench.data.catalogue import parse_task
        from workbench.data.load import environment_of, load_data
        from workbench.experiments import Schedule, evaluate_run, train_run
        from workbench.store.spec import make_spec

        run_files(self.code)
        if self.eval_every:
            parse_task(self.task)  # raises for tasks that have no environment
        given = {name: value for name, value in asdict(self.weights).items() if value is not None}
        train_data, val_data = load_data(self.task, self.data)
        spec = make_spec(
            self.task,
            train_data.provenance,
            agent=self.agent,
            preset_name=self.preset,
            seeds=self.seeds,
            steps=protocol(self.agent, environment_of(self.task)).updates if self.steps is None else self.steps,
            settings=_assignments("set", self.set),
            weights=given | _assignments("own", self.own),
            batch_size=self.batch_size,
            precision=self.precision,
        )
        schedule = Schedule(self.log_every, self.save_every, self.eval_every)
        cells = self._cells()
        record = train_run(
            spec,
            train_data,
            val_data,
            schedule=schedule,
            evaluate=lambda folder: evaluate_run(folder, cells, episodes=self.episodes),
        )
        last = record.metrics.tail(len(spec.seeds))
        rows = [{"run": str(record.path), **row} for row in records(last)]
        show(rows, self.json)
        return 0

    def _cells(self) -> "tuple[Cell, ...]":
        """Budgets of the evaluations on the way."""
        from workbench.data.load import environment_of
        from workbench.evaluate.cell import protocol_grid

        return protocol_grid(self.agent, environment_of(self.task), self.m_inf)


def _assignments(flag: str, texts: tuple[str, ...]) -> dict[str, Any]:
    """`width=256` as {"width": 256}; raises `WorkbenchError` for what is no JSON value after a name."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            values[name] = json.loads(value)
        except ValueError:
            equals = ""
        if not equals:
            raise WorkbenchError(
                f'--{flag} takes NAME=VALUE with the value written as in JSON: 256, 0.5, true, "text" or [1, 2] (quote '
                f"it for the shell), not '{text}'."
            )
    return values
