"""The main job from the command line."""

from dataclasses import dataclass
from pathlib import Path

from workbench.cli.report import records, show


@dataclass(frozen=True)
class Quickstart:
    """Make real data, train SORL, evaluate a grid of inference budgets, draw and film.

    About a quarter of an hour on two cores. What was done before is not done again, and an interrupted quickstart goes
    on where it stopped.
    """

    smoke: bool = False
    """The same path in seconds, with too little of everything to learn; for tests."""
    out: Path | None = None
    """Folder for figures, tables and videos; by default the run's own."""
    workers: int | None = None
    """Processes for data and environments; by default one a core."""

    def run(self) -> int:
        """Run every step and print what was made."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.quickstart import FULL, SMOKE, quickstart

        summary = quickstart(SMOKE if self.smoke else FULL, out=self.out, workers=self.workers)
        best = summary.best
        print()
        show(records(summary.table), False, "success of every inference budget, with Wilson 95 % intervals")
        print(
            f"\nbest: M_inf = {best['m_inf']}, N = {best['n']}, {best['verifier']}: {100 * best['success']:.0f} % "
            f"success ({100 * best['low']:.0f} to {100 * best['high']:.0f} %) over {best['episodes']} episodes\n"
        )
        show([{"made": name, "path": str(path)} for name, path in summary.files.items()], False)
        took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in summary.seconds.items())
        print(f"\ntook {sum(summary.seconds.values()):.0f} s ({took})")
        run = summary.record.path.name
        print(f"next: open the figures above, then try\n  workbench video {run} --m-inf 1 8 --n 1 8\n  workbench runs")
        return 0
