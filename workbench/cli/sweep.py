"""Sweeps: many runs from one file, one after another or on Ray."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from workbench.cli.report import show
from workbench.guards import check_folder
from workbench.paths import runs_dir

if TYPE_CHECKING:
    from workbench.sweeps.engine import Engine, Outcome
    from workbench.sweeps.estimate import Probes
    from workbench.sweeps.plan import Job
    from workbench.sweeps.spec import SweepSpec


@dataclass(frozen=True)
class SweepCommand:
    """Train and evaluate agents x tasks x seeds x weights, as a TOML file says.

    Finished runs are not repeated, so the same command goes on after any interruption. A run that fails does not stop
    the others; it is reported at the end, and the exit code is then 1.
    """

    spec: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SPEC.toml")]
    """A TOML file, or a sweep of the workbench: paper_table, cube_single_small, two_cores, two_cores_pilot."""
    status: bool = False
    """Only say what is done, what runs, and when the rest will be ready, from the run folders."""
    cores: int | None = None
    """Keep to so many cores, which no other sweep started with this option is on: two such sweeps share the runs."""
    budget_hours: float | None = None
    """Stop after so many hours, with a checkpoint; the same command goes on."""
    dry_run: bool = False
    """Only say how many runs there are, how many are done, and what the others will take on this machine."""
    probe_seconds: float = 2.0
    """How long each rate is measured for the estimate, and for pack = "auto"."""
    one_shape: bool = False
    """Measure each agent at one width of observation only: quicker, and a little less exact."""
    engine: Literal["serial", "ray"] = "serial"
    """serial: one run after another; ray: on all processors and GPUs of this machine or of a cluster."""
    code: tuple[Path, ...] = ()
    """Python files to run first: they register agents, loss terms, selections and verifiers of your own."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Do the sweep, or say what it takes."""
        from workbench.sweeps.limits import cores

        with cores(self.cores):
            return self._run()

    def _run(self) -> int:
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.cli.code import run_files
        from workbench.sweeps.estimate import Probes
        from workbench.sweeps.plan import plan
        from workbench.sweeps.progress import progress
        from workbench.sweeps.spec import read_sweep

        run_files(self.code)
        sweep = read_sweep(self.spec)
        probes = Probes(self.probe_seconds, self.one_shape, _say)
        jobs = plan(sweep, choose_pack=probes.pack)
        if self.status:
            show(progress(jobs), self.json, f"{sweep.file.name}: hours of training; evaluations are not counted")
            return 0
        return self._estimate(sweep, jobs, probes) if self.dry_run else self._in_time(sweep, jobs)

    def _estimate(self, sweep: "SweepSpec", jobs: "Sequence[Job]", probes: "Probes") -> int:
        from workbench.sweeps.estimate import summary

        rows = summary(jobs, probes)
        title = (
            f"{sweep.file.name}: {len(jobs):,} runs (tasks {len(sweep.tasks)}, seeds {len(sweep.seeds)}); hours of "
            f"this machine, a run at a time, from rates measured for {self.probe_seconds:g} s; evaluation at most: "
            "every episode to its limit; compiling and loading not counted; gigabytes of last checkpoints"
        )
        show(rows, self.json, title)
        problems = {job.problem: job.spec.task for job in jobs if job.problem}
        for problem in problems:
            count = sum(job.problem == problem for job in jobs)
            print(f"note: {count:,} of the runs cannot be trained yet: {problem}", file=sys.stderr)
        return 0

    def _in_time(self, sweep: "SweepSpec", jobs: "Sequence[Job]") -> int:
        from workbench.sweeps.limits import deadline

        with deadline(self.budget_hours) as time:
            try:
                return self._do(sweep, jobs)
            except KeyboardInterrupt as stop:
                if not time.over:
                    raise
                print(f"the {self.budget_hours:g} hours are over. {stop}".strip(), file=sys.stderr)
                return 0

    def _do(self, sweep: "SweepSpec", jobs: "Sequence[Job]") -> int:
        """Runs whose data are on disk come first; then what `make` names is made, and their runs follow."""
        from workbench.sweeps.plan import plan
        from workbench.sweeps.regenerated import make, next_missing

        check_folder(runs_dir(), "the sweep")
        while (missing := next_missing(sweep)) is not None:
            self._train(sweep, [job for job in jobs if not job.problem])
            make(*missing)
            jobs = plan(sweep)
        failed = self._train(sweep, jobs)
        show(_results(jobs, failed), self.json)
        return 1 if failed else 0

    def _train(self, sweep: "SweepSpec", jobs: "Sequence[Job]") -> "list[Outcome]":
        from workbench.sweeps.engine import run_sweep
        from workbench.sweeps.ledger import is_finished
        from workbench.sweeps.watch import Watch

        left = sum(not is_finished(job) for job in jobs)
        print(f"{sweep.file.name}: {len(jobs):,} runs, {len(jobs) - left:,} of them finished already", file=sys.stderr)
        with Watch(jobs, lines=self.engine == "ray"):
            return run_sweep(jobs, self._engine(sweep), _Reporter(left))

    def _engine(self, sweep: "SweepSpec") -> "Engine":
        from workbench.cli.code import run_files
        from workbench.progress import goes_to_a_log
        from workbench.sweeps.engine import serial
        from workbench.sweeps.on_ray import on_ray

        if self.engine == "serial":
            return partial(serial, progress=not goes_to_a_log())
        files = tuple(path.resolve() for path in self.code)
        return partial(on_ray, part=sweep.ray, prepare=partial(run_files, files))


class _Reporter:
    """One line on standard error for each run that ends."""

    def __init__(self, total: int) -> None:
        self.total, self.count = total, 0

    def __call__(self, outcome: "Outcome") -> None:
        from tqdm import tqdm

        self.count += 1
        end = f"FAILED: {outcome.error}" if outcome.error else "finished"
        line = f"{self.count}/{self.total}  {outcome.job.folder.path.name}  {outcome.job.label}: {end}"
        tqdm.write(line, file=sys.stderr)


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr)


def _results(jobs: "Sequence[Job]", failed: "Sequence[Outcome]") -> list[dict]:
    """One row an agent, preset and task, and one for each kind of failure with the runs that have it."""
    runs: dict[tuple, int] = defaultdict(int)
    errors: dict[tuple, list[str]] = defaultdict(list)
    for job in jobs:
        runs[job.spec.agent, job.spec.preset, job.spec.task] += 1
    for outcome in failed:
        spec = outcome.job.spec
        errors[spec.agent, spec.preset, spec.task].append(f"{spec.hash}: {outcome.error}")
    return [
        {
            "agent": agent,
            "preset": preset,
            "task": task,
            "runs": count,
            "failed": len(errors[agent, preset, task]),
            "why": "; ".join(errors[agent, preset, task]) or None,
        }
        for (agent, preset, task), count in runs.items()
    ]
