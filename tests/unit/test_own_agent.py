"""An agent of a user's own lives as the others do; its source is part of its runs; what is missing is said."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.live_trainers import Maker, makers, offer, turn
from tests.unit.problems import random_data
from tests.unit.test_sorl import norm
from workbench.agents.baseline import AbstractBaseline
from workbench.agents.presets import PRESETS
from workbench.agents.protocol import PROTOCOLS, Protocol, protocol
from workbench.agents.registry import OWN, register, unregister
from workbench.cli.main import main
from workbench.data.dataset import Dataset, Provenance
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.experiments import Schedule, evaluate_run, train_run
from workbench.live.controls import Controls
from workbench.live.session import Session
from workbench.paths import read_json
from workbench.plots.style import AGENTS, agent_style, display_name
from workbench.store.checkpoint import state_hash
from workbench.store.folder import RunFolder
from workbench.store.query import list_runs
from workbench.store.spec import RunSpec, make_spec
from workbench.train import init_seeds, train_chunk

FILE = Path(__file__).with_name("own_agents.py")
MAZE = "pointmaze-medium-navigate-singletask-task1-v0"
TINY = {"width": 8, "depth": 1}
DATA = random_data(obs=2, act=2)
QUIET = {"progress": False, "schedule": Schedule(log_every=4, save_every=4)}


@pytest.fixture(autouse=True)
def filtered() -> Iterator[type]:
    """The agent of `own_agents`, registered for the length of a test."""
    yield importlib.reload(importlib.import_module("tests.unit.own_agents")).Filtered
    for name in list(OWN):
        unregister(name)


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def spec_of(steps: int = 12, seeds: tuple[int, ...] = (0, 1), task: str = MAZE, **changes) -> RunSpec:
    """A short run of the agent."""
    settings = {"agent": "filtered", "preset_name": "small", "settings": TINY} | changes
    return make_spec(task, DATA.provenance, steps=steps, seeds=seeds, **settings)


def edited(tmp_path: Path, old: str, new: str) -> Path:
    """The agent's file with a change."""
    source = FILE.read_text()
    assert old in source
    (path := tmp_path / "edited.py").write_text(source.replace(old, new))
    return path


def run_file(path: Path) -> None:
    """Register what a file registers."""
    from workbench.cli.code import run_files

    run_files([path])


def test_it_trains_resumes_evaluates_and_is_listed(tmp_path):
    spec = spec_of()
    whole = train_run(spec, DATA, DATA, root=tmp_path / "whole", **QUIET)
    stopped = RunFolder.create(tmp_path / "stopped", spec)
    state, _ = train_chunk(
        spec.build_agent(), DATA, spec.build_weights(), init_seeds(spec.build_agent(), DATA.example(), (0, 1)), 4, 32
    )
    stopped.save(state, 4)
    resumed = train_run(spec, DATA, DATA, root=tmp_path / "stopped", **QUIET)
    assert read_json(resumed.path / "DONE") == read_json(whole.path / "DONE")
    assert {"kept", "loss_actor", "loss_value", "val_actor"} <= set(whole.metrics)

    played = evaluate_run(RunFolder(whole.path), [Cell(2, 2)], episodes=1, workers=1, episode_limit=5, progress=False)
    assert {(row["seed"], row["length"]) for row in played.rows} == {(0, 5), (1, 5)}
    assert set(RunFolder(whole.path).scores(5)["m_inf"]) == {2}
    (row,) = list_runs("agent = 'filtered'", tmp_path / "whole").to_dict("records")
    assert (row["done"], row["step"]) == (True, 12)


def test_it_is_steered_forked_and_repeated(make: Maker, tmp_path):
    trainer = make(agent="filtered", settings=TINY)
    panel = Controls(trainer)
    assert offer(panel, "margin")["meaning"] == "how much better than V an action must be"
    trainer.start(4)
    trainer.wait()
    turn(panel, margin=0.5)
    trainer.start(4)
    trainer.wait()
    trainer.fork(2)
    trainer.set(margin=0.1)
    trainer.start(4)
    trainer.result()
    trainer.save(tmp_path / "session.json")
    records = Session.load(tmp_path / "session.json").branches
    assert [record.step for record in records] == [12, 6]
    for record in records:
        assert record.branch(trainer.problem.train).step == record.step
    assert RunFolder(trainer.record(root=tmp_path)).spec.agent == "filtered"


