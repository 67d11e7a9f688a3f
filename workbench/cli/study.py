"""Measurements behind the figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from workbench.cli.report import show


@dataclass(frozen=True)
class StudyCommand:
    """Train and measure what the figures show, and write it as tables with their provenance.

    Runs that exist are not trained again and episodes that were played are not played again, so an interrupted study
    goes on where it stopped.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """Studies to run, one after another."""
    list: bool = False
    """Only list the studies, their tables and what they cost; also what happens without a name."""
    smoke: bool = False
    """The same in seconds, with numbers that mean nothing."""
    folder: Path | None = None
    """Where the tables go: by default figures/tables, and build/smoke/tables with --smoke."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Run the studies and print the tables' paths."""
        from workbench.studies.registry import STUDIES, run_study

        if self.list or not self.names:
            rows = [{"study": name, "does": each.about, "tables": each.tables} for name, each in STUDIES.items()]
            show(rows, self.json)
            return 0
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        folder = self.folder or Path("build/smoke/tables" if self.smoke else "figures/tables")
        made = [(name, path) for name in self.names for path in run_study(name, folder, smoke=self.smoke)]
        show([{"study": name, "table": str(path)} for name, path in made], self.json)
        return 0
