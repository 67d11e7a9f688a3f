"""How the action is made of the candidates: success of the policies that come with the package, by selection and N."""

from collections.abc import Iterator
from itertools import groupby

import pandas as pd

from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import evaluate
from workbench.experiments import load_agent
from workbench.paths import runs_dir
from workbench.store.policy import Policy, list_policies, open_policy

M_INF = 4
EPISODES, FIRST = 100, 2_000_000
"""Episodes of a cell, and the number of the first: nothing was chosen on these starts, and nothing else plays them."""
COUNTS = (4, 32, 128)
RULES = ("mean", "elite:0.5", "nearest:0.5", "mode:0.5", "weighted:1", "soft:1")
"""What is tried at every number of candidates; the first is best-of-N."""
SHARES, SHARES_N = (0.125, 0.25, 0.5, 0.75, 1.0), 32
"""Shares of the candidates whose mean is tried, at this number of them."""


def selection(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """Table `selection`: a row a policy and budget, at M_inf = 4, all of one policy from the same starts and noise.

    `outcomes` has a digit an episode, 1 for success, in the order of the starts, so that budgets can be compared start
    by start. `policy` is the name that `policy:NAME` has, `step` its updates; success is judged after the action.
    """
    rows = []
    for policy in list_policies():
        for n, cells in groupby(_cells(smoke), key=lambda cell: cell.n):
            rows += list(_rows(policy, n, list(cells), smoke))
    return {"selection": pd.DataFrame(rows)}


def _cells(smoke: bool) -> list[Cell]:
    """The budgets, by their number of candidates: those of one number are played together."""
    counts, shares_n = ((2,), 2) if smoke else (COUNTS, SHARES_N)
    cells = [Cell(M_INF, 1), *(Cell(M_INF, n, rule) for n in counts for rule in RULES)]
    cells += [Cell(M_INF, shares_n, f"elite:{share:g}") for share in SHARES]
    return sorted(dict.fromkeys(cells), key=lambda cell: cell.n)


def _rows(policy: Policy, n: int, cells: list[Cell], smoke: bool) -> Iterator[dict[str, str | int]]:
    folder = open_policy(policy.name, runs_dir())
    agent, state = load_agent(folder)
    spec, (episodes, limit) = folder.spec, (2, 5) if smoke else (EPISODES, None)
    numbered = {"episodes": episodes, "first_episode": FIRST, "episode_limit": limit}
    with spec.matmul_precision():
        played = evaluate(agent, state, spec.task, cells, seeds=spec.seeds, **numbered).table()
    size = f"{spec.settings['depth']}×{spec.settings['width']}"
    named = {"policy": policy.name, "task": spec.task, "agent": spec.agent, "network": size, "step": policy.step}
    for cell in cells:
        own = played.loc[(played["m_inf"] == cell.m_inf) & (played["verifier"] == cell.verifier)]
        outcomes = "".join(str(int(success)) for success in own.sort_values("episode")["success"])
        budget = {"m_inf": cell.m_inf, "n": n, "verifier": cell.verifier}
        counts = {"episodes": len(outcomes), "successes": outcomes.count("1"), "outcomes": outcomes}
        yield named | {"seed": spec.seeds[0], "data": spec.data.kind} | budget | counts
