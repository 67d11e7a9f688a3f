"""Evaluation: repeatable episodes, the same whatever the workers; what rows and rollouts hold; failures."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit import scripted
from workbench.cli.video import Video
from workbench.data.catalogue import DATASETS
from workbench.data.dataset import Provenance
from workbench.errors import DivergedError, UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell, grid, protocol_grid
from workbench.evaluate.envs import episode_seed, make_env, make_lanes, physics, reset
from workbench.evaluate.evaluation import Evaluation, evaluate, evaluate_policy
from workbench.evaluate.policy import Choice, noise_keys
from workbench.evaluate.pool import EnvPool
from workbench.store.folder import RunFolder
from workbench.store.spec import make_spec

CUBE = "cube-single-play-singletask-task2-v0"
MAZE = "pointmaze-medium-navigate-singletask-task1-v0"
SCENE = "scene-play-singletask-task2-v0"
ANT = "antmaze-medium-navigate-singletask-task1-v0"
TIMES = {"seconds", "act_ms"}


def run(task: str, cells: tuple[Cell, ...], act: int, seeds: tuple[int, ...] = (0, 3), **settings) -> Evaluation:
    """Evaluate the scripted agent."""
    agent = scripted.Scripted(act)
    return evaluate(agent, agent.states(seeds), task, cells, seeds=seeds, progress=False, **settings)


def untimed(evaluation: Evaluation) -> list[dict]:
    """Rows without the columns that measure time."""
    return [{name: value for name, value in row.items() if name not in TIMES} for row in evaluation.rows]


@pytest.fixture(scope="module")
def cube() -> Evaluation:
    """Short episodes on the cube, in one worker, with every one recorded."""
    return run(CUBE, grid((1, 2), (1, 3)), 5, episodes=3, workers=1, record=3, episode_limit=8, max_lanes=16)


def test_workers_change_nothing(cube: Evaluation) -> None:
    other = run(CUBE, grid((1, 2), (1, 3)), 5, episodes=3, workers=2, record=3, episode_limit=8, max_lanes=16)
    assert untimed(other) == untimed(cube)
    for one, two in zip(cube.rollouts, other.rollouts, strict=True):
        np.testing.assert_array_equal(one.qpos, two.qpos)
        np.testing.assert_array_equal(one.candidates, two.candidates)


def test_rows_tell_every_episode_in_order(cube: Evaluation) -> None:
    found = [(row["seed"], row["m_inf"], row["n"], row["episode"]) for row in cube.rows]
    assert found == [(s, cell.m_inf, cell.n, e) for s in (0, 3) for cell in grid((1, 2), (1, 3)) for e in range(3)]
    assert {row["length"] for row in cube.rows} == {8}
    assert all(row["return"] == -8.0 and not row["success"] and row["seconds"] > 0 for row in cube.rows)
    assert {(row["task"], row["success_timing"], row["verifier"]) for row in cube.rows} == {(CUBE, "post", "mean")}
    assert all(row["act_ms"] > 0 for row in cube.rows)
    assert list(cube.table().columns) == list(cube.rows[0])


def test_rollouts_are_what_the_environment_does(cube: Evaluation) -> None:
    env = make_env(CUBE).unwrapped
    for rollout in (cube.rollouts[0], cube.rollouts[-1]):
        reset(env, episode_seed(0, rollout.seed, rollout.episode))
        for step, action in enumerate(rollout.actions):
            np.testing.assert_array_equal(physics(env)["qpos"], rollout.qpos[step])
            _, reward, _, _, info = env.step(action)
            assert (reward, info["success"]) == (rollout.reward[step], rollout.success[step])
        np.testing.assert_array_equal(physics(env)["qvel"], rollout.qvel[-1])


def test_rollouts_hold_the_decisions(cube: Evaluation) -> None:
    for rollout in cube.rollouts:
        assert rollout.candidates.shape == (rollout.length, rollout.cell.n, 5)
        best = rollout.q_candidates.argmax(axis=1)
        np.testing.assert_array_equal(rollout.candidates[np.arange(rollout.length), best], rollout.actions)
        np.testing.assert_allclose(rollout.q, rollout.q_candidates.max(axis=1))
        np.testing.assert_allclose(rollout.q, -(rollout.actions**2).sum(axis=1), rtol=1e-5)


def test_cells_share_starts_and_noise(cube: Evaluation) -> None:
    one, three = (next(r for r in cube.rollouts if (r.cell.m_inf, r.cell.n) == (1, n)) for n in (1, 3))
    np.testing.assert_array_equal(one.qpos[0], three.qpos[0])
    np.testing.assert_allclose(one.candidates[0, 0], three.candidates[0, 0], rtol=1e-6)
    starts = {rollout.qpos[0].tobytes() for rollout in cube.rollouts}
    assert len(starts) == 6  # two seeds, three episodes


def test_a_lane_takes_the_next_episode() -> None:
    few = run(MAZE, (Cell(1, 1),), 2, episodes=7, workers=2, episode_limit=20, max_lanes=4)
    many = run(MAZE, (Cell(1, 1),), 2, episodes=7, workers=2, episode_limit=20, max_lanes=64)
    assert [row["episode"] for row in few.rows] == 2 * list(range(7))
    np.testing.assert_allclose([row["return"] for row in few.rows], [row["return"] for row in many.rows])


def test_a_later_episode_alone_is_the_one_of_the_whole() -> None:
    settings: dict[str, Any] = {"workers": 1, "episode_limit": 6}
    whole = run(MAZE, (Cell(2, 3),), 2, episodes=4, record=4, **settings)
    later = run(MAZE, (Cell(2, 3),), 2, episodes=2, record=1, first_episode=2, **settings)
    assert [row["episode"] for row in later.rows] == [2, 3, 2, 3]
    for one, other in zip(later.rollouts, (whole.rollouts[2], whole.rollouts[6]), strict=True):
        assert (one.seed, one.episode) == (other.seed, other.episode)
        np.testing.assert_array_equal(one.qpos[0], other.qpos[0])
        np.testing.assert_allclose(one.candidates, other.candidates, rtol=1e-5, atol=1e-6)


def test_cells_beyond_the_lanes_come_in_turn() -> None:
    cells = grid((1, 2, 4), (1,))
    split = run(MAZE, cells, 2, episodes=2, workers=1, episode_limit=5, max_lanes=2, record=1)
    assert [row["m_inf"] for row in split.rows] == [1] * 4 + [2] * 4 + [4] * 4
    assert [rollout.cell for rollout in split.rollouts] == [cell for cell in cells for _ in range(2)]


def test_another_evaluation_traces_nothing() -> None:
    settings: dict[str, Any] = {"episodes": 2, "workers": 1, "episode_limit": 5}
    run(MAZE, (Cell(2, 2),), 2, **settings)
    scripted.TRACES.clear()
    run(MAZE, (Cell(2, 2),), 2, seeds=(5, 6), key_seed=1, **settings)
    assert scripted.TRACES == []


def test_noise_keys_depend_on_counts_alone() -> None:
    episode = np.arange(8, dtype=np.int32).reshape(2, 2, 2) % 3
    keys = noise_keys(jnp.int32(0), jnp.array([4, 5]), jnp.asarray(episode), jnp.full((2, 2, 2), 7))
    again = noise_keys(jnp.int32(0), jnp.array([5, 4]), jnp.asarray(episode[::-1, ::-1, ::-1]), jnp.full((2, 2, 2), 7))
    assert (keys == again[::-1, ::-1, ::-1]).all()
    assert keys[0, 0, 0] != noise_keys(jnp.int32(1), jnp.array([4]), jnp.zeros((1, 1, 1), int), jnp.full((1, 1, 1), 7))
    assert (keys[0, 0, 0] == keys[0, 1, 1]) == (episode[0, 0, 0] == episode[0, 1, 1])


def random_state() -> np.ndarray:
    """State of numpy's process-wide generator."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return state["state"]["key"].copy()


