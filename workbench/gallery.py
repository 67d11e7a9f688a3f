"""The figures of the paper: which table each is drawn from, drawn all at once, and whether they are up to date."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from workbench import published
from workbench.errors import UnknownNameError
from workbench.paths import atomic_write, read_json, write_json
from workbench.plots.style import save_figure
from workbench.studies.table import Table, find_table, read_table, sha256

PUBLISHED = "published:"
"""Marks a table that is part of the package: `published:aggregates`."""

DRAWN, NO_DATA, STALE, MISSING = "up to date", "no data yet", "stale", "missing"


@dataclass(frozen=True)
class Entry:
    """A figure: `draw` is `module:function` in `workbench.plots`, called with `tables` in order, then `optional`.

    `text`, if given, is a function of the same tables that returns files to write beside the figure, by suffix; without
    `draw` it is all there is. A table of `optional` that is not there has no rows and no columns.
    """

    draw: str | None
    tables: tuple[str, ...]
    about: str
    text: str | None = None
    optional: tuple[str, ...] = ()


GALLERY: dict[str, Entry] = {
    "self_consistency": Entry(
        "self_consistency:self_consistency",
        ("mixture_self_consistency", "mixture_flow_matching", "mixture_sampler"),
        "self-consistency error over (t, h), and over training",
    ),
    "flow_paths": Entry(
        "flows:flow_paths",
        ("mixture_samples", "mixture_paths"),
        "trajectories and densities of a 2-D policy at M = 1, 2, 4, 8",
    ),
    "any_steps": Entry(
        "any_steps:any_steps", ("any_steps",), "errors and W2 in 1 to 8 steps, trained by dyadic and by any splits"
    ),
    "w2_bound": Entry("bounds:w2_bound", ("mixture_bound",), "W2 and its three-term bound, by M and over training"),
    "sequential_scaling": Entry("budgets:sequential_scaling", ("test_time",), "success against M_inf"),
    "parallel_scaling": Entry("budgets:parallel_scaling", ("test_time",), "success against N"),
    "compute_grid": Entry("budgets:compute_grid", ("test_time", "cost"), "M_inf x N with lines of equal cost"),
    "training_inference": Entry(
        "compute:training_inference", ("backpropagation", "updates"), "training x inference compute: M_BTT x M_inf"
    ),
    "success_against_cost": Entry(
        "compute:success_against_cost", ("test_time", "cost"), "success against latency, with the Pareto front"
    ),
    "learning_success": Entry("learning:learning_success", ("learning_success",), "success over updates, with CI"),
    "learning": Entry(
        "learning:learning", ("learning", "learning_success"), "losses, values and gradients over updates"
    ),
    "main_table": Entry(
        "main_table:main_table",
        ("published:aggregates", "agents"),
        "8 environments x 11 methods, ours beside the published",
        text="main_table:main_table_text",
    ),
    "claims": Entry(
        None,
        ("published:aggregates", "self_consistency_cost", "mixture_bound"),
        "each claim of the paper's summary, what was found here, and the verdict (text alone)",
        text="claims_page:claims_text",
        optional=("two_cores",),
    ),
    "pilot": Entry(
        "pilot:pilot",
        ("two_cores_pilot",),
        "what each setting does to SORL on two cores: w_QL, data, size, rates",
        text="pilot:pilot_text",
    ),
    "agents_compared": Entry(
        "comparison:agents_compared",
        ("agents", "agents_time", "published:per_task"),
        "success and training time of all agents on one task, beside the published scores",
    ),
    "performance_profiles": Entry(
        "comparison:agent_profiles", ("agents",), "the same runs as performance profiles and probability of improvement"
    ),
    "published_profiles": Entry(
        "profiles:published_profiles", ("published:per_task",), "performance profiles and probability of improvement"
    ),
    "weight_sensitivity": Entry(
        "sensitivity:weight_sensitivity", ("loss_weights", "loss_weights_diverged"), "success against each loss weight"
    ),
    "calibration": Entry("verifier:calibration", ("calibration", "verifier"), "Q against the return that followed"),
    "over_optimisation": Entry(
        "verifier:over_optimisation", ("verifier",), "success, value and rank correlation against N"
    ),
    "selection": Entry(
        "selection:selection",
        ("selection",),
        "success against N by how the action is made of the candidates",
        text="selection:selection_text",
    ),
    "elite_share": Entry(
        "selection:elite_share", ("selection",), "success against the share of candidates whose mean is played"
    ),
    "action_w2": Entry("actions:action_w2", ("action_w2",), "W2 between policy and data near held-out observations"),
    "rollout_strips": Entry(
        "strips:rollout_strips",
        ("strip_q", "strip_frames", "test_time"),
        "one start under several budgets, with Q over time",
    ),
    "agents_on_a_mixture": Entry(
        "agents:agents_on_a_mixture",
        ("agents_mixture", "agents_mixture_samples", "agents_mixture_reward"),
        "what each method does with the same mixture and reward",
    ),
    "runtime": Entry("runtime:run_time", ("updates", "cost"), "milliseconds of training and inference"),
}
"""In the order of a paper; what has no table yet is not drawn."""


@dataclass(frozen=True)
class Status:
    """Whether a figure in a folder is what its tables say; `reason` is for people."""

    name: str
    state: str
    reason: str = ""

    @property
    def fails(self) -> bool:
        """A figure that has data and is not drawn from it, or was drawn and has lost its data."""
        return self.state in (STALE, MISSING)


def choose(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names asked for, by default all; raises `UnknownNameError` for one that is not in the gallery."""
    for name in names:
        if name not in GALLERY:
            raise UnknownNameError("figure", name, GALLERY)
    return names or tuple(GALLERY)


