"""The precision of a run holds wherever it is trained, repeated, steered, looked at and played."""

from concurrent.futures import Future

import jax
import numpy as np
import pytest

from tests.unit.problems import random_data
from workbench.agents.sorl import SORL
from workbench.evaluate.cell import Cell
from workbench.experiments import Schedule, evaluate_run, train_run
from workbench.live.branch import Branch
from workbench.live.evaluations import Evaluations
from workbench.live.problems import Probes, Problem
from workbench.live.session import Record
from workbench.live.trained import TrainedRun
from workbench.store.checkpoint import state_hash
from workbench.store.folder import RunFolder
from workbench.store.spec import RunSpec, make_spec
from workbench.sweeps.probe import decisions_per_second, updates_per_second

MAZE = "pointmaze-medium-navigate-singletask-task1-v0"
DATA = random_data(obs=2, act=2)


def spec_of(width: int) -> RunSpec:
    """A small run; each test has a width of its own, so that nothing was traced before it."""
    return make_spec(
        MAZE,
        DATA.provenance,
        preset_name="small",
        settings={"width": width, "depth": 1, "m_btt": 1, "m_disc": 2},
        steps=4,
        batch_size=16,
        precision="float32",
    )


@pytest.fixture
def traced(monkeypatch) -> dict[str, set[str | None]]:
    """In which precisions each method of the agent was traced: a call in another precision is another trace."""
    seen: dict[str, set[str | None]] = {}

    def watch(name: str) -> None:
        inner = getattr(SORL, name)

        def watched(self, *args, **kwargs):
            precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
            seen.setdefault(name, set()).add(precision)
            return inner(self, *args, **kwargs)

        monkeypatch.setattr(SORL, name, watched)

    for name in ("update", "validate", "act"):
        watch(name)
    own = {None: None, "float32": "highest"}
    monkeypatch.setattr(RunSpec, "arithmetic", lambda spec: jax.default_matmul_precision(own[spec.precision]))
    return seen


def test_training_and_evaluating_a_run(traced, tmp_path):
    record = train_run(spec_of(11), DATA, DATA, root=tmp_path, schedule=Schedule(log_every=2), progress=False)
    folder = RunFolder(record.path)
    evaluate_run(folder, [Cell(2, 1)], episodes=1, workers=1, episode_limit=2, progress=False)
    run = TrainedRun(folder, episode_limit=2)
    run.judge(np.zeros(2, np.float32), Cell(1, 1), seed=0)
    run.milliseconds(Cell(1, 1))
    assert traced == {"update": {"highest"}, "validate": {"highest"}, "act": {"highest"}}


def test_a_branch_and_what_is_made_of_it(traced):
    branch = Branch.fresh("main", spec_of(12), DATA)
    branch.compile(DATA)
    branch.advance(DATA, 3)
    branch.dials.set(sc=1.0)
    branch.advance(DATA, 2)
    branch.state_at(DATA, 4, lambda step: None)
    assert state_hash(Record.of(branch).replay(DATA)) == state_hash(branch.state)
    wider = branch.vary(DATA, "wider", {"width": 13})
    assert wider.spec.precision == "float32"
    wider.advance(DATA, 1)
    Probes(Problem.of(MAZE, DATA, DATA)).take(branch, shown=True)
    assert traced == {"update": {"highest"}, "validate": {"highest"}}


def test_episodes_of_a_branch_beside_its_training(traced):
    def enter(job) -> Future:
        (done := Future()).set_result(job())
        return done

    evaluations = Evaluations(MAZE, "precision", enter, lambda: None)
    evaluations.episode_limit = 2
    try:
        evaluations.ask(Branch.fresh("main", spec_of(14), DATA), 1).result(timeout=120)
    finally:
        evaluations.stop(wait_for_it=True)
    assert traced == {"act": {"highest"}}


def test_what_an_estimate_measures(traced):
    spec = spec_of(15)
    updates_per_second(spec, 3, 2, seconds=0.0)
    decisions_per_second(spec, 3, 2, Cell(1, 1), episodes=2, seconds=0.0)
    assert traced == {"update": {"highest"}, "act": {"highest"}}