@pytest.mark.parametrize("task", [CUBE, SCENE, MAZE, ANT])
def test_reset_is_repeatable(task: str) -> None:
    env = make_env(task).unwrapped
    before = random_state()
    first = reset(env, 7)
    env.step(np.zeros(env.action_space.shape, np.float32))
    other = reset(env, 8)
    np.testing.assert_array_equal(reset(env, 7), first)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(random_state(), before)


def test_copied_lanes_do_not_touch_each_other() -> None:
    one, two = make_lanes(SCENE, 2)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (10, 5)).astype(np.float32)
    reset(one, 3)
    alone = [one.step(action)[0] for action in actions]
    reset(one, 3)
    reset(two, 4)
    beside = []
    for action in actions:
        beside.append(one.step(action)[0])
        two._cur_button_states = 1 - two._cur_button_states
        two._apply_button_states()  # writes joint damping to its model
        two.step(action)
    np.testing.assert_array_equal(alone, beside)


def test_catalogue_knows_the_limits() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    pytest.importorskip("ogbench")
    for info in DATASETS.values():
        for number in range(1, 6):
            spec = gymnasium.spec(f"{info.environment}-singletask-task{number}-v0")
            assert spec.max_episode_steps == info.limit, info.name


def test_timing_is_a_name() -> None:
    with pytest.raises(UnknownNameError, match="success timing 'pots': did you mean post"):
        make_env(CUBE, success_timing="pots")


