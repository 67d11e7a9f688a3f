"""Tables of a campaign whose truth is chosen, for the tests of claims."""

from collections.abc import Mapping

import pandas as pd

from workbench import published
from workbench.agents.protocol import protocol
from workbench.claims import Evidence

TASKS = {name: f"{name}-play-singletask-task2-v0" for name in ("cube-single", "scene")}
RIVALS = ("bc", "iql", "rebrac", "idql", "srpo", "cac", "fawac", "fbrac", "ifql", "fql")
EMPTY = pd.DataFrame()


def run(
    agent: str,
    rate: float,
    m_inf: int,
    n: int = 1,
    *,
    task: str = "cube-single",
    m_btt: float = float("nan"),
    seeds: tuple[int, ...] = (0, 1),
    episodes: int = 100,
    steps: tuple[int, ...] = (100_000, 150_000, 200_000),
    **other: object,
) -> pd.DataFrame:
    """Rows of one agent at one budget: this share of the episodes of every checkpoint succeeds."""
    budget = protocol(agent, task)
    fixed = {"task": TASKS[task], "agent": agent, "preset": "paper", "data": "regenerated", "rows": 1_000_000}
    fixed |= {"width": 128, "depth": 4, "m_btt": m_btt, "w_ql": 10.0, "steps": 200_000, "m_inf": m_inf, "n": n}
    fixed |= {"verifier": budget.verifier, "success_timing": "post", "episodes": episodes, **other}
    rows = [
        fixed | {"hash": f"{agent}{m_btt}{seed}{task}", "seed": seed, "step": step, "successes": round(rate * episodes)}
        for seed in seeds
        for step in steps
    ]
    return pd.DataFrame(rows)


def sorl(rates: Mapping[tuple[int, int, int], float], **other) -> pd.DataFrame:
    """Rows of SORL by (M_BTT, M_inf, N)."""
    return pd.concat([run("sorl", rate, m, n, m_btt=btt, **other) for (btt, m, n), rate in rates.items()])


def table(rates: Mapping[str, float], task: str = "cube-single", **other) -> pd.DataFrame:
    """Every agent at the budget of its protocol."""
    rows = []
    for agent, rate in rates.items():
        budget = protocol(agent, task)
        btt = 8.0 if agent == "sorl" else float("nan")
        rows.append(run(agent, rate, budget.m_inf, budget.n, task=task, m_btt=btt, **other))
    return pd.concat(rows)


def evidence(two_cores: pd.DataFrame = EMPTY, cost: pd.DataFrame = EMPTY, bound: pd.DataFrame = EMPTY) -> Evidence:
    return Evidence(published.aggregates(), two_cores.reset_index(drop=True), cost, bound)


def cost(ratio: float, noise: float = 0.01) -> pd.DataFrame:
    """Rounds of updates that take `ratio` times as long with the self-consistency loss."""
    rows = []
    for width in (128, 512):
        for number in range(9):
            wall = 10 * ratio * (1 + noise * (number - 4))
            rows.append({"depth": 4, "width": width, "m_btt": 8, "batch": 256, "machine": "a machine", "updates": 50})
            rows[-1] |= {"gflop": 1.1, "gflop_without": 1.0, "round": number}
            rows[-1] |= {"wall_ms": wall, "wall_ms_without": 10.0, "cpu_ms": 2 * wall, "cpu_ms_without": 20.0}
    return pd.DataFrame(rows)


def bound(few: list[float], many: list[float]) -> pd.DataFrame:
    """W2 of M = 1 and M = 8 by seed after the last update, and the other way round before it."""
    rows = []
    for seed, (w2_few, w2_many) in enumerate(zip(few, many, strict=True)):
        for step, values in ((0, (w2_many, w2_few)), (12_000, (w2_few, w2_many))):
            for m, w2 in zip((1, 8), values, strict=True):
                rows.append({"seed": seed, "step": step, "m_inf": m, "w2": w2, "w2_floor": 0.07, "draws": 2000})
    return pd.DataFrame(rows)
