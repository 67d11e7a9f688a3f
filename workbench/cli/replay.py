"""Training again, from a record of what was changed by hand, and comparing the state bit for bit."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from workbench.cli.report import show


@dataclass(frozen=True)
class Replay:
    """Repeat a steered training without a notebook, and say whether its state is the recorded one bit for bit.

    Exit code 1: some branch is not equal. Equality is promised on a CPU with as many cores as the record's, the same
    XLA flags and the same versions.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """A session.json, or the folder of a finished run."""
    data: Path | None = None
    """Training npz file, where it is not the one that is found by default."""
    branch: str | None = None
    """Replay this branch alone."""
    code: tuple[Path, ...] = ()
    """Python files to run first: they register agents, loss terms, selections and verifiers of your own."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Train every branch again and print its hash."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()

        from workbench.cli.code import run_files
        from workbench.data.load import load_data
        from workbench.errors import UnknownNameError
        from workbench.live.session import Session, same_machine
        from workbench.progress import progress_bar
        from workbench.store.checkpoint import state_hash

        run_files(self.code)
        session = Session.load(self.file)
        records = {record.name: record for record in session.branches}
        if self.branch is not None and self.branch not in records:
            raise UnknownNameError("branch", self.branch, records)
        train, _ = load_data(session.task, self.data)
        rows = []
        for record in [records[self.branch]] if self.branch else records.values():
            with progress_bar(total=record.step, unit="update", desc=f"replay {record.name}") as bar:
                found = state_hash(record.replay(train, on_piece=partial(_tick, bar)))
            rows.append(
                {
                    "branch": record.name,
                    "updates": record.step,
                    "interventions": len(record.interventions),
                    "state_sha256": found,
                    "equal": found == record.state_sha256,
                }
            )
        equal = all(row["equal"] for row in rows)
        elsewhere = "" if equal or same_machine(session) else " (recorded on another machine or with other versions)"
        show(rows, self.json, f"{self.file}: {'equal' if equal else 'not equal'}{elsewhere}")
        return 0 if equal else 1


def _tick(bar: Any, step: int) -> None:
    bar.update(step - bar.n)