def check(folder: Path, names: tuple[str, ...] = ()) -> list[Status]:
    """Compare the drawn files and their tables, by SHA-256, with the record made when they were drawn."""
    record = _record(folder)
    return [_status(folder, name, record.get(name)) for name in choose(names)]


def _status(folder: Path, name: str, drawn: dict[str, Any] | None) -> Status:
    lacking = [table for table in GALLERY[name].tables if _source(folder, table) is None]
    if drawn is None:
        if lacking:
            return Status(name, NO_DATA, f"no table {', '.join(lacking)}")
        return Status(name, MISSING, "its tables are there, but it was never drawn")
    if lacking:
        return Status(name, MISSING, f"drawn, but its table {', '.join(lacking)} is gone")
    now = _digests(folder, name)
    if now != drawn["tables"]:
        changed = [table for table in now | drawn["tables"] if now.get(table) != drawn["tables"].get(table)]
        return Status(name, STALE, f"table {', '.join(changed)} changed since it was drawn")
    for file, digest in drawn["files"].items():
        if not (folder / file).exists():
            return Status(name, MISSING, f"{file} is gone")
        if sha256(folder / file) != digest:
            return Status(name, STALE, f"{file} is not what was drawn")
    return Status(name, DRAWN)


def draw(folder: Path, names: tuple[str, ...] = ()) -> Iterator[tuple[Status, list[Path]]]:
    """Draw figures from the tables in `folder`/tables, one after another, and record what was drawn from what.

    A figure without data is passed over. Each figure is three files: pdf, svg and png; some are text, or have some too.
    """
    for name in choose(names):
        if any(_source(folder, table) is None for table in GALLERY[name].tables):
            yield _status(folder, name, _record(folder).get(name)), []
            continue
        paths = _draw_one(folder, name)
        entry = {
            "tables": _digests(folder, name),
            "files": {path.name: sha256(path) for path in paths},
            "matplotlib": matplotlib.__version__,
        }
        write_json(folder / "drawn.json", _record(folder) | {name: entry})
        yield Status(name, DRAWN), paths


def _draw_one(folder: Path, name: str) -> list[Path]:
    entry = GALLERY[name]
    tables = tables_of(folder, name)
    paths = save_figure(_function(entry.draw)(*tables), folder / name) if entry.draw else []
    for suffix, text in (_function(entry.text)(*tables) if entry.text else {}).items():
        paths.append((folder / name).with_suffix(f".{suffix}"))
        with atomic_write(paths[-1]) as file:
            file.write(text.encode())
    return paths


def tables_of(folder: Path, name: str) -> list[Table]:
    """The tables that a figure is drawn from, in the order of its function's arguments."""
    entry = GALLERY[name]
    there = [_read(folder, table) for table in entry.tables]
    return there + [_read(folder, each) if _source(folder, each) else pd.DataFrame() for each in entry.optional]


def _function(path: str) -> Any:
    module, name = path.split(":")
    return getattr(import_module(f"workbench.plots.{module}"), name)


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "drawn.json"
    return read_json(path) if path.exists() else {}


def _source(folder: Path, table: str) -> Path | None:
    if table.startswith(PUBLISHED):
        return Path(published.__file__).parent / f"{table.removeprefix(PUBLISHED)}.csv"
    return find_table(folder / "tables", table)


def _digests(folder: Path, name: str) -> dict[str, str]:
    entry = GALLERY[name]
    sources = {table: _source(folder, table) for table in (*entry.tables, *entry.optional)}
    return {table: sha256(path) for table, path in sources.items() if path is not None}


def _read(folder: Path, table: str) -> Table:
    if table.startswith(PUBLISHED):
        return getattr(published, table.removeprefix(PUBLISHED))()
    return read_table(folder / "tables", table)
