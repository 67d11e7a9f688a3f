"""The trainer's thread: start to stop, errors, what is shown, and that no control compiles anything."""

import threading
import time
from collections.abc import Iterator

import jax
import numpy as np
import pytest

from tests.unit.live_trainers import DATA, SMALL, Maker, makers, until
from workbench import train
from workbench.data.load import load_data
from workbench.data.toy import make_toy
from workbench.errors import DivergedError, UnknownNameError, WorkbenchError
from workbench.live.branch import Branch
from workbench.live.interventions import Intervention
from workbench.live.problems import Problem, draw
from workbench.live.publish import Publisher
from workbench.live.rounds import tuned
from workbench.live.snapshot import Dials, Settings
from workbench.live.trainer import Trainer
from workbench.store.checkpoint import state_hash
from workbench.store.spec import make_spec
from workbench.train import init_seeds, train_chunk


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def plainly_trained(trainer: Trainer, steps: int) -> str:
    """Hash of the state after `steps` updates without thread and interventions."""
    branch = trainer.branch
    state = init_seeds(branch.agent, DATA[0].example(), branch.spec.seeds)
    return state_hash(train_chunk(branch.agent, DATA[0], branch.spec.build_weights(), state, steps, 16)[0])


def test_dials_take_all_values_or_none(make):
    dials = Dials(make().branch.start)
    with pytest.raises(WorkbenchError, match=r"gamma must be a number between 0 and 1, not 1\.5"):
        dials.set(sc=1.0, gamma=1.5)
    assert dials.read()[0] == 0
    assert dials.set(sc=2, n=4.0) == 1
    assert dials.set(sc=2.0) == 1
    assert dials.read()[1].values["n"] == 4
    for name, value in {"ql": "much", "n": 2.5, "m_inf": 0, "lr": float("nan"), "verifier": "max"}.items():
        with pytest.raises(WorkbenchError, match=name):
            dials.set(**{name: value})
    with pytest.raises(UnknownNameError, match="unknown control 'gama'"):
        dials.set(gama=0.9)


def test_settings_are_those_of_the_spec(make):
    branch = make(weights={"ql": 3.0}, settings=SMALL | {"pessimism": 1.0}).branch
    assert branch.start.values | {"ql": 3.0, "m_inf": 4, "n": 1, "verifier": "mean"} == branch.start.values
    assert jax.tree.all(
        jax.tree.map(lambda a, b: bool(a == b), branch.start.weights(), branch.spec.build_weights()),
    )


@pytest.mark.parametrize(
    ("agent", "budget"), [("idql", (5, 32, "min")), ("cac", (2, 1, "mean")), ("bc", (1, 1, "mean"))]
)
def test_other_agents_are_shown_as_their_protocol_plays_them(agent, budget):
    data, _ = load_data("toy:grid")
    found = Settings.of(make_spec("toy:grid", data.provenance, agent=agent)).values
    assert tuple(found[name] for name in ("m_inf", "n", "verifier")) == budget


def test_steps_are_exact_and_state_is_that_of_plain_training(make):
    trainer = make()
    assert (trainer.status, trainer.branch.step) == ("idle", 0)
    trainer.step(7)
    trainer.step(7)
    assert trainer.wait(120.0)
    trainer.start(30)
    state = trainer.result(120.0)
    assert trainer.status == "paused"
    assert trainer.branch.step in (37, 44)  # the second request replaces the first, which may have been done already
    assert state_hash(state) == plainly_trained(trainer, trainer.branch.step)


def test_pause_stop_and_go_on(make):
    trainer = make(name="going on")
    trainer.start()
    until(lambda: trainer.branch.step > 20)
    assert trainer.status == "running"
    assert trainer.updates_per_second > 0
    trainer.pause()
    paused = trainer.branch.step
    assert trainer.status == "paused"
    trainer.start()
    until(lambda: trainer.branch.step > paused)
    trainer.stop()
    stopped = trainer.branch.step
    assert trainer.status == "stopped"
    assert not any(thread.name == "workbench-going on" for thread in threading.enumerate())
    trainer.start(5)
    trainer.result(120.0)
    assert trainer.branch.step == stopped + 5


