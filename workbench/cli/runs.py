"""The list of runs, filtered by DuckDB."""

from dataclasses import dataclass

from workbench.cli.report import records, show
from workbench.paths import runs_dir


@dataclass(frozen=True)
class Runs:
    """List the runs on disk: what they are, how far they got, and the success of their best cell."""

    where: str = "true"
    """DuckDB condition on the columns, such as "agent = 'sorl' and success > 0.5"."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print one row a run."""
        from workbench.store.query import list_runs

        found = list_runs(self.where)
        if not self.json and found["damage"].dropna().empty:
            found = found.drop(columns="damage")
        show(records(found), self.json, f"runs folder: {runs_dir()}")
        return 0
