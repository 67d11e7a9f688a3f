"""A steered training as a file: specs, interventions and hashes, from which every branch can be made again."""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.agents.base import TrainState
from workbench.data.dataset import Dataset
from workbench.errors import WorkbenchError
from workbench.live.branch import Branch
from workbench.live.interventions import (
    Intervention,
    from_records,
    read_jsonl,
    replay,
    to_records,
    write_jsonl,
)
from workbench.paths import read_json, write_json
from workbench.store.checkpoint import state_hash
from workbench.store.environment import environment
from workbench.store.folder import RunFolder
from workbench.store.spec import RunSpec
from workbench.train import init_seeds

FORMAT = 1
"""Version of `session.json`."""


@dataclass(frozen=True)
class Record:
    """Everything that one branch's state depends on, and the hash of that state.

    `interventions` are all since update 0, so a record needs no other. `parent` and `forked_at` say where its line
    began to be its own.
    """

    name: str
    parent: str | None
    forked_at: int | None
    spec: RunSpec
    interventions: tuple[Intervention, ...]
    step: int
    state_sha256: str

    @classmethod
    def of(cls, branch: Branch) -> "Record":
        """The record of a branch as it stands."""
        return cls(
            name=branch.name,
            parent=branch.parent,
            forked_at=branch.forked_at,
            spec=branch.at_length(),
            interventions=tuple(branch.interventions),
            step=branch.step,
            state_sha256=state_hash(branch.state),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        own = {key: getattr(self, key) for key in ("name", "parent", "forked_at", "step", "state_sha256")}
        return own | {"spec": self.spec.to_json(), "interventions": to_records(self.interventions)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Record":
        """Inverse of `to_json`."""
        built = {
            "spec": RunSpec.from_json(value["spec"]),
            "interventions": tuple(from_records(value["interventions"])),
        }
        return cls(**(value | built))

    def replay(self, data: Dataset, on_piece: Callable[[int], None] = lambda step: None) -> TrainState:
        """Train this record again from update 0; on the CPU it was made on, the state has its hash.

        Raises `WorkbenchError` when `data` is not the recorded data.
        """
        self.spec.check_data(data.provenance)
        agent = self.spec.build_agent()
        state = init_seeds(agent, data.example(), self.spec.seeds)
        return replay(self.spec, agent, data, state, self.interventions, self.step, on_piece=on_piece)

    def branch(self, data: Dataset) -> Branch:
        """The branch of this record, at its last update; warns where the state is not the recorded one bit for bit."""
        branch = Branch.fresh(self.name, self.spec, data)
        branch.arrive(self.replay(data), list(self.interventions))
        branch.parent, branch.forked_at = self.parent, self.forked_at
        if state_hash(branch.state) != self.state_sha256:
            warnings.warn(
                f"branch '{self.name}' was recorded elsewhere: it differs here in its last bits.", stacklevel=3
            )
        return branch


@dataclass(frozen=True)
class Session:
    """All branches of a trainer, which of them the controls moved, and where this was recorded."""

    task: str
    selected: str
    branches: tuple[Record, ...]
    environment: dict[str, Any]

    @classmethod
    def of(cls, task: str, selected: str, branches: Sequence[Branch]) -> "Session":
        """The session of branches as they stand."""
        return cls(task, selected, tuple(map(Record.of, branches)), environment())

    def save(self, path: Path) -> None:
        """Write `session.json`, whole or not at all."""
        branches = [record.to_json() for record in self.branches]
        own = {"format": FORMAT, "task": self.task, "selected": self.selected, "environment": self.environment}
        write_json(path, own | {"branches": branches})

    @classmethod
    def load(cls, path: Path) -> "Session":
        """Read what `save` wrote, or a run folder with its interventions.

        Raises `WorkbenchError` for a file that is missing, damaged or of another version.
        """
        if (path / "spec.json").exists():
            return _of_run(RunFolder(path))
        try:
            value = read_json(path)
            if value["format"] != FORMAT:
                raise WorkbenchError(f"{path} has format {value['format']}, this program reads {FORMAT}.")
            branches = tuple(Record.from_json(each) for each in value["branches"])
            return cls(value["task"], value["selected"], branches, value["environment"])
        except (FileNotFoundError, IsADirectoryError):
            raise WorkbenchError(f"there is no session {path}: `trainer.save(path)` writes one.") from None
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            raise WorkbenchError(f"{path} is not a session, or it is damaged: use the file as it was saved.") from None


def _of_run(folder: RunFolder) -> Session:
    if not folder.done:
        raise WorkbenchError(
            f"{folder.path} holds no finished run (a policy is none), so there is no final state to compare with."
        )
    spec, done = folder.spec, read_json(folder.done_file)
    interventions = tuple(read_jsonl(folder.path / "interventions.jsonl"))
    record = Record(folder.path.name, None, None, spec, interventions, done["step"], done["state_sha256"])
    return Session(spec.task, record.name, (record,), read_json(folder.path / "env.json"))


def write_run(root: Path, branch: Branch) -> RunFolder:
    """Write a branch as a finished run, with `interventions.jsonl`, so that it can be evaluated, filmed and compared.

    The folder is named like any run where nothing was changed by hand; else the hash counts the interventions too.
    Metrics are those of the branch's history; with several seeds each row is their mean, under the seed -1. A run that
    `train_run` brought to the same state keeps its own.
    """
    record, spec = Record.of(branch), branch.at_length()
    name = spec.hash
    if record.interventions:
        schedule = [replace(each, gesture="") for each in record.interventions]  # whose hand it was trains nothing
        text = json.dumps([spec.hash, to_records(schedule)], sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = RunFolder(root / name)
    (folder.path / "ckpt").mkdir(parents=True, exist_ok=True)
    trained = folder.done and not (folder.path / "interventions.jsonl").exists()
    if trained and read_json(folder.done_file)["state_sha256"] == record.state_sha256:
        return folder
    with folder.lock():
        write_json(folder.path / "spec.json", spec.to_json())
        write_json(folder.path / "env.json", environment())
        write_jsonl(folder.path / "interventions.jsonl", record.interventions)
        folder.metrics_file.unlink(missing_ok=True)
        folder.append_metrics(_rows(branch))
        folder.save(branch.state, branch.step)
        folder.finish({"step": record.step, "state_sha256": record.state_sha256})
    return folder


def _rows(branch: Branch) -> list[dict[str, Any]]:
    columns = branch.history.all()
    names, seeds = list(columns), branch.spec.seeds
    table = np.column_stack([columns[name] for name in names]).tolist()
    rows = [{name: value for name, value in zip(names, row, strict=True) if value == value} for row in table]
    return [row | {"step": int(row["step"]), "seed": seeds[0] if len(seeds) == 1 else -1} for row in rows]


def same_machine(session: Session) -> bool:
    """Whether the session was recorded on a machine, device and versions like those of this process."""
    here = environment()
    there = {"rounding": {}, "cores": here["cores"]} | session.environment
    versions = there.get("versions", {})
    return all(there.get(key) == here[key] for key in ("device", "machine", "cores", "rounding")) and all(
        versions.get(each) == here["versions"][each] for each in ("jax", "jaxlib", "equinox", "optax")
    )
