"""Reading run folders: one record for statistics and figures, and a table of all runs by DuckDB."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import WorkbenchError
from workbench.paths import runs_dir
from workbench.store.condition import rows_where
from workbench.store.damage import DamagedRunError
from workbench.store.episodes import scores
from workbench.store.folder import RunFolder
from workbench.store.policy import PREFIX, open_policy
from workbench.store.spec import RunSpec


@dataclass(frozen=True)
class RunRecord:
    """All that statistics and figures read of one run."""

    path: Path
    spec: RunSpec
    env: dict[str, Any]
    metrics: pd.DataFrame
    evals: pd.DataFrame
    checkpoints: tuple[Path, ...]
    done: bool


def find_run(name: str, root: Path | None = None) -> RunFolder:
    """A run folder from its path, its hash, the beginning of it, or `policy:NAME`, which `open_policy` unpacks.

    Raises `WorkbenchError` with what there is.
    """
    if name.startswith(PREFIX):
        return open_policy(name.removeprefix(PREFIX), root or runs_dir())
    if (Path(name) / "spec.json").exists():
        return RunFolder(Path(name).resolve())
    root = root or runs_dir()
    found = sorted(file.parent for file in root.glob("*/spec.json") if file.parent.name.startswith(name))
    if len(found) == 1:
        return RunFolder(found[0])
    if found:
        raise WorkbenchError(
            f"'{name}' names {len(found)} runs ({', '.join(p.name for p in found)}): write more of it."
        )
    raise WorkbenchError(
        f"no run '{name}' in {root}: `workbench runs` lists what there is, `workbench policies` what comes along."
    )


def read_run(folder: RunFolder) -> RunRecord:
    """The record of a run, finished or not."""
    return RunRecord(
        path=folder.path,
        spec=folder.spec,
        env=folder.env,
        metrics=pd.DataFrame(folder.metrics_rows()),
        evals=folder.evals(),
        checkpoints=tuple(folder.checkpoints()),
        done=folder.done,
    )


def list_runs(where: str = "true", root: Path | None = None) -> pd.DataFrame:
    """One row a run: hash, task, agent, preset, seeds, steps, done, step reached, best success and its cell.

    `where` is a DuckDB condition on those columns, such as `agent = 'sorl' and success > 0.5`. Success is the mean over
    episodes and seeds of the last evaluated step's best cell, of those judged after the action where there are any.
    Episodes that were cut short are no scores. A run of which a file cannot be read has its `damage` in a sentence, and
    little else. May be called in any thread. Raises `WorkbenchError` for a condition DuckDB refuses.
    """
    root = root or runs_dir()
    folders = [RunFolder(file.parent) for file in sorted(root.glob("*/spec.json"))]
    runs = pd.DataFrame(map(_listed, folders), columns=[*ROW, *BEST]).astype(BEST)
    runs = runs.sort_values(["task", "agent", "preset", "hash"], ignore_index=True)
    return rows_where(runs, "runs", where).convert_dtypes()


CELL = ["m_inf", "n", "verifier", "success_timing"]
ROW = ("hash", "task", "agent", "preset", "seeds", "steps", "step", "done", "data")
BEST = {"eval_step": "Int64", "m_inf": "Int64", "n": "Int64", "verifier": "string", "success_timing": "string"}
BEST |= {"success": "Float64", "episodes": "Int64", "damage": "string"}
"""Columns of the list: of the run, and of its best cell, whose values may be missing, as is what cannot be read."""


def _listed(folder: RunFolder) -> dict[str, Any]:
    """A row of the list, with as much as can be read."""
    row: dict[str, Any] = {"hash": folder.path.name}
    try:
        row |= _row(folder)
        return row | _best_cell(folder, row["task"])
    except DamagedRunError as error:
        return row | {"damage": str(error)}


def _best_cell(folder: RunFolder, task: str) -> dict[str, Any]:
    """The best cell among those of most episodes, which a film of one episode is not; empty without a score.

    Episodes of another verifier, or judged at another time, are another cell's.
    """
    found = scores(folder.evals(), task)
    if not len(found):
        return {}
    step = max(found["step"])
    last = found.loc[found["step"] == step, [*CELL, "success"]]
    cells: dict[tuple, list[bool]] = defaultdict(list)
    for *cell, success in last.itertuples(index=False, name=None):
        cells[tuple(cell)].append(success)
    rows = [
        dict(zip(CELL, cell, strict=True)) | {"success": sum(played) / len(played), "episodes": len(played)}
        for cell, played in cells.items()
    ]
    return min(rows, key=_place) | {"eval_step": step}


def _place(row: dict[str, Any]) -> tuple:
    """Order of cells, the best first; of equals the cheapest."""
    before = row["success_timing"] != "post", -row["episodes"], -row["success"]
    return *before, row["n"], row["m_inf"], row["verifier"]


def _row(folder: RunFolder) -> dict[str, Any]:
    spec = folder.spec
    reached = int(folder.checkpoints()[-1].stem) if folder.checkpoints() else 0
    return {
        "hash": folder.path.name,
        "task": spec.task,
        "agent": spec.agent,
        "preset": spec.preset,
        "seeds": len(spec.seeds),
        "steps": spec.steps,
        "step": reached,
        "done": folder.done,
        "data": spec.data.kind,
        **_best_cell(folder, spec.task),
    }