def test_another_of_the_same_name_stops_the_former(make):
    former, other = make(), make(name="other")
    former.start()
    other.start()
    until(lambda: former.branch.step)
    later = make()
    until(lambda: former.status == "stopped")
    later.start(3)
    later.result(120.0)
    assert other.status == "running"


def test_a_retired_trainer_lets_go_of_the_states_it_kept_and_of_its_views(make):
    former = make()
    publisher = Publisher(former, lambda head, buffers: None)
    former.branch.kept.every = 5
    for _ in range(4):
        former.step(10)
        former.wait(120.0)
    assert len(former.branch.kept.states) > 3
    make()
    until(lambda: not publisher._thread.is_alive())
    until(lambda: list(former.branch.kept.states) == [0])
    former.rewind(20)
    assert former.branch.step == 20


def test_what_the_thread_raises_is_told_and_raised(make, monkeypatch):
    trainer = make()

    def broken(self, data, steps):
        raise ZeroDivisionError("one over none")

    with monkeypatch.context() as patch:
        patch.setattr(Branch, "advance", broken)
        trainer.start()
        until(lambda: trainer.status == "failed")
    assert "ZeroDivisionError: one over none" in (trainer.error or "")
    with pytest.raises(ZeroDivisionError):
        trainer.result()
    trainer.start(3)
    trainer.result(120.0)
    assert (trainer.error, trainer.branch.step) == (None, 3)


def test_divergence_keeps_the_last_good_state(make):
    trainer = make()
    trainer.step(10)
    trainer.wait(120.0)
    trainer.set(lr=1e30)
    trainer.start()
    until(lambda: trainer.status == "failed")
    with pytest.raises(DivergedError, match=r"stopped being finite at update 1[12] in .* lower the learning rate"):
        trainer.result()
    assert "Traceback" not in (trainer.error or "")
    good = trainer.branch.step
    trainer.set(lr=1e-3)
    trainer.start(10)
    trainer.result(120.0)
    assert trainer.branch.step == good + 10
    assert trainer.branch.interventions[-1] == Intervention(good, "lr", 1e30, 1e-3)


def test_a_subscriber_is_called_until_it_fails_or_leaves(make):
    trainer, calls = make(), {"good": 0, "bad": 0}

    def good() -> None:
        calls["good"] += 1

    def bad() -> None:
        calls["bad"] += 1
        raise RuntimeError("no view")

    leave = trainer.subscribe(good)
    trainer.subscribe(bad)
    trainer.step(3)
    trainer.wait(120.0)
    assert calls["bad"] == 1
    assert calls["good"] > 1
    leave()
    seen = calls["good"]
    trainer.step(3)
    trainer.wait(120.0)
    assert (calls["good"], trainer.branch.step) == (seen, 6)


def test_no_control_compiles_anything(make, monkeypatch):
    traces, compiled, inner = [], [], train._one_seed
    monkeypatch.setattr(train, "_one_seed", lambda *args: traces.append(1) or inner(*args))
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration_secs, **_: compiled.append(event) if "backend_compile" in event else None
    )
    trainer, rng = make(settings=SMALL | {"width": 24}), np.random.default_rng(0)
    trainer.start()
    until(lambda: trainer.branch.step and trainer.probe)
    before, numbers = len(compiled), list(trainer.branch.start.values)[:-1]
    for move in range(1000):
        name = str(rng.choice(numbers))
        low, high = {"gamma": (0, 1), "tau": (0, 1), "lr": (0, 1e-3), "m_inf": (1, 8), "n": (1, 4)}.get(name, (0, 20))
        value = rng.uniform(low, high) if name not in ("m_inf", "n") else rng.integers(low, high + 1)
        trainer.set(**{name: value}, verifier=str(rng.choice(["mean", "min"])))
        if move % 20 == 0:
            step = trainer.branch.step
            until(lambda step=step: trainer.branch.step > step)
    trainer.pause()
    assert len(trainer.branch.interventions) > 50
    assert (len(traces), len(compiled) - before) == (1, 0)


