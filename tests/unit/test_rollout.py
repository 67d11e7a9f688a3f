"""The file of recorded episodes: what goes in comes out, and what is no such file is said to be none."""

from pathlib import Path

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.rollout import Rollout, load_rollouts, save_rollouts

MAZE = "pointmaze-medium-navigate-singletask-task1-v0"


def some_rollout(buttons: bool) -> Rollout:
    """Three made-up steps."""
    rng = np.random.default_rng(0)
    return Rollout(
        MAZE,
        "post",
        seed=1,
        episode=2,
        cell=Cell(4, 2, "min"),
        qpos=rng.normal(size=(4, 3)),
        qvel=rng.normal(size=(4, 2)),
        button_states=np.zeros((4, 2), np.int64) if buttons else None,
        actions=rng.normal(size=(3, 2)).astype(np.float32),
        reward=np.array([-1.0, -1.0, 0.0]),
        success=np.array([False, False, True]),
        q=np.zeros(3, np.float32),
        candidates=np.zeros((3, 2, 2), np.float32),
        q_candidates=np.zeros((3, 2), np.float32),
    )


def test_rollouts_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.npz"
    before = [some_rollout(buttons=False), some_rollout(buttons=True)]
    save_rollouts(path, before)
    after = load_rollouts(path)
    assert [(r.cell, r.seed, r.episode, r.task, r.succeeded) for r in after] == 2 * [
        (Cell(4, 2, "min"), 1, 2, MAZE, True)
    ]
    assert after[0].button_states is None
    np.testing.assert_array_equal(after[1].button_states, before[1].button_states)
    np.testing.assert_array_equal(after[1].qpos, before[1].qpos)


def test_broken_rollout_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.npz"
    with pytest.raises(WorkbenchError, match="no rollout file"):
        load_rollouts(path)
    save_rollouts(path, [some_rollout(buttons=False)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(WorkbenchError, match="not a file of recorded rollouts"):
        load_rollouts(path)
    np.savez(path, header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(WorkbenchError, match="not a file of recorded rollouts"):
        load_rollouts(path)
