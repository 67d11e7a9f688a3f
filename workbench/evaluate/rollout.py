"""Recorded episodes, and the file that carries them to the renderer. No jax here."""

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.paths import atomic_write

FORMAT = 2
READABLE = (1, 2)
"""Format 1 had neither `flow` nor `act_ms`."""


@dataclass(frozen=True)
class Rollout:
    """One episode: the physics of its T + 1 states (`row`), and what was decided in each of the first T (`step`).

    `q` is the critic's value of the chosen action and `q_candidates` of every candidate, by the cell's verifier.
    `success` and `reward` belong to the step. `button_states` is None where the task has no buttons. `flow` is the way
    of the chosen action from noise, its points at t = 0, 1/M_inf, …, 1 before the clip, and None where the agent plays
    by no flow; `act_ms` the milliseconds of one decision of this budget alone, None where that was not measured.
    """

    task: str
    success_timing: str
    seed: int
    episode: int
    cell: Cell
    qpos: Float[np.ndarray, "row nq"]
    qvel: Float[np.ndarray, "row nv"]
    button_states: Int[np.ndarray, "row button"] | None
    actions: Float[np.ndarray, "step act"]
    reward: Float[np.ndarray, " step"]
    success: Shaped[np.ndarray, " step"]
    q: Float[np.ndarray, " step"]
    candidates: Float[np.ndarray, "step cand act"]
    q_candidates: Float[np.ndarray, "step cand"]
    flow: Float[np.ndarray, "step time act"] | None = None
    act_ms: float | None = None

    @property
    def length(self) -> int:
        """Number of steps."""
        return len(self.actions)

    @property
    def chosen(self) -> Int[np.ndarray, " step"]:
        """Number of the candidate that was played, or the nearest to it (L1), as `Decision.chosen`."""
        return np.abs(self.candidates - self.actions[:, None]).sum(axis=2).argmin(axis=1)

    @property
    def succeeded(self) -> bool:
        """Whether any step was a success."""
        return bool(self.success.any())


_HEADER = ("task", "success_timing", "seed", "episode", "act_ms", "cell")
_ARRAYS = tuple(field.name for field in dataclasses.fields(Rollout) if field.name not in _HEADER)


def save_rollouts(path: Path, rollouts: Sequence[Rollout]) -> None:
    """Write episodes to one npz file, atomically: a JSON `header`, and arrays named `0000/qpos` and so on."""
    headers = [
        {name: getattr(each, name) for name in _HEADER[:-1]} | {"cell": dataclasses.asdict(each.cell)}
        for each in rollouts
    ]
    arrays: dict[str, Any] = {
        f"{i:04d}/{name}": getattr(each, name)
        for i, each in enumerate(rollouts)
        for name in _ARRAYS
        if getattr(each, name) is not None
    }
    header = np.array(json.dumps({"format": FORMAT, "episodes": headers}))
    with atomic_write(path) as file:
        np.savez_compressed(file, header=header, **arrays)


def load_rollouts(path: Path) -> list[Rollout]:
    """Read the episodes that `save_rollouts` wrote; raises `WorkbenchError` when the file is not one of those."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] not in READABLE:
                raise ValueError(f"its format is {header['format']}, this version reads up to {FORMAT}")
            return [_read(file, i, each) for i, each in enumerate(header["episodes"])]
    except FileNotFoundError:
        raise WorkbenchError(f"there is no rollout file {path}: record some with `workbench video RUN`.") from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise WorkbenchError(f"{path} is not a file of recorded rollouts ({error}): record it again.") from error


def _read(file: np.lib.npyio.NpzFile, i: int, header: dict[str, Any]) -> Rollout:
    fields: dict[str, Any] = header | {"cell": Cell(**header["cell"])}
    fields |= {name: file.get(f"{i:04d}/{name}") for name in _ARRAYS}
    return Rollout(**fields)
