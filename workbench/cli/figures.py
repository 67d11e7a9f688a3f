"""Paper figures from committed tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from workbench.cli.report import show


@dataclass(frozen=True)
class Figures:
    """Draw the figures of the paper from the tables that `workbench study` made, as PDF, SVG and PNG.

    A figure without data is not drawn. The main table is also text, and the page of claims is text alone. With --check
    nothing is drawn: exit code 1 when a figure is not what its tables say, or is missing.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """Figures; by default all."""
    check: bool = False
    """Only say which figures are up to date."""
    list: bool = False
    """Only list the figures, their tables and the studies that make them."""
    folder: Path = Path("figures")
    """Where figures go; tables are in its `tables/`."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Draw, check or list."""
        from workbench import gallery

        if self.list:
            show(_listing(gallery.choose(self.names)), self.json)
            return 0
        if self.check:
            statuses = gallery.check(self.folder, self.names)
        else:
            statuses = [status for status, _ in gallery.draw(self.folder, self.names)]
        show([{"figure": each.name, "state": each.state, "reason": each.reason} for each in statuses], self.json)
        return int(any(status.fails for status in statuses))


def _listing(names: tuple[str, ...]) -> list[dict]:
    from workbench.gallery import GALLERY, PUBLISHED
    from workbench.studies.registry import maker_of

    rows = []
    for name in names:
        entry = GALLERY[name]
        studies = {maker_of(table) for table in entry.tables if not table.startswith(PUBLISHED)}
        tables = (*entry.tables, *entry.optional)
        rows.append({"figure": name, "shows": entry.about, "tables": tables, "studies": sorted(studies)})
    return rows
