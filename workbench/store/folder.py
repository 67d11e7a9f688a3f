"""One run's folder: what is written while it trains, and the lock that keeps a second process out.

`spec.json` · `env.json` · `metrics.jsonl` (then `metrics.parquet`) · `evals.parquet` · `ckpt/` · `video/` · and last of
all `DONE`.
"""

import json
import logging
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
from jaxtyping import PyTree

from workbench.errors import BusyError, WorkbenchError
from workbench.guards import in_turn, only_one, refusals_explained
from workbench.paths import atomic_write, flush, read_json, write_json
from workbench.store.checkpoint import is_whole, load_checkpoint, save_checkpoint
from workbench.store.damage import DamagedRunError, checked, metrics_row, reading, with_columns
from workbench.store.environment import environment
from workbench.store.episodes import EVAL_KEY, complete, joined, scores
from workbench.store.spec import RunSpec

KEPT = 2
"""Checkpoints kept while training; the newest may be damaged, the one before it then serves."""

log = logging.getLogger(__name__)


class RunFolder:
    """Paths and writes of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics_file = path / "metrics.jsonl"
        self.metrics_table = path / "metrics.parquet"
        self.evals_file = path / "evals.parquet"
        self.done_file = path / "DONE"

    @classmethod
    def create(cls, root: Path, spec: RunSpec) -> "RunFolder":
        """The folder of a spec under `root`, made if it is new."""
        folder = cls(root / spec.hash)
        with folder._disk():
            (folder.path / "ckpt").mkdir(parents=True, exist_ok=True)
            file = folder.path / "spec.json"
            if file.exists() and not folder.is_readable:
                file.replace(file.with_suffix(".damaged"))  # the folder's name says which spec it was
            if not file.exists():
                write_json(file, spec.to_json())
        return folder

    def note_environment(self) -> None:
        """Write `env.json`: what trains the run from here on; for the holder of the lock."""
        with self._disk():
            write_json(self.path / "env.json", environment())

    @property
    def env(self) -> dict[str, Any]:
        """The last environment that trained the run, empty before its training began."""
        file = self.path / "env.json"
        if not file.exists():
            return {}
        with reading(file):
            return dict(read_json(file))

    @property
    def spec(self) -> RunSpec:
        """The spec in this folder; raises `WorkbenchError` when there is none, `DamagedRunError` for another file."""
        file = self.path / "spec.json"
        if not file.exists():
            raise WorkbenchError(f"{self.path} is not a run folder: it has no spec.json. See `workbench runs`.")
        with reading(file):
            return checked(RunSpec.from_json(read_json(file)))

    @property
    def is_readable(self) -> bool:
        """Whether the spec can be read."""
        try:
            return bool(self.spec)
        except DamagedRunError:
            return False

    @property
    def done(self) -> bool:
        """Whether training finished."""
        return self.done_file.exists()

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from training this run; raises `BusyError` when one already does."""
        return only_one(self.path / ".lock", "training this run")

    @property
    def busy(self) -> bool:
        """Whether another process is training or evaluating this run now."""
        if not self.path.exists():
            return False
        try:
            with self.lock():
                return False
        except BusyError:
            return True
        except OSError:  # where no lock can be written, this process is at work no more than another here
            return False

    def _disk(self) -> AbstractContextManager[None]:
        return refusals_explained(self.path, "it resumes from the last checkpoint")

    def append_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Add rows to `metrics.jsonl` and flush them to disk."""
        with self._disk(), open(self.metrics_file, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            flush(file.fileno())

    def rewind(self, step: int) -> None:
        """Forget metrics and evaluations later than `step`, which will be made again."""
        if self.metrics_file.exists():
            rows = [row for row in self.metrics_rows() if row["step"] <= step]
            with self._disk(), atomic_write(self.metrics_file) as file:
                file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        with self._disk(), in_turn(self.path / ".evals.lock"):
            evals = self.evals()
            if len(evals):
                self._write_evals(evals.loc[evals["step"] <= step])

    def metrics_rows(self) -> list[dict[str, Any]]:
        """Rows of `metrics.jsonl`; a last line cut short by a kill is left out, and damaged ones with a word."""
        rows, damaged = [], []
        lines = (
            self.metrics_file.read_text(encoding="utf-8", errors="replace").splitlines()
            if self.metrics_file.exists()
            else []
        )
        for number, line in enumerate(lines, 1):
            row = metrics_row(line)
            (damaged.append(number) if row is None else rows.append(row))
        if damaged and damaged != [len(lines)]:
            log.warning(f"{self.metrics_file} is damaged in lines {', '.join(map(str, damaged))}: they are left out.")
        return rows

    def evals(self) -> pd.DataFrame:
        """Every evaluated episode so far (empty when there is none); raises `DamagedRunError` for another file."""
        if not self.evals_file.exists():
            return pd.DataFrame(columns=EVAL_KEY)
        with reading(self.evals_file), open(self.evals_file, "rb") as file:
            table = complete(pd.read_parquet(file, page_checksum_verification=True))
            return with_columns(table, [*EVAL_KEY, "success"])

    def scores(self, episode_limit: int | None = None, key_seed: int = 0) -> pd.DataFrame:
        """Of the evaluated episodes those that are a score of the task, as `episodes.scores` has it."""
        return scores(self.evals(), self.spec.task, episode_limit, key_seed)

    def episodes(
        self, success_timing: str, episode_limit: int | None = None, key_seed: int = 0
    ) -> dict[tuple[int, int, int, str], int]:
        """Scores whose success was judged so: episodes of all seeds by (step, m_inf, n, verifier)."""
        evals = self.scores(episode_limit, key_seed)
        judged = evals[evals["success_timing"] == success_timing]
        return judged.groupby(["step", "m_inf", "n", "verifier"]).size().to_dict() if len(judged) else {}

    def add_evals(self, rows: pd.DataFrame, *, replace: bool = True) -> None:
        """Add evaluated episodes; a cell that was measured anew as a whole replaces the former where `replace` says so.

        All others stay as they were measured (see `episodes.joined`), which is told of a measurement that is left out.
        Processes that add to the same run, such as its training and `workbench evaluate`, wait for each other.
        """
        with self._disk(), in_turn(self.path / ".evals.lock"):
            table, left_out = joined(self.evals(), rows, replace=replace)
            self._write_evals(table)
        if left_out and replace:
            log.warning(
                f"run {self.path.name} keeps {left_out:,} episodes as they were measured before, because others of the "
                "same budgets were not played again: play at least as many episodes to measure a budget anew."
            )

    def _write_evals(self, table: pd.DataFrame) -> None:
        with self._disk(), atomic_write(self.evals_file) as file:
            table.to_parquet(file, write_page_checksum=True)

    def checkpoints(self) -> list[Path]:
        """Checkpoint files, oldest first."""
        return sorted(file for file in (self.path / "ckpt").glob("*.ckpt") if file.stem.isdecimal())

    def checkpoint(self, step: int) -> Path:
        """The file of the checkpoint of an update."""
        return self.path / "ckpt" / f"{step:010d}.ckpt"

    @property
    def owner(self) -> str:
        """The hash in the headers of its checkpoints: the spec's, whatever the folder is called.

        A run that was steered by hand has none of its own in the spec: there it is the folder's name.
        """
        steps = self.path / "interventions.jsonl"
        steered = steps.exists() and steps.stat().st_size > 0
        return self.path.name if steered else self.spec.hash

    def save(self, state: PyTree, step: int, running: dict[str, Any] | None = None) -> Path:
        """Write a checkpoint, with the report under way, and drop those older than the last `KEPT`."""
        path = self.checkpoint(step)
        with self._disk():
            save_checkpoint(path, state, spec_hash=self.owner, step=step, running=running)
        for old in self.checkpoints()[:-KEPT]:
            old.unlink()
        return path

    def newest(self, *, set_aside: bool = False) -> Path | None:
        """The newest checkpoint that is whole, or None; that newer ones are damaged is told.

        `set_aside` gives damaged ones the suffix `.damaged`, for the process that trains the run.
        """
        damaged = []
        for path in reversed(self.checkpoints()):
            if is_whole(path, int(path.stem)):
                if damaged:
                    names = ", ".join(damaged)
                    log.warning(f"run {self.path}: {path.name} is used, since newer checkpoints are damaged: {names}.")
                return path
            if path.exists():
                damaged.append(path.name)
                if set_aside:
                    path.rename(path.with_suffix(".damaged"))
        if set_aside and damaged:
            names = ", ".join(damaged)
            log.warning(
                f"run {self.path}: training begins again at update 0, since all its checkpoints are damaged, and kept "
                f"with the suffix .damaged: {names}."
            )
        return None

    def load_latest(self, like: PyTree, *, set_aside: bool = False) -> tuple[PyTree, int] | None:
        """The state and step of the `newest` checkpoint, or None.

        Raises `CheckpointError` for one of another run, agent or format, which stays where it is.
        """
        path = self.newest(set_aside=set_aside)
        return path and load_checkpoint(path, like, spec_hash=self.owner)

    def finish(self, summary: dict[str, Any]) -> None:
        """Write the metrics table and, last of all, `DONE`."""
        with self._disk():
            with atomic_write(self.metrics_table) as file:
                pd.DataFrame(self.metrics_rows()).to_parquet(file)
            write_json(self.done_file, summary)
