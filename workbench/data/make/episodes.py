"""One episode of a regenerated dataset: its random stream, its rows, and the redraw of those that are unusable."""

import itertools
from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

Episode: TypeAlias = dict[str, np.ndarray]
"""Arrays of one episode by their key in the official files, all with the same number of rows."""

Step: TypeAlias = tuple[np.ndarray, np.ndarray, dict[str, Any]]
"""Observation, the action taken in it, and the `info` that the environment returned for that step."""

SPLITS = ("train", "val")

# Key in the file: (key in the environment's info, dtype). `prev_` is the state the action was taken in.
_STATE_KEYS = {
    "qpos": ("prev_qpos", np.float32),
    "qvel": ("prev_qvel", np.float32),
    "button_states": ("prev_button_states", np.int64),
}


@runtime_checkable
class Collector(Protocol):
    """Steps one environment by a scripted policy."""

    def steps(self, rng: np.random.Generator) -> Iterator[Step]:
        """Reset from `rng` and step for as long as the caller asks."""
        ...

    def accepts(self, episode: Episode) -> bool:
        """Whether a finished episode belongs in the dataset."""
        ...


def episode_rng(seed: int, split: str, number: int) -> np.random.Generator:
    """The random stream of one episode: it depends on the set's seed, the split and the episode's number only."""
    sequence = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), number))
    return np.random.default_rng(sequence)


def seed_legacy_numpy(rng: np.random.Generator) -> None:
    """Seed numpy's process-wide generator from the episode's own stream.

    OGBench's oracles and mazes draw from it, so there is no other way to make them repeatable. Called in worker
    processes only, which belong to this package; the user's process is never touched.
    """
    np.random.seed(rng.integers(2**32, dtype=np.uint32))  # noqa: NPY002


def collect_episode(collector: Collector, rng: np.random.Generator, rows: int) -> Episode:
    """Step until an episode of `rows` rows is accepted; those refused are redrawn from the same stream."""
    while True:
        episode = _to_arrays(itertools.islice(collector.steps(rng), rows))
        if collector.accepts(episode):
            return episode


def _to_arrays(steps: Iterator[Step]) -> Episode:
    observations, actions, infos = zip(*steps, strict=True)
    episode = {
        "observations": np.array(observations, np.float32),
        "actions": np.array(actions, np.float32),
        "terminals": np.arange(len(actions)) == len(actions) - 1,
    }
    for key, (source, dtype) in _STATE_KEYS.items():
        if source in infos[0]:
            episode[key] = np.array([info[source] for info in infos], dtype)
    return episode
