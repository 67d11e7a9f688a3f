"""The maze recipes: cells, corridors, goals at a distance, and the walking policy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.catalogue import dataset_info
from workbench.data.make.episodes import collect_episode, episode_rng
from workbench.data.make.expert import load_expert
from workbench.data.make.maze import cells_at, free_cells, is_corridor
from workbench.data.make.spec import open_collector

EXPERT = Path(__file__).parents[3] / "shared" / "experts" / "ant.npz"


def test_corridors_and_cells_at_a_distance():
    maze = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    assert free_cells(maze) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert [cell for cell in free_cells(maze) if is_corridor(maze, cell)] == [(1, 2)]
    assert cells_at(maze, (2, 1), 3) == [(1, 3)]
    assert cells_at(maze, (2, 1), 4) == []


@pytest.mark.parametrize("size", ["medium", "large", "giant"])
def test_stitch_always_finds_a_goal_that_the_shortest_path_agrees_with(size):
    import gymnasium
    import ogbench.locomaze  # noqa: F401

    env: Any = gymnasium.make(f"pointmaze-{size}-v0").unwrapped
    for start in free_cells(env.maze_map):
        goals = cells_at(env.maze_map, start, 4)
        _, steps = env.get_oracle_subgoal(env.ij_to_xy(start), env.ij_to_xy(start))
        assert goals
        assert goals == [(int(i), int(j)) for i, j in np.argwhere(steps == 4)]


@pytest.mark.skipif(not EXPERT.exists(), reason="needs the ant expert")
def test_an_ant_episode_does_not_depend_on_those_before_it():
    info = dataset_info("antmaze-medium-stitch-v0")
    used = open_collector(info, EXPERT)
    first = collect_episode(used, episode_rng(0, "train", 0), 60)
    again = collect_episode(used, episode_rng(0, "train", 0), 60)
    assert all(np.array_equal(first[key], again[key]) for key in first)


def test_the_expert_is_the_network_of_its_description(tmp_path):
    rng = np.random.default_rng(0)
    shapes = ((29, 6), (6, 6), (6, 8))
    kernels, biases = [rng.normal(size=shape) for shape in shapes], [rng.normal(size=shape[1]) for shape in shapes]
    named: dict[str, Any] = {f"kernel_{k}": kernel.astype(np.float32) for k, kernel in enumerate(kernels)}
    named |= {f"bias_{k}": bias.astype(np.float32) for k, bias in enumerate(biases)}
    np.savez(tmp_path / "e.npz", **named)
    state, direction = rng.normal(size=29), np.array([0.6, 0.8])
    import jax

    hidden = np.concatenate([state[2:], direction])
    for kernel, bias in zip(kernels[:2], biases[:2], strict=True):
        hidden = np.asarray(jax.nn.gelu(hidden @ kernel + bias, approximate=True))
    expected = np.tanh(hidden @ kernels[2] + biases[2])
    np.testing.assert_allclose(load_expert(tmp_path / "e.npz")(state, direction), expected, atol=1e-5)
