"""D4RL datasets through Minari: whole episodes in, a training and a validation `Dataset` out."""

import hashlib
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench.data.dataset import Dataset, Provenance
from workbench.data.hold_out import hold_out
from workbench.errors import DatasetError, MissingExtraError, note


def load_minari(dataset_id: str, *, seed: int = 0, val_fraction: float = 0.1) -> tuple[Dataset, Dataset]:
    """Load a downloaded Minari dataset, for example `D4RL/pen/human-v2`, as (training, validation).

    Minari has no official validation split: a share `val_fraction` of the episodes, at least one, is held out, always
    whole episodes, drawn from `seed`. Conventions of the field:

    - mask = 1 - termination; a truncated episode still bootstraps from its last observation.
    - rewards as stored, except where the id names `antmaze`: there stored rewards are 0, or 1 at the goal, whether or
      not the episode goes on; r = reward - 1, and mask = 0 at the goal.
    - dictionary observations are concatenated in alphabetical order of their keys, for goal environments
      (achieved_goal, desired_goal, observation): what `gymnasium.wrappers.FlattenObservation` gives at evaluation.
      achieved_goal belongs there because antmaze keeps the torso's position nowhere else; its observations are thus
      31 wide, two more (the goal) than those of the original D4RL.

    Set `MINARI_DATASETS_PATH` to read from another folder than Minari's own. Raises `MissingExtraError` without the
    `d4rl` extra, and `DatasetError` when the dataset is not on this machine, cannot be read, has fewer than two
    episodes, or is no problem of vector observations and actions in [-1, 1].
    """
    dataset = _open(dataset_id)
    _check_actions(dataset_id, dataset.action_space)
    count = dataset.total_episodes
    held_out = hold_out(f"Minari dataset '{dataset_id}'", count, val_fraction, seed)
    episodes = np.asarray(dataset.episode_indices)
    sha256 = _digest(Path(dataset.storage.data_path))

    def build(split: str, ids: np.ndarray) -> Dataset:
        provenance = Provenance("minari", dataset_id, sha256, seed, _detail(dataset_id, split, len(ids), count))
        x, a, r, mask, valid = _rows(dataset_id, dataset.iterate_episodes(np.sort(ids)))
        return Dataset.build(x, a, r, mask, valid, provenance)

    train = build("training", episodes[~held_out])
    r = np.asarray(train.r)[np.asarray(train.index)]
    if (r == r[0]).all():
        note(f"Minari dataset '{dataset_id}': every reward is {r[0]:g}: all actions look equally good.")
    return train, build("validation", episodes[held_out])


def _detail(dataset_id: str, split: str, episodes: int, count: int) -> str:
    convention = "; rewards - 1, mask 0 at the goal" if _is_antmaze(dataset_id) else ""
    return (
        f"{split} split: {episodes} of {count} episodes, whole ones, held out by this workbench "
        f"(Minari has no official validation split){convention}"
    )


def _open(dataset_id: str) -> Any:
    for package in ("minari", "h5py"):
        try:
            import_module(package)
        except ImportError:
            raise MissingExtraError(package, "d4rl", f"loading '{dataset_id}'") from None
    import minari

    try:
        return minari.load_dataset(dataset_id)
    except FileNotFoundError:
        raise DatasetError(
            f"Minari dataset '{dataset_id}' is not on this machine: run `minari download {dataset_id}` "
            "(`minari list remote` prints every id)."
        ) from None
    except (AssertionError, KeyError, OSError, ValueError) as error:
        raise _unreadable(dataset_id, error) from error


def _unreadable(dataset_id: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"Minari dataset '{dataset_id}' cannot be read ({error or type(error).__name__}): "
        f"delete it and run `minari download {dataset_id}` again."
    )


def _check_actions(dataset_id: str, space: Any) -> None:
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or len(space.shape) != 1:
        raise DatasetError(
            f"Minari dataset '{dataset_id}' has actions {space}: only vectors of real numbers are supported."
        )
    if max(-space.low.min(), space.high.max()) > 1:
        raise DatasetError(
            f"Minari dataset '{dataset_id}' has actions from {space.low.min():g} to {space.high.max():g}, but agents "
            "here act in [-1, 1]: store it again with actions divided by their limit."
        )


def _is_antmaze(dataset_id: str) -> bool:
    return "antmaze" in dataset_id.lower()


def _rows(dataset_id: str, episodes: Iterable[Any]) -> tuple[np.ndarray, ...]:
    """Observations, actions, rewards, masks and validity of all rows, T + 1 an episode; the last has no action."""
    columns: list[tuple[np.ndarray, ...]] = []
    try:
        for episode in episodes:
            x = _vectors(dataset_id, episode.observations)
            if len(x) != len(episode) + 1:
                raise DatasetError(
                    f"episode {episode.id} of Minari dataset '{dataset_id}' has {len(x)} observations for "
                    f"{len(episode)} actions: an episode needs one more observation than actions."
                )
            r, mask = episode.rewards.astype(np.float32), 1 - episode.terminations.astype(np.float32)
            if _is_antmaze(dataset_id):
                r, mask = _goal_rewards(dataset_id, r, mask)
            a = np.pad(episode.actions.astype(np.float32), ((0, 1), (0, 0)))
            columns.append((x, a, np.pad(r, (0, 1)), np.pad(mask, (0, 1)), np.arange(len(x)) < len(episode)))
    except (KeyError, OSError, ValueError) as error:
        raise _unreadable(dataset_id, error) from error
    return tuple(np.concatenate(column) for column in zip(*columns, strict=True))


def _goal_rewards(
    dataset_id: str, reward: Float[np.ndarray, " step"], mask: Float[np.ndarray, " step"]
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, " step"]]:
    if not np.isin(reward, (0, 1)).all():
        raise DatasetError(
            f"Minari dataset '{dataset_id}' is named antmaze but its rewards are not all 0 or 1: "
            "the antmaze convention (reward - 1) would be wrong, so store it under an id without 'antmaze'."
        )
    return reward - 1, mask * (1 - reward)


def _vectors(dataset_id: str, observations: Any) -> Float[np.ndarray, "row obs"]:
    if isinstance(observations, dict):
        parts = [_vectors(dataset_id, observations[key]) for key in sorted(observations)]
        return np.concatenate(parts, axis=-1)
    if not isinstance(observations, np.ndarray) or observations.ndim != 2:
        raise DatasetError(
            f"Minari dataset '{dataset_id}' has observations that are not vectors: "
            "images and symbols are not supported."
        )
    return observations.astype(np.float32)


def _digest(folder: Path) -> str:
    """SHA-256 over the data files, in order of their names; Minari rewrites its metadata file, which is left out."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "metadata.json":
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
