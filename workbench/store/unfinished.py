"""Episodes of evaluations that were stopped or failed: kept beside a run until the same evaluation is finished.

They are no scores: of the episodes under way short ones end first, and those that succeed are short. So only budgets
of which every episode was played enter the run's table; the others wait in `unfinished/`.
"""

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.agents.base import TrainState
from workbench.errors import WorkbenchError, sentence
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import Evaluation
from workbench.paths import atomic_write
from workbench.stopping import Interrupted
from workbench.store.checkpoint import state_hash
from workbench.store.damage import DamagedRunError, reading
from workbench.store.folder import RunFolder

log = logging.getLogger(__name__)

CELL = ["m_inf", "n", "verifier"]
MEANING = ("success_timing", "episode_limit", "key_seed", "first_episode")
"""Settings of an evaluation that decide what an episode is."""


@contextmanager
def kept(
    folder: RunFolder, state: TrainState, cells: Sequence[Cell], episodes: int, settings: dict[str, Any]
) -> Iterator[Evaluation]:
    """An evaluation of a run's `state` to be filled in, which begins with what an earlier attempt left.

    After the block its episodes stand in the run's table. When the block is left by an exception, whole budgets do, and
    the others are kept; what is recorded for films is not. Raises `DamagedRunError` before anything is played where
    the table cannot be read, and `WorkbenchError` that says where the episodes are where it cannot be written.
    """
    folder.evals()
    recorded, step = bool(settings.get("record")), int(state.step[0])
    file = folder.path / "unfinished" / f"{_digest(state, settings)}.parquet"
    asked = {(seed, cell, episode) for seed in folder.spec.seeds for cell in cells for episode in range(episodes)}
    found = Evaluation([] if recorded else [row for row in _left(file) if _which(row) in asked])
    earlier = len(found.rows)
    try:
        yield found
    except BaseException as error:
        if not found.rows and isinstance(error, Interrupted):
            error.args = ("stopped before an episode had ended: the same command begins again.",)
        elif found.rows and not recorded:
            table = found.table().assign(step=step)
            sizes = table.groupby(CELL)["episode"].transform("size")
            _enter(folder, table.loc[sizes == episodes * len(folder.spec.seeds)])
            _write(table, file)
            _tell(error, f"{len(found.rows):,} of {len(asked):,} episodes are kept in {folder.path}")
        raise
    _put_in_order(found.rows, earlier)
    _enter(folder, found.table().assign(step=step), replace=not recorded)
    if not recorded:
        file.unlink(missing_ok=True)


def done(found: Evaluation) -> frozenset[tuple[int, Cell, int]]:
    """Seed, cell and number of each episode of an evaluation."""
    return frozenset(map(_which, found.rows))


def _which(row: dict[str, Any]) -> tuple[int, Cell, int]:
    return int(row["seed"]), Cell(int(row["m_inf"]), int(row["n"]), str(row["verifier"])), int(row["episode"])


def _put_in_order(rows: list[dict[str, Any]], earlier: int) -> None:
    """Let rows of an earlier attempt stand as if all had been played now: one time of a decision for a budget."""
    if earlier:
        act_ms = {_which(row)[1]: row["act_ms"] for row in rows[earlier:]}
        rows[:earlier] = [row | {"act_ms": act_ms.get(_which(row)[1], row["act_ms"])} for row in rows[:earlier]]
        rows.sort(key=_which)


def _digest(state: TrainState, settings: dict[str, Any]) -> str:
    """A name for what an episode is: the networks that play, and how it is played and judged."""
    meaning = {name: settings.get(name) for name in MEANING}
    return hashlib.sha256(f"{state_hash(state)} {meaning}".encode()).hexdigest()[:16]


def _left(file: Path) -> list[dict[str, Any]]:
    """What an earlier attempt left; nothing of what cannot be read."""
    try:
        with reading(file):
            return [{str(key): value for key, value in row.items()} for row in pd.read_parquet(file).to_dict("records")]
    except (FileNotFoundError, DamagedRunError):
        return []


def _tell(error: BaseException, what: str) -> None:
    said = f"{what}: the same command goes on with the others."
    if isinstance(error, Interrupted):
        error.args = (f"stopped; {said}",)
    else:
        log.warning(said)


def _enter(folder: RunFolder, table: pd.DataFrame, *, replace: bool = True) -> None:
    """Add episodes to a run's table; where that fails, put them elsewhere and say where."""
    try:
        if len(table):
            folder.add_evals(table, replace=replace)
    except (WorkbenchError, OSError) as error:
        name = f"episodes-of-{folder.path.name}-{int(table['step'].iloc[0])}.parquet"
        places = (folder.path, Path.cwd(), Path(tempfile.gettempdir()))
        for file in (place / name for place in places):
            try:
                _write(table, file)
            except OSError:
                continue
            raise WorkbenchError(
                f"the {len(table):,} episodes that were played could not be added to {folder.evals_file} "
                f"({sentence(error)}): they are in {file}. When that is mended, add them in Python with "
                f"RunFolder(Path('{folder.path}')).add_evals(pd.read_parquet('{file}'))."
            ) from error
        raise


def _write(table: pd.DataFrame, file: Path) -> None:
    with atomic_write(file) as out:
        table.to_parquet(out)
