"""One run's folder: what is written while it trains, and the lock that keeps a second process out.

`spec.json` · `env.json` · `metrics.jsonl` (then `metrics.parquet`) · `evals.parquet` · `ckpt/` · `video/` · and last of
all `DONE`.
"""

import json
import os
import platform
import subprocess
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import pandas as pd
from jaxtyping import PyTree

from workbench import __version__
from workbench.errors import BusyError, WorkbenchError
from workbench.guards import in_turn, only_one, refusals_explained
from workbench.paths import atomic_write, flush, read_json, write_json
from workbench.processes import usable_cores
from workbench.store.checkpoint import DamagedCheckpointError, load_checkpoint, save_checkpoint
from workbench.store.damage import DamagedRunError, checked, metrics_row, reading, with_columns
from workbench.store.spec import RunSpec

KEPT = 2
"""Checkpoints kept while training; the newest may be damaged, the one before it then serves."""

EVAL_KEY = ["step", "seed", "m_inf", "n", "verifier", "success_timing", "episode"]


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
        evals = self.evals()
        if len(evals):
            self._write_evals(evals.query("step <= @step"))

    def metrics_rows(self) -> list[dict[str, Any]]:
        """Rows of `metrics.jsonl`; those after a line cut short by a kill, or otherwise damaged, are left out."""
        if not self.metrics_file.exists():
            return []
        rows = []
        for line in self.metrics_file.read_text(encoding="utf-8", errors="replace").splitlines():
            if (row := metrics_row(line)) is None:
                break
            rows.append(row)
        return rows

    def evals(self) -> pd.DataFrame:
        """Every evaluated episode so far (empty when there is none); raises `DamagedRunError` for another file."""
        if not self.evals_file.exists():
            return pd.DataFrame(columns=EVAL_KEY)
        with reading(self.evals_file), open(self.evals_file, "rb") as file:
            return with_columns(pd.read_parquet(file), [*EVAL_KEY, "success"])

    def episodes(self, success_timing: str) -> dict[tuple[int, int, int, str], int]:
        """Evaluated episodes whose success was judged so, by (step, m_inf, n, verifier), of all seeds."""
        evals = self.evals()
        judged = evals[evals["success_timing"] == success_timing]
        return judged.groupby(["step", "m_inf", "n", "verifier"]).size().to_dict() if len(judged) else {}

    def add_evals(self, rows: pd.DataFrame) -> None:
        """Add evaluated episodes; those of the same step, seed, cell and number replace the former.

        Processes that add to the same run, such as its training and `workbench evaluate`, wait for each other.
        """
        with self._disk(), in_turn(self.path / ".evals.lock"):
            old = self.evals()
            table = pd.concat([old, rows], ignore_index=True) if len(old) else rows
            self._write_evals(table.drop_duplicates(EVAL_KEY, keep="last").sort_values(EVAL_KEY, ignore_index=True))

    def _write_evals(self, table: pd.DataFrame) -> None:
        with self._disk(), atomic_write(self.evals_file) as file:
            table.to_parquet(file)

    def checkpoints(self) -> list[Path]:
        """Checkpoint files, oldest first."""
        return sorted((self.path / "ckpt").glob("*.ckpt"))

    @property
    def owner(self) -> str:
        """The hash in the headers of its checkpoints: the spec's, whatever the folder is called.

        A run that was steered by hand has none of its own in the spec: there it is the folder's name.
        """
        steps = self.path / "interventions.jsonl"
        steered = steps.exists() and steps.stat().st_size > 0
        return self.path.name if steered else self.spec.hash

    def save(self, state: PyTree, step: int) -> Path:
        """Write a checkpoint and drop those older than the last `KEPT`."""
        path = self.path / "ckpt" / f"{step:010d}.ckpt"
        with self._disk():
            save_checkpoint(path, state, spec_hash=self.owner, step=step)
        for old in self.checkpoints()[:-KEPT]:
            old.unlink()
        return path

    def load_latest(self, like: PyTree, *, set_aside: bool = False) -> tuple[PyTree, int] | None:
        """The newest checkpoint that is whole, or None.

        Damaged ones are passed over; `set_aside` gives them the suffix `.damaged`, for the process that trains the run.
        Raises `CheckpointError` for one of another run, agent or format, which stays where it is.
        """
        for path in reversed(self.checkpoints()):
            try:
                return load_checkpoint(path, like, spec_hash=self.owner)
            except DamagedCheckpointError:
                if set_aside:
                    path.rename(path.with_suffix(".damaged"))
        return None

    def finish(self, summary: dict[str, Any]) -> None:
        """Write the metrics table and, last of all, `DONE`."""
        with self._disk():
            with atomic_write(self.metrics_table) as file:
                pd.DataFrame(self.metrics_rows()).to_parquet(file)
            write_json(self.done_file, summary)


def environment() -> dict[str, Any]:
    """Versions, device and git state: what a number's table needs beside it."""
    packages = ("jax", "jaxlib", "equinox", "optax", "numpy", "ogbench", "mujoco")
    return {
        "workbench": __version__,
        "git": _git_state(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "cores": usable_cores(),
        "device": jax.devices()[0].device_kind,
        "versions": {package: metadata.version(package) for package in packages},
    }


def _git_state() -> str | None:
    """The commit, and whether code differs from it; results and figures are what is being made, and do not count."""

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], capture_output=True, text=True, cwd=Path(__file__).parent)
        return done.stdout.strip()

    made = (":(top,exclude)benchmarks/results", ":(top,exclude)figures")
    commit = git("describe", "--always")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", *made)
    return commit + "-dirty" * bool(changed) if commit else None
