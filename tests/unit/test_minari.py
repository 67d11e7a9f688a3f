"""D4RL through Minari: conventions of reward and mask, the split by episodes, and sentences for what can go wrong."""

import sys
from dataclasses import replace

import gymnasium
import jax
import jax.numpy as jnp
import minari
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Space
from minari.data_collector import EpisodeBuffer

from workbench.data.dataset import Dataset
from workbench.data.minari_files import load_minari
from workbench.errors import DatasetError, MissingExtraError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:minari")

UNIT_ACTIONS = Box(-1.0, 1.0, (2,), np.float32)
VECTOR = Box(-np.inf, np.inf, (3,), np.float32)


class SpacesOnly(gymnasium.Env):
    """An environment of spaces: Minari wants one to describe a dataset, and nothing steps it."""

    def __init__(self, observation_space: Space, action_space: Space) -> None:
        self.observation_space, self.action_space = observation_space, action_space


def episode(number: int, length: int, *, terminated: bool = False, rewards: list[float] | None = None) -> EpisodeBuffer:
    """Observations (number, step, 0), actions 0.1 · number, the last step terminated or else truncated."""
    end = np.arange(length) == length - 1
    return EpisodeBuffer(
        observations=[np.array([number, step, 0], np.float32) for step in range(length + 1)],
        actions=[np.full(2, 0.1 * number, np.float32) for _ in range(length)],
        rewards=list(range(length)) if rewards is None else rewards,
        terminations=list(end & terminated),
        truncations=list(end & (not terminated)),
    )


@pytest.fixture(autouse=True)
def minari_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def store(
    dataset_id: str, episodes: list[EpisodeBuffer], observation: Space = VECTOR, action: Space = UNIT_ACTIONS
) -> None:
    minari.create_dataset_from_buffers(dataset_id, episodes, env=SpacesOnly(observation, action))


def numbers(dataset: Dataset) -> list[int]:
    """Episodes a dataset holds, by the first column of `episode`."""
    return sorted({int(value) for value in np.asarray(dataset.x[:, 0])})


def of_episode(dataset: Dataset, number: int):
    batch = jax.vmap(dataset.transition)(jnp.arange(dataset.size))
    return jax.tree.map(lambda leaf: np.asarray(leaf)[np.asarray(batch.x[:, 0]) == number], batch)


def test_rows_of_an_episode_and_what_ends_it():
    store("toy/ends-v0", [episode(0, 3), episode(1, 4, terminated=True), episode(2, 2)])
    parts = load_minari("toy/ends-v0")
    both = {number: of_episode(part, number) for part in parts for number in numbers(part)}
    assert sum(part.size for part in parts) == 3 + 4 + 2
    assert sum(len(part.x) for part in parts) == 4 + 5 + 3
    np.testing.assert_array_equal(both[0].mask, [1, 1, 1])  # truncated: the value goes on
    np.testing.assert_array_equal(both[1].mask, [1, 1, 1, 0])
    np.testing.assert_array_equal(both[1].r, [0, 1, 2, 3])
    np.testing.assert_array_equal(both[1].x_next[:, 1], [1, 2, 3, 4])
    np.testing.assert_array_equal(both[1].x_next[:, 0], 1)
    np.testing.assert_allclose(both[2].a, 0.2, rtol=1e-6)


def test_antmaze_pays_minus_one_and_ends_at_the_goal():
    name = "D4RL/antmaze/tiny-v1"
    store(name, [episode(0, 4, rewards=[0.0, 1.0, 1.0, 0.0]), episode(1, 2, rewards=[0.0, 0.0])])
    parts = {number: part for part in load_minari(name) for number in numbers(part)}
    reached, lost = of_episode(parts[0], 0), of_episode(parts[1], 1)
    np.testing.assert_array_equal(reached.r, [-1, 0, 0, -1])
    np.testing.assert_array_equal(reached.mask, [1, 0, 0, 1])
    np.testing.assert_array_equal(lost.mask, [1, 1])
    assert "rewards - 1" in parts[0].provenance.detail


def test_antmaze_with_other_rewards_is_refused():
    store("toy/antmaze-dense-v0", [episode(number, 2, rewards=[-3.5, -2.0]) for number in range(2)])
    with pytest.raises(DatasetError, match="not all 0 or 1"):
        load_minari("toy/antmaze-dense-v0")


