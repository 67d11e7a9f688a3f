"""Every study by name, and the tables it makes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.store.folder import environment
from workbench.studies.table import Table, find_table, provenance, read_table, write_table


@dataclass(frozen=True)
class Study:
    """A function `module:name` of `smoke` that returns `tables`, by name; `about` says what it does and costs.

    The tables of one that `grows` are collected over sessions and machines: rows of runs that are not here are kept.
    """

    function: str
    tables: tuple[str, ...]
    about: str
    grows: bool = False

    def load(self) -> Callable[[bool], dict[str, Table]]:
        """The function itself."""
        module, name = self.function.split(":")
        return getattr(import_module(f"workbench.studies.{module}"), name)


STUDIES: dict[str, Study] = {
    "mixture": Study(
        "mixture:mixture",
        (
            "mixture_bound",
            "mixture_self_consistency",
            "mixture_flow_matching",
            "mixture_sampler",
            "mixture_samples",
            "mixture_paths",
        ),
        "every term of the W2 bound while a policy learns to imitate a mixture: minutes",
    ),
    "inference": Study(
        "campaign:inference_compute",
        ("test_time", "learning_success", "learning"),
        "SORL (small) on cube-single, three seeds, over M_inf and N: half an hour on two cores",
    ),
    "backpropagation": Study(
        "campaign:backpropagation",
        ("backpropagation",),
        "the same with M_BTT of 1, 2, 4 and 8, two seeds: an hour on two cores",
    ),
    "weights": Study(
        "campaign:loss_weights",
        ("loss_weights", "loss_weights_diverged"),
        "the same with each loss weight times a tenth and ten, one seed: half an hour on two cores",
    ),
    "verifier": Study(
        "verifier:verifier", ("calibration", "verifier"), "Q against the returns of recorded episodes, by N: minutes"
    ),
    "selection": Study(
        "selection:selection",
        ("selection",),
        "how the action is made of the candidates, with the packaged policies: a quarter of an hour",
    ),
    "actions": Study(
        "actions:actions", ("action_w2",), "W2 between policy and data near held-out observations: minutes"
    ),
    "agents": Study(
        "comparison:agents",
        ("agents", "agents_time"),
        "all agents (small) on cube-single, three seeds, equal updates: an hour and a half on two cores",
    ),
    "agents_mixture": Study(
        "agents_mixture:agents_mixture",
        ("agents_mixture", "agents_mixture_samples", "agents_mixture_reward"),
        "all agents on eight Gaussians of which one is rewarded, three seeds: ten minutes",
    ),
    "strips": Study("strips:strips", ("strip_q", "strip_frames"), "frames and Q-values of one start: a minute"),
    "runtime": Study("runtime:runtime", ("cost", "updates"), "milliseconds of updates and decisions: minutes"),
    "two_cores": Study(
        "two_cores:two_cores",
        ("two_cores",),
        "the finished runs of `workbench sweep two_cores`, which takes days of one core: seconds",
        grows=True,
    ),
    "two_cores_pilot": Study(
        "two_cores:pilot",
        ("two_cores_pilot",),
        "the finished runs of `workbench sweep two_cores_pilot`, a day of one core: seconds",
        grows=True,
    ),
    "self_consistency_cost": Study(
        "self_consistency_cost:self_consistency_cost",
        ("self_consistency_cost",),
        "an update with the self-consistency loss beside one without, in turn: three minutes",
    ),
}
"""Names as in `workbench study NAME`; runs that are already on disk are not made again."""


def maker_of(table: str) -> str:
    """The name of the study that makes a table; raises `UnknownNameError` when none does."""
    for name, study in STUDIES.items():
        if table in study.tables:
            return name
    raise UnknownNameError("table", table, [each for study in STUDIES.values() for each in study.tables])


def run_study(name: str, folder: Path, *, smoke: bool = False) -> list[Path]:
    """Run a study and write its tables, each with its provenance, into `folder`; returns their paths.

    Raises `UnknownNameError` for the name, and `WorkbenchError` when a study returns other tables than it says.
    """
    if name not in STUDIES:
        raise UnknownNameError("study", name, STUDIES)
    study, start = STUDIES[name], time.perf_counter()
    tables = study.load()(smoke)
    if set(tables) != set(study.tables):
        raise WorkbenchError(f"study {name} made {sorted(tables)} where {sorted(study.tables)} was expected.")
    made: dict[str, Any] = {
        "study": name,
        "command": f"workbench study {name}{' --smoke' if smoke else ''}",
        "about": study.about,
        "seconds": round(time.perf_counter() - start),
        "environment": environment(),
    }
    if study.grows and not smoke:
        return [_grow(folder, each, tables[each], made) for each in study.tables]
    return [write_table(folder, each, tables[each], made) for each in study.tables]


def _grow(folder: Path, name: str, found: Table, made: dict[str, Any]) -> Path:
    """Write a table with the rows of other runs that it had before; `earlier` says where those were made."""
    if find_table(folder, name) is None:
        return write_table(folder, name, found, made)
    before, record = read_table(folder, name), provenance(folder, name)
    assert isinstance(found, pd.DataFrame)
    assert isinstance(before, pd.DataFrame)
    kept = before.loc[~before["hash"].isin(found["hash"])]
    earlier = record.get("earlier", [])
    named = {run for origin in earlier for run in origin["runs"]}
    newest = {"runs": set(record.get("runs", [])) - named, "environment": record.get("environment")}
    origins = [origin | {"runs": sorted(set(kept["hash"]) & set(origin["runs"]))} for origin in (*earlier, newest)]
    whole = pd.concat([kept, found], ignore_index=True)
    return write_table(folder, name, whole, made | {"earlier": [origin for origin in origins if origin["runs"]]})
