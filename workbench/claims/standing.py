"""Claims about the order of the agents, each played by its own protocol."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from workbench.agents.protocol import PROTOCOLS, protocol
from workbench.claims import cells as pick
from workbench.claims.verdicts import Evidence, Finding
from workbench.stats.differences import corrected_level, least_of, mean_of, success_difference
from workbench.stats.estimate import Estimate

Side = dict[str, pd.DataFrame]
"""Rows of one agent by task."""


def published_standing(environments: Sequence[str], agent: str, without: Sequence[str], table: pd.DataFrame) -> str:
    """The published scores of an agent and of the best of the rest, in per cent with their ± over seeds."""
    lines = []
    for name in environments:
        rows = table.loc[table["environment"].map(lambda full: full.rsplit("-", 1)[0]) == name]
        rest = rows.loc[~rows["method"].isin([agent, *without])]
        own, best = rows.loc[rows["method"] == agent].iloc[0], rest.loc[rest["score"].idxmax()]
        lines.append(f"{_where(name, environments)}{_scored(own)}; next {_scored(best)}")
    return "; ".join(lines)


def _scored(row: pd.Series) -> str:
    return f"{row['method']} {100 * row['score']:.0f} ± {100 * row['sd']:.0f} %"


def _where(name: str, environments: Sequence[str]) -> str:
    return f"{name}: " if len(environments) > 1 else ""


def leads(environments: Sequence[str], agent: str, without: Sequence[str], evidence: Evidence) -> Finding | None:
    """Whether an agent is the best of the published methods, but for those in `without`, in every environment.

    The difference is its lead over the best of the rest, on success in [0, 1], and the least lead of all environments.
    Each agent is scored by the mean of its last three checkpoints at the budget of its protocol; SORL with the largest
    M_BTT that it was trained with. Of an environment those tasks and seeds count at which the most rivals were run, for
    all of them alike. None where no environment has both the agent and a rival.
    """
    rivals = [each for each in dict.fromkeys(evidence.published["method"]) if each not in (agent, *without)]
    parts: list[Estimate] = []
    corrected: list[Estimate] = []
    words, used, lacking = [], [], []
    for name in environments:
        found = {each: _side(evidence.two_cores, each, name) for each in (agent, *rivals)}
        found, there = _balanced(found, agent, rivals)
        if not there:
            lacking.append(f"{name} was not run")
            continue
        compare = partial(_lead, found[agent])
        parts += [compare(found[each]) for each in there]
        level = corrected_level(len(rivals) * len(environments))
        corrected += [compare(found[each], level) for each in there]
        words.append(_where(name, environments) + _said(found, agent, there))
        used += [rows for each in (agent, *there) for rows in found[each].values()]
        missing = [each for each in rivals if each not in there]
        lacking += [f"{_where(name, environments)}{', '.join(missing)} not run"] if missing else []
    if not parts:
        return None
    rows = pd.concat(used, ignore_index=True)
    return Finding("; ".join(words), least_of(parts, corrected), pick.sizes(rows), pick.scale(rows), "; ".join(lacking))


def _balanced(found: dict[str, Side], agent: str, rivals: Sequence[str]) -> tuple[dict[str, Side], list[str]]:
    """The rows of those tasks and seeds of the agent at which the most rivals were run, and these rivals."""
    units = {
        each: {(task, seed) for task, rows in side.items() for seed in rows["seed"]} for each, side in found.items()
    }
    run_at = {unit: [each for each in rivals if unit in units[each]] for unit in sorted(units[agent])}
    there = max(run_at.values(), key=len, default=[])
    seeds: dict[str, list[int]] = {}
    for (task, seed), names in run_at.items():
        if set(there) <= set(names):
            seeds.setdefault(task, []).append(seed)
    kept = {
        each: {task: found[each][task].loc[found[each][task]["seed"].isin(own)] for task, own in seeds.items()}
        for each in (agent, *there)
    }
    return kept, there


def _lead(own: Side, rival: Side, level: float = 0.95) -> Estimate:
    return mean_of([success_difference(pick.counts(own[task]), pick.counts(rival[task]), level) for task in own])


def _side(cells: pd.DataFrame, method: str, name: str) -> Side:
    """By task of an environment, the rows that score a method: its protocol's budget, its last checkpoints."""
    agent = method.lower()
    if cells.empty or agent not in PROTOCOLS:
        return {}
    budget = protocol(agent, name)
    chosen = pick.at(pick.finished(cells.loc[cells["agent"] == agent]), budget.m_inf, budget.n)
    chosen = pick.judged(chosen, budget.verifier)
    here = chosen.loc[chosen["task"].map(pick.environment) == name]
    if agent == "sorl" and "m_btt" in here:
        here = here.loc[here["m_btt"] == here.groupby("task")["m_btt"].transform("max")]
    return {str(task): pick.last_checkpoints(rows) for task, rows in here.groupby("task")}


def _said(found: dict[str, Side], agent: str, rivals: Sequence[str]) -> str:
    rates = {each: _mean_success(found[each], found[agent]) for each in (agent, *rivals)}
    best = max(rivals, key=lambda each: rates[each])
    return f"{agent} {100 * rates[agent]:.1f} %; best other {best} {100 * rates[best]:.1f} %"


def _mean_success(side: Side, tasks: Side) -> float:
    return sum(pick.success(side[task]) for task in tasks) / len(tasks)
