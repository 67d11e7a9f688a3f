"""Claims about compute at training and at inference, tested on SORL alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd

from workbench.agents.protocol import PROTOCOLS, protocol
from workbench.claims import cells as pick
from workbench.claims.verdicts import Evidence, Finding
from workbench.stats.differences import mean_of, success_difference

M_INF, N = PROTOCOLS["sorl"].m_inf, PROTOCOLS["sorl"].n
MANY = 4
"""Candidates of best-of-N: this many, or the least more that were played."""

Pair = tuple[str, pd.DataFrame, pd.DataFrame]
"""What is compared, in words with places for the rates `{up}` and `{down}`, and the rows of both sides."""
Runs = dict[int, pd.DataFrame]
"""Rows of SORL on one task, by M_BTT."""


def more_steps(evidence: Evidence) -> Finding | None:
    """Success at M_inf = 8 minus that at M_inf = 1, for N = 1 and the largest M_BTT; mean over tasks."""

    def pairs(runs: Runs) -> Iterator[Pair]:
        rows = runs[max(runs)]
        yield _listed(rows, "m_inf", "n", N), pick.at(rows, M_INF, N), pick.at(rows, 1, N)

    return _compared(evidence, pairs)


def recovers(evidence: Evidence) -> Finding | None:
    """Success of M_BTT = 1 minus that of M_BTT = 8, both at M_inf = 8 and N = 1; mean over tasks.

    Both have the same compute at inference: with more candidates for one side it would be a claim about best-of-N. What
    they reach with N = 4, or the least more, stands beside it.
    """

    def pairs(runs: Runs) -> Iterator[Pair]:
        if {1, M_INF} <= set(runs):
            few, many = runs[1], runs[M_INF]
            pick.agree(pd.concat([few, many]), ("preset", "m_btt", "verifier"))
            least, n = pick.at(few, 1, N), _many(few, 0)
            before = f" (M_inf 1: {_rate(least)})" if len(least) else ""
            more = [pick.at(each, M_INF, n) for each in (few, many)]
            beside = f" (N {n}: {_rate(more[0])} and {_rate(more[1])})" if all(map(len, more)) else ""
            words = f"M_BTT 1 at M_inf {M_INF}: {{up}}{before}; M_BTT {M_INF}: {{down}}{beside}"
            yield words, pick.at(few, M_INF, N), pick.at(many, M_INF, N)

    return _compared(evidence, pairs)


def generalises(evidence: Evidence) -> Finding | None:
    """Success at M_inf > M_BTT minus that at M_inf = M_BTT, for N = 1; mean over tasks and over M_BTT.

    M_inf is 8, or twice M_BTT where that is more, or the least more that was played.
    """

    def pairs(runs: Runs) -> Iterator[Pair]:
        for m_btt, rows in sorted(runs.items()):
            beyond = [m for m in rows.loc[rows["n"] == N, "m_inf"].tolist() if m >= max(M_INF, 2 * m_btt)]
            if beyond:
                words = f"M_BTT {m_btt}: M_inf {m_btt} {{down}}, M_inf {min(beyond)} {{up}}"
                yield words, pick.at(rows, min(beyond), N), pick.at(rows, m_btt, N)

    return _compared(evidence, pairs)


def more_candidates(evidence: Evidence) -> Finding | None:
    """Success with N = 4 candidates, or the least more, minus that with N = 1; M_inf = 8, the largest M_BTT."""

    def pairs(runs: Runs) -> Iterator[Pair]:
        rows = runs[max(runs)]
        n = _many(rows, 0)
        yield _listed(rows, "n", "m_inf", M_INF), pick.at(rows, M_INF, n), pick.at(rows, M_INF, N)

    return _compared(evidence, pairs)


def _compared(evidence: Evidence, pairs: Callable[[Runs], Iterator[Pair]]) -> Finding | None:
    """The mean difference of all pairs of every task, at the checkpoints that both sides have; None without any."""
    cells = evidence.two_cores
    if cells.empty:
        return None
    sorl = pick.finished(cells.loc[cells["agent"] == "sorl"])
    differences, references, words, used = [], [], [], []
    tasks = sorted(set(sorl["task"]))
    for task in tasks:
        own = pick.judged(sorl.loc[sorl["task"] == task], protocol("sorl", pick.environment(task)).verifier)
        for said, *sides in pairs(_by_m_btt(own)):
            up, down = pick.matched(*sides)
            if len(up):
                differences.append(success_difference(pick.counts(up), pick.counts(down)))
                references.append(pick.success(down))
                said = said.format(up=_rate(up), down=_rate(down))
                words.append(f"{pick.environment(task)}: {said}" if len(tasks) > 1 else said)
                used += [up, down]
    if not differences:
        return None
    rows = pd.concat(used, ignore_index=True)
    reference = sum(references) / len(references)
    found = Finding("; ".join(words), mean_of(differences), pick.sizes(rows), pick.scale(rows))
    return replace(found, reference=reference)


def _by_m_btt(rows: pd.DataFrame) -> Runs:
    return {m: rows.loc[rows["m_btt"] == m] for m in sorted(set(rows["m_btt"].to_numpy(int).tolist()))}


def _many(rows: pd.DataFrame, otherwise: int) -> int:
    counts = rows.loc[(rows["m_inf"] == M_INF) & (rows["n"] >= MANY), "n"].tolist()
    return min(counts, default=otherwise)


def _listed(rows: pd.DataFrame, along: str, fixed: str, value: int) -> str:
    """Success by M_inf or N, at the checkpoints that every one of them was played at."""
    chosen = rows.loc[rows[fixed] == value]
    whole = chosen.groupby("step")[along].transform("nunique") == chosen[along].nunique()
    groups = chosen.loc[whole].groupby(along)
    label = {"m_inf": "M_inf", "n": "N"}[along]
    return f"{label} " + ", ".join(f"{count}: {_rate(group)}" for count, group in groups)


def _rate(rows: pd.DataFrame) -> str:
    return f"{100 * pick.success(pick.last_checkpoints(rows)):.1f} %"
