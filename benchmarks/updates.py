"""How long is one update, and what share of the machine's matrix-product rate does it reach?"""

import dataclasses
from collections.abc import Iterator

from measuring import Number, main, median

from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.studies.runtime import ENVIRONMENT, FULL, SMOKE, Case, Size, Times, time_updates

GOALS = {512: 0.85, 256: 0.75, 128: 0.55}
"""Least share of the product rate by width, with four layers, batch 256 and M_BTT 8 on two cores."""


def measure(smoke: bool) -> Iterator[Number]:
    """By width and M_BTT, beside what the released code computes; at the least width also by batch and by seeds."""
    size, goals = (SMOKE, {8: 0.0}) if smoke else (FULL, GOALS)
    depth, most = size.network.get("depth", 4), size.m_btt[-1]
    for width, goal in goals.items():
        agent = sized(width, depth)
        found = time_updates({m: Case(dataclasses.replace(agent, m_btt=m), 256) for m in size.m_btt}, size)
        for m, times in found.items():
            yield from numbers(f"width {width}, M_BTT {m}", times, goal=goal if m == most else None)
    for width in goals:
        yield released(width, depth, most, size)
    narrow = sized(min(goals), depth)
    cases = {f"batch {rows}": Case(narrow, rows) for rows in ((64,) if smoke else (64, 256, 1024))}
    cases |= {f"{seeds} seeds as one program": Case(narrow, 256, seeds) for seeds in ((2,) if smoke else (2, 4, 8))}
    for name, times in time_updates(cases, size).items():
        yield from numbers(f"width {narrow.width}, M_BTT {narrow.m_btt}, {name}", times)


def sized(width: int, depth: int, name: str = "paper") -> SORL:
    """A preset's agent with other networks."""
    agent = preset("sorl", name, ENVIRONMENT).agent
    assert isinstance(agent, SORL)
    return dataclasses.replace(agent, width=width, depth=depth)


def released(width: int, depth: int, m_btt: int, size: Size) -> Number:
    """Time of what the released code computes over that of the algorithm.

    It draws one number of Euler steps an update, so timings are long enough for many draws.
    """
    agents = {name: dataclasses.replace(sized(width, depth, name), m_btt=m_btt) for name in ("official", "paper")}
    long = dataclasses.replace(size, rounds=3, update_seconds=25 * size.update_seconds)
    found = time_updates({name: Case(agent, 256) for name, agent in agents.items()}, long)
    pairs = zip(found["official"].seconds, found["paper"].seconds, strict=True)
    ratios = [official / paper for official, paper in pairs]
    return median(f"width {width}, preset official over paper", ratios, "times as long")


def numbers(case: str, times: Times, goal: float | None = None) -> Iterator[Number]:
    """Milliseconds of an update of all seeds, its counted operations, and the share of the product's rate."""
    yield median(case, [1e3 * each for each in times.seconds], "ms")
    yield Number(case, round(times.gflop, 4), "GFLOP")
    shares = [times.gflop / each / times.product_rate for each in times.seconds]
    yield median(case, shares, "of the product rate", at_least=goal)


if __name__ == "__main__":
    main(__doc__ or "", measure)
