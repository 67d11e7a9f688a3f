"""Reading run folders: one record for statistics and figures, and a table of all runs by DuckDB."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import WorkbenchError
from workbench.paths import runs_dir
from workbench.store.condition import rows_where
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
    Raises `WorkbenchError` for a condition DuckDB refuses.
    """
    root = root or runs_dir()
    rows = [_row(RunFolder(file.parent)) for file in sorted(root.glob("*/spec.json"))]
    runs = pd.DataFrame(rows, columns=list(_row_columns()))
    runs = runs.merge(_best_cells(root), on="hash", how="left")
    runs = runs.sort_values(["task", "agent", "preset", "hash"], ignore_index=True)
    return rows_where(runs, "runs", where).convert_dtypes()


BEST = """
    select * from (
        select regexp_extract(filename, '([^/]+)/evals.parquet$', 1) as hash, step as eval_step, m_inf, n, verifier,
               success_timing, avg(success::int) as success, count(*) as episodes
        from read_parquet(?, filename = true, union_by_name = true)
        group by filename, step, m_inf, n, verifier, success_timing
    )
    qualify row_number() over (
        partition by hash
        order by eval_step desc, success_timing = 'post' desc, episodes desc, success desc, n, m_inf, verifier
    ) = 1
"""
"""The best cell of every run among those of most episodes, which a film of one episode is not.

Episodes of another verifier, or judged at another time, are another cell's.
"""


def _best_cells(root: Path) -> pd.DataFrame:
    import duckdb

    if not any(root.glob("*/evals.parquet")):
        columns = ("hash", "eval_step", "m_inf", "n", "verifier", "success_timing", "success", "episodes")
        return pd.DataFrame(columns=list(columns))
    return duckdb.execute(BEST, [str(root / "*" / "evals.parquet")]).df()


def _row_columns() -> tuple[str, ...]:
    return ("hash", "task", "agent", "preset", "seeds", "steps", "step", "done", "data")


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
    }