def test_what_it_learns_obeys_its_own_knob():
    """With a margin that no advantage reaches nothing is imitated; without, everything that pays more than most."""
    x = np.zeros((400, 1), np.float32)
    a = np.tile(np.array([[-0.5, 0.5], [0.5, -0.5]], np.float32), (200, 1))
    r = (a[:, 0] > 0).astype(np.float32)
    data = Dataset.build(x, a, r, np.zeros(400, np.float32), np.arange(400) < 399, Provenance("arrays", "two"))
    spec = make_spec("toy:grid", data.provenance, agent="filtered", preset_name="small", settings={"width": 32})
    agent = spec.build_agent()
    start, kept = init_seeds(agent, data.example(), (0,)), {}
    for margin in (0.2, 10.0):
        own = make_spec("toy:grid", data.provenance, agent="filtered", weights={"margin": margin}).build_weights()
        warm, _ = train_chunk(agent, data, own, start, 400, 64)
        after, report = train_chunk(agent, data, own, warm, 50, 64)
        kept[margin] = float(report.mean["kept"][0])
        moved = jax.tree.map(jnp.subtract, *(eqx.filter(s.nets["actor"], eqx.is_array) for s in (after, start)))
        assert (norm(moved) > 0) == (margin < 10)
    assert kept[10.0] == 0.0
    assert kept[0.2] == pytest.approx(0.5, abs=0.1)


def test_presets_protocol_and_looks(filtered):
    paper, small = (make_spec(MAZE, DATA.provenance, agent="filtered", preset_name=name) for name in ("paper", "small"))
    assert (paper.settings["width"], small.settings["width"]) == (512, 256)
    assert (paper.weights["lr"], small.weights["lr"], small.weights["margin"]) == (2e-3, 2e-3, 0.0)
    assert small.weights["tau"] == 0.01
    assert paper.batch_size == small.batch_size == 32
    assert protocol("filtered", "cube-single") == Protocol()
    assert display_name("filtered") == "filtered"
    assert agent_style("filtered")["marker"] not in {marker for _, _, marker in AGENTS.values()}
    register(protocol=Protocol(m_inf=4, sequential=True), weights={"margin": 1.0})(filtered)
    assert protocol("filtered", "scene").m_inf == 4
    assert spec_of().weights["margin"] == 1.0
    assert spec_of().code == {**small.code}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("advantage = values", "advantage = 2.0 * values"),  # a method
        ("advantage > margin", "advantage >= margin"),  # a function it calls
        ("LEVEL = 0.5", "LEVEL = 0.7"),  # a number it reads
    ],
)
def test_a_change_of_its_code_is_another_run(tmp_path, old, new):
    before = spec_of()
    run_file(edited(tmp_path, old, new))
    after = spec_of()
    assert after.hash != before.hash
    with pytest.raises(WorkbenchError, match=rf"run {before.hash} .* another version of your agent 'filtered'"):
        before.build_agent()


def test_a_file_that_is_changed_and_run_again_is_read_again(tmp_path):
    hashes = []
    for factor in ("1.0", "20.0"):
        run_file(edited(tmp_path, "advantage = values", f"advantage = {factor} * values"))
        hashes.append(spec_of().hash)
    assert len(set(hashes)) == 2


