"""Evaluation of a run over a grid of inference budgets."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from workbench.cli.report import records, show


@dataclass(frozen=True)
class Evaluate:
    """Play a run's newest checkpoint under every combination of Euler steps and candidates.

    Every episode is kept in the run's `evals.parquet`, where a budget is measured anew only by as many episodes as it
    has; printed are success with its Wilson 95 % interval, return, length, and milliseconds per decision.
    """

    run_name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of the run, the first letters of its hash, or a policy such as policy:cube-single."""
    m_inf: tuple[int, ...] = ()
    """Steps from noise to action; any count of at least 1. By default 1, 2, 4 and 8, or another agent's protocol."""
    n: tuple[int, ...] = ()
    """Candidates; by default the agent's protocol."""
    verifier: tuple[str, ...] = ()
    """How one action is made of the candidates: the best by the `mean` or the `min` of the critics, or by their mean
    less two deviations, `pessimistic:2`; or `elite:0.5`, the mean of the better half (also nearest, mode, weighted,
    soft); or both, `min elite:0.25`; or what you registered; `in_sample` for runs trained with that setting. By default
    the agent's protocol."""
    episodes: int = 50
    """Episodes a cell and seed."""
    workers: int | None = None
    """Environment processes; by default one a core."""
    success_timing: Literal["post", "pre"] = "post"
    """post: success is judged after the action, as in published numbers; pre: before it, OGBench 1.2's default."""
    code: tuple[Path, ...] = ()
    """Python files to run first: they register agents, loss terms, selections and verifiers of your own."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Evaluate and print one row a cell."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.cli.code import run_files
        from workbench.data.load import environment_of
        from workbench.evaluate.cell import protocol_grid
        from workbench.experiments import evaluate_run
        from workbench.stats.budgets import success_table
        from workbench.store.query import find_run

        run_files(self.code)
        folder = find_run(self.run_name)
        environment = environment_of(folder.spec.task)
        asked = [
            protocol_grid(folder.spec.agent, environment, self.m_inf, self.n, verifier)
            for verifier in self.verifier or (None,)
        ]
        cells = tuple(dict.fromkeys(cell for cells in asked for cell in cells))
        _say_what_extrapolates(tuple(cell.m_inf for cell in cells), folder.spec.settings)
        evaluation = evaluate_run(
            folder,
            cells,
            episodes=self.episodes,
            workers=self.workers,
            success_timing=self.success_timing,
        )
        title = f"{folder.spec.task}, run {folder.path.name}, success judged {self.success_timing}-action"
        show(records(success_table(evaluation.table(), ("m_inf", "n", "verifier"))), self.json, title)
        return 0


def _say_what_extrapolates(m_inf: tuple[int, ...], settings: dict[str, Any]) -> None:
    """Name the step counts whose step size the actor never saw in training."""
    from workbench.flow import is_power_of_two

    m_disc, every = settings.get("m_disc"), settings.get("splits") == "any"
    if m_disc is None:
        return
    finest, trained = (2 * m_disc, "all counts") if every else (m_disc, "powers of two")
    unseen = [m for m in dict.fromkeys(m_inf) if m > finest or not (every or is_power_of_two(m))]
    if unseen:
        print(
            f"note: M_inf = {', '.join(map(str, unseen))} asks for step sizes that were not trained ({trained} up "
            f"to {finest} steps were): the actor extrapolates in log2(1/h).",
            file=sys.stderr,
        )
