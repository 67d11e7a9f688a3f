"""Statistics of a dataset file, against files whose statistics are known."""

import json

import numpy as np
import pytest

from workbench.data.make import make_dataset
from workbench.data.summary import action_moments, episode_lengths, summarise
from workbench.errors import DatasetError

# Goals of the five tasks of pointmaze-medium, as (row, column) of the maze; a cell is 4 wide and (1, 1) is the origin.
GOALS = [(6, 6), (1, 6), (4, 2), (6, 1), (1, 1)]


def write_pointmaze(folder, xy, terminals, actions=None):
    path = folder / "pointmaze-medium-navigate-v0-val.npz"
    xy = np.asarray(xy, np.float32)
    actions = np.zeros_like(xy) if actions is None else actions
    np.savez(path, observations=xy, actions=actions, terminals=terminals, qpos=xy, qvel=xy * 0)
    return path


def test_success_is_counted_for_each_task_by_its_own_goal(tmp_path):
    """Task k is solved in k + 1 rows of 20; a point 1.1 from a goal, beyond the tolerance of 1, solves nothing."""
    goals = [np.array([4 * j - 4, 4 * i - 4]) for i, j in GOALS]
    solved = [goal + 0.6 for k, goal in enumerate(goals) for _ in range(k + 1)]
    xy = solved + [goals[0] + np.array([0.0, 1.1])] * 5
    summary = summarise(write_pointmaze(tmp_path, xy, np.arange(20) == 19))
    assert summary["success"] == pytest.approx({f"task{k + 1}": (k + 1) / 20 for k in range(5)})
    assert (summary["name"], summary["rows"], summary["episodes"]) == ("pointmaze-medium-navigate-v0", 20, 1)
    assert json.loads(json.dumps(summary)) == summary


def test_episode_lengths_count_the_last_row_and_an_unfinished_tail():
    assert episode_lengths(np.array([0, 0, 1, 1, 0, 1], bool)).tolist() == [3, 1, 2]
    assert episode_lengths(np.array([0, 1, 0, 0], bool)).tolist() == [2, 2]


def test_action_moments_are_those_of_each_dimension():
    actions = np.array([[-1.0, 0.5], [1.0, 0.5], [0.0, 0.5], [0.0, 0.5]], np.float32)
    first, second = action_moments(actions)
    assert first == pytest.approx({"mean": 0.0, "std": np.sqrt(0.5), "min": -1.0, "max": 1.0})
    assert second == pytest.approx({"mean": 0.5, "std": 0.0, "min": 0.5, "max": 0.5})


def test_files_that_cannot_be_summarised_say_why(tmp_path):
    with pytest.raises(DatasetError, match="no file"):
        summarise(tmp_path / "cube-single-play-v0.npz")


@pytest.mark.slow
def test_a_made_cube_set_has_plausible_statistics(tmp_path):
    """Bounds around the moments of a set of 300 episodes; every task is solved somewhere in 20 full episodes."""
    target = make_dataset("cube-single-play-v0", episodes=20, val_episodes=1, folder=tmp_path, progress=False)
    summary = summarise(target)
    assert summary["episode_length"] == {"min": 1001, "mean": 1001.0, "max": 1001}
    assert summary["episodes"] == 20
    expected = [(0.02, 0.31), (-0.01, 0.42), (0.05, 0.65), (0.0, 0.39), (0.17, 0.25)]
    for moments, (mean, std) in zip(summary["actions"], expected, strict=True):
        assert moments["mean"] == pytest.approx(mean, abs=0.06)
        assert moments["std"] == pytest.approx(std, abs=0.06)
        assert -1 <= moments["min"] < moments["max"] <= 1
    assert all(0 < fraction < 0.2 for fraction in summary["success"].values())