def test_a_helper_that_changed_alone_asks_for_registering_again(filtered, monkeypatch):
    before = spec_of()
    module = importlib.import_module("tests.unit.own_agents")

    def hashed() -> str:
        state = init_seeds(before.build_agent(), DATA.example(), (0,))
        return state_hash(train_chunk(filtered(**TINY), DATA, before.build_weights(), state, 3, 16)[0])

    first = hashed()

    def passes(advantage, margin):
        return (advantage > 100 + margin).astype(float)

    passes.__module__ = module.__name__
    monkeypatch.setattr(module, "passes", passes)
    for build in (spec_of, before.build_agent):
        with pytest.raises(WorkbenchError, match="uses has changed since it was registered: register it again"):
            build()
    register(weights={"margin": 0.0})(filtered)
    assert spec_of().hash != before.hash
    before = spec_of()
    assert hashed() != first


def test_what_does_not_matter_is_the_same_run(tmp_path):
    before = spec_of()
    run_file(edited(tmp_path, "batch_size=32)", "batch_size=32)  # a remark on the decorator"))
    assert spec_of().hash == before.hash
    assert spec_of().build_agent().name == "filtered"


def test_an_agent_that_is_not_registered_is_said_in_a_sentence(tmp_path):
    spec = spec_of(steps=4)
    record = train_run(spec, DATA, DATA, root=tmp_path, **QUIET)
    unregister("filtered")
    assert len(list_runs(root=tmp_path)) == 1
    with pytest.raises(WorkbenchError, match=rf"run {spec.hash} .* agent 'filtered', which is not registered here"):
        evaluate_run(RunFolder(record.path), [Cell(1, 1)], episodes=1)
    with pytest.raises(UnknownNameError, match=r"unknown agent 'filtered'.*registered first"):
        spec_of()
    assert set(PROTOCOLS) == set(PRESETS)


def test_what_cannot_be_registered_is_refused(filtered):
    def like(**changes) -> type:
        keys = ("name", "knobs", "followed", "networks", "terms", "actor_loss", "act")
        body = {key: vars(filtered)[key] for key in keys}
        return type("Like", filtered.__bases__, {**body, "__module__": __name__, **changes})

    for name in ("sorl", "FQL"):
        with pytest.raises(WorkbenchError, match=f"'{name}' is the name of a built-in agent"):
            register()(like(name=name))
    with pytest.raises(WorkbenchError, match="needs a name of letters and digits"):
        register()(like(name="my agent"))
    with pytest.raises(WorkbenchError, match="does not say what its knob margin begins with"):
        register()(filtered)
    with pytest.raises(WorkbenchError, match="has no knob alpha: its knobs are margin, gamma"):
        register(weights={"alpha": 1.0, "margin": 0.0})(filtered)
    with pytest.raises(WorkbenchError, match="which is a control of every agent"):
        register()(like(knobs={"n": "a number"}))
    abstract = like(terms=AbstractBaseline.terms)
    with pytest.raises(WorkbenchError, match=r"Like cannot be made without arguments \(.*abstract"):
        register()(abstract)
    with pytest.raises(WorkbenchError, match="the source of 'Like' cannot be read"):
        register(weights={"margin": 0.0})(like(name="mine"))
    assert set(OWN) == {"filtered"}


def test_the_command_line_takes_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path))
    unregister("filtered")
    train = ["train", "toy:eight_gaussians", "--agent", "filtered", "--preset", "small", "--steps", "2", "--json"]
    train += ["--set", "width=8", "depth=1", "--own", "margin=0.1"]
    assert main(train) == 2
    assert "unknown agent 'filtered'" in capsys.readouterr().err
    assert main([*train, "--code", str(FILE)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    spec = read_json(Path(row["run"]) / "spec.json")
    assert (spec["agent"], spec["weights"]["margin"]) == ("filtered", 0.1)
    unregister("filtered")
    assert main(["evaluate", row["run"], "--code", str(FILE)]) == 2
    assert "has no environment to play in" in capsys.readouterr().err
    assert main(["evaluate", row["run"], "--code", "nowhere.py"]) == 2
    assert "there is no Python file nowhere.py" in capsys.readouterr().err
    (broken := tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    assert main(["evaluate", row["run"], "--code", str(broken)]) == 2
    assert "broken.py, line 2: ZeroDivisionError: division by zero" in capsys.readouterr().err