def test_pictures_follow_the_controls_also_at_rest(make):
    trainer = make()
    trainer.step(4)
    trainer.wait(120.0)
    assert trainer.cloud is not None
    assert trainer.cloud.shape == (3, 256, 2)
    assert trainer.cloud_labels == ("controls: M_inf = 4", "M_inf = 1", "M_inf = 4")
    for path, point in zip(trainer.paths or [], trainer.cloud[0], strict=False):
        assert path.shape == (5, 2)
        np.testing.assert_allclose(np.clip(path[-1], -1, 1), point, atol=1e-5)
    trainer.set(m_inf=2, n=8)
    until(lambda: trainer.cloud_labels[0] == "controls: M_inf = 2, best of 8")
    for path, point in zip(trainer.paths or [], trainer.cloud[0], strict=False):
        np.testing.assert_allclose(np.clip(path[-1], -1, 1), point, atol=1e-5, err_msg="the way of the chosen one")
    assert {"reward", "energy_m1", "val_sc"} <= set(trainer.probe)
    assert trainer.branch.step == 4


def test_what_compiling_took_does_not_hold_back_the_pictures_after_it(make, monkeypatch):
    calls = []

    def slow_at_first(*args):
        calls.append(time.monotonic())
        time.sleep(0 if calls[1:] else 2.0)  # a probe may take 5 % of the time, so this one alone 40 s
        return draw(*args)

    monkeypatch.setattr("workbench.live.problems.draw", slow_at_first)
    trainer = make()
    trainer.start()
    until(lambda: len(calls) >= 5)
    assert calls[4] - calls[0] < 20


def test_any_branch_is_measured_on_request(make):
    trainer = make()
    trainer.step(4)
    trainer.wait(120.0)
    trainer.fork(name="second")
    shown = trainer.cloud
    assert trainer.measure("main") == trainer.measure("second") == trainer.probe
    assert trainer.cloud is not shown
    with pytest.raises(UnknownNameError, match="unknown branch"):
        trainer.measure("third")


def test_reward_is_known_where_it_is_one_surface(make):
    trainer = make()
    grid = trainer.reward_grid
    assert grid is not None
    assert grid is trainer.reward_grid
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    np.testing.assert_allclose(np.linspace(-1, 1, 81)[[column, row]], [0.7, 0.0], atol=1e-6)
    turning = make_toy("eight_gaussians_turning", rows=100, seed=0)
    assert Problem.of("toy:eight_gaussians_turning", *turning).reward_grid is None


def test_several_seeds_report_their_mean(make):
    trainer = make(seeds=(0, 1))
    trainer.step(3)
    state = trainer.result(120.0)
    assert state.step.shape == (2,)
    assert np.isfinite(trainer.branch.history.all()["loss_fm"]).all()
    with pytest.raises(WorkbenchError, match="sc must be one number"):
        make(seeds=(0, 1), weights={"sc": [1.0, 2.0]})


def test_other_agents_train_with_their_own_controls(make):
    trainer = make(agent="bc", settings={"width": 16, "depth": 1})
    trainer.step(3)
    trainer.result(120.0)
    assert list(trainer.branch.start.values) == ["lr", "m_inf", "n", "verifier"]


def test_chunks_are_tuned_to_their_time():
    chunk, seconds_each = 1, 0.0007
    for _ in range(10):
        chunk = tuned(chunk, chunk * seconds_each, chunk)
    assert 0.02 <= chunk * seconds_each <= 0.05
    assert tuned(chunk, 1.0, chunk) < chunk
    assert tuned(3, 3 * seconds_each, chunk) == chunk
    assert tuned(1, 5.0, 1) == 1


def test_settings_name_the_agent_they_lack():
    with pytest.raises(UnknownNameError, match="did you mean sc"):
        Settings((("sc", 1.0),)).changed({"scc": 1.0})