def test_timings_differ_by_one_step() -> None:
    """The step that reaches the goal counts under "post"; under "pre" the next one does."""
    first = {}
    for timing in ("post", "pre"):
        env = make_env(MAZE, success_timing=timing).unwrapped
        reset(env, 0)
        env.set_xy(env.cur_goal_xy)
        first[timing] = [bool(env.step(np.zeros(2, np.float32))[4]["success"]) for _ in range(2)]
        reset(env, 0)
        env.set_xy(env.cur_goal_xy + np.array([1.1, 0.0]))
        first[f"{timing} arrives"] = bool(env.step(np.array([-1.0, 0.0], np.float32))[4]["success"])
    assert first["post"][0]
    assert first["pre"][0]
    assert (first["post arrives"], first["pre arrives"]) == (True, False)


def test_actions_that_are_not_finite_stop_the_evaluation() -> None:
    def policy(x, keys) -> Choice:
        return Choice(jnp.full((*keys.shape, 2), jnp.nan), jnp.zeros(keys.shape), (), ())

    with pytest.raises(DivergedError, match=r"seed 4 .* \(M_inf 1, N 1, episode 0, step 0\)"):
        evaluate_policy(policy, MAZE, (Cell(1, 1),), seeds=(4,), episodes=1, workers=1, progress=False)


def test_what_is_not_asked_for_is_as_the_agents_protocol_says() -> None:
    assert protocol_grid("idql", "cube-single") == (Cell(5, 32, "min"),)
    assert protocol_grid("ifql", "antsoccer-arena", n=(1,)) == (Cell(10, 1, "min"),)
    assert protocol_grid("sorl", "scene", m_inf=(1, 8), verifier="min") == (Cell(1, 1, "min"), Cell(8, 1, "min"))
    assert protocol_grid("bc", "scene", m_inf=(1, 8)) == (Cell(1, 1),), "BC takes one step whatever it is asked"
    assert protocol_grid("sorl", "scene") == grid((1, 2, 4, 8), (1,)), "which of them the paper reports is unknown"


def test_a_budget_that_is_asked_for_twice_is_played_once() -> None:
    assert grid((1, 2, 1), (4, 4)) == (Cell(1, 4), Cell(2, 4))


def test_budgets_and_workers_beyond_what_there_can_be_are_refused() -> None:
    with pytest.raises(WorkbenchError, match=r"counts to 2\^31 - 1, not to 3,000,000,000"):
        Cell(3_000_000_000, 1)
    with pytest.raises(WorkbenchError, match="at least one worker to step environments, not -1"):
        EnvPool(MAZE, 2, workers=-1)


@pytest.mark.parametrize(
    ("agent", "asked", "cells"),
    [
        ("sorl", {}, grid((1, 2, 4, 8), (1,), "min")),  # the aggregate of the maze's critics
        ("fql", {}, (Cell(1, 1),)),
        ("sorl", {"n": (1, 8)}, grid((1, 2, 4, 8), (1, 8), "min")),
    ],
)
def test_a_video_shows_the_budgets_that_an_evaluation_tries(tmp_path, monkeypatch, agent, asked, cells) -> None:
    class Played(Exception):
        """There is nothing to film."""

    def play(folder: RunFolder, cells: tuple[Cell, ...], **_) -> Evaluation:
        raise Played(*cells)

    monkeypatch.setattr("workbench.render.backend.probe_backend", lambda: "osmesa")
    monkeypatch.setattr("workbench.experiments.evaluate_run", play)
    spec = make_spec(MAZE, Provenance("arrays", "test"), agent=agent, preset_name="small", steps=1)
    with pytest.raises(Played) as played:
        Video(str(RunFolder.create(tmp_path, spec).path), **asked).run()
    assert played.value.args == cells


@pytest.mark.parametrize(("m_inf", "n"), [(0, 1), (1, 0), (-2, 4)])
def test_a_budget_of_nothing_is_refused(m_inf: int, n: int) -> None:
    with pytest.raises(WorkbenchError, match="at least one step and one candidate"):
        grid((m_inf,), (n,))


def test_nothing_to_evaluate() -> None:
    with pytest.raises(WorkbenchError, match="at least one cell"):
        evaluate_policy(lambda x, keys: None, MAZE, (), seeds=(0,), episodes=1)  # pyright: ignore[reportArgumentType]