def test_goal_observations_join_as_flatten_observation_does():
    widths = {"observation": 3, "achieved_goal": 2, "desired_goal": 1}
    space = Dict({key: Box(-99, 99, (width,)) for key, width in widths.items()})
    row = {key: np.full(width, 10 * k, np.float32) for k, (key, width) in enumerate(widths.items())}
    columns = {key: [value] * 3 for key, value in row.items()}
    store("toy/goals-v0", [replace(episode(n, 2), observations=columns) for n in range(2)], observation=space)
    train, _ = load_minari("toy/goals-v0")
    np.testing.assert_array_equal(train.x[0], [10, 10, 20, 0, 0, 0])
    np.testing.assert_array_equal(train.x[0], np.asarray(gymnasium.spaces.flatten(space, row)))


def test_split_holds_out_whole_episodes_and_follows_the_seed():
    store("toy/many-v0", [episode(number, 3 + number % 3) for number in range(20)])
    train, val = load_minari("toy/many-v0", seed=1, val_fraction=0.25)
    assert len(numbers(val)) == 5
    assert sorted(numbers(train) + numbers(val)) == list(range(20))
    assert numbers(load_minari("toy/many-v0", seed=1, val_fraction=0.25)[1]) == numbers(val)
    others = [numbers(load_minari("toy/many-v0", seed=seed, val_fraction=0.25)[1]) for seed in range(2, 5)]
    assert any(other != numbers(val) for other in others)
    assert (train.provenance.kind, train.provenance.name, train.provenance.seed) == ("minari", "toy/many-v0", 1)
    assert "15 of 20 episodes" in train.provenance.detail
    assert "no official validation split" in val.provenance.detail


def test_provenance_hash_is_of_the_data(minari_folder):
    store("toy/a-v0", [episode(0, 2), episode(1, 2)])
    before = load_minari("toy/a-v0")[0].provenance.sha256
    assert before == load_minari("toy/a-v0", seed=3)[0].provenance.sha256
    minari.load_dataset("toy/a-v0").update_dataset_from_buffer([episode(2, 2)])
    assert load_minari("toy/a-v0")[0].provenance.sha256 != before


def test_missing_dataset_says_how_to_download_it():
    with pytest.raises(DatasetError, match="minari download D4RL/pen/human-v2"):
        load_minari("D4RL/pen/human-v2")


@pytest.mark.parametrize("package", ["minari", "h5py"])
def test_missing_package_names_the_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*\[d4rl\]"):
        load_minari("D4RL/pen/human-v2")


def test_half_downloaded_dataset_says_so(minari_folder):
    store("toy/cut-v0", [episode(0, 50), episode(1, 50)])
    path = minari_folder / "toy" / "cut-v0" / "data" / "main_data.hdf5"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DatasetError, match="toy/cut-v0' cannot be read"):
        load_minari("toy/cut-v0")
    (path.parent / "metadata.json").unlink()
    with pytest.raises(DatasetError, match="toy/cut-v0' cannot be read"):
        load_minari("toy/cut-v0")


def test_actions_that_do_not_fit_are_refused():
    store("toy/wide-v0", [episode(0, 2), episode(1, 2)], action=Box(-3.0, 3.0, (2,), np.float32))
    with pytest.raises(DatasetError, match="from -3 to 3"):
        load_minari("toy/wide-v0")
    store("toy/discrete-v0", [episode(0, 2), episode(1, 2)], action=Discrete(4))
    with pytest.raises(DatasetError, match="only vectors"):
        load_minari("toy/discrete-v0")


def test_episodes_that_do_not_fit_are_refused():
    store("toy/one-v0", [episode(0, 2)])
    with pytest.raises(DatasetError, match=r"Minari dataset 'toy/one-v0' has 1 episode\(s\), .* it takes two episodes"):
        load_minari("toy/one-v0")
    short = [replace(episode(n, 3), observations=episode(n, 2).observations) for n in range(2)]
    store("toy/short-v0", short)
    with pytest.raises(DatasetError, match="3 observations for 3 actions"):
        load_minari("toy/short-v0")
    images = [replace(episode(n, 1), observations=[np.zeros((4, 4))] * 2) for n in range(2)]
    store("toy/images-v0", images, observation=Box(-1, 1, (4, 4)))
    with pytest.raises(DatasetError, match="not vectors"):
        load_minari("toy/images-v0")


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_split_without_either_half_is_refused(fraction):
    store("toy/any-v0", [episode(0, 2), episode(1, 2)])
    with pytest.raises(DatasetError, match="between 0 and 1"):
        load_minari("toy/any-v0", val_fraction=fraction)
