"""How long is one update, and what share of the machine's matrix-product rate does it reach?"""

import dataclasses
from collections.abc import Iterator

from measuring import Number, main, median

from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.studies.runtime import ENVIRONMENT, FULL, SMOKE, Case, Times, time_updates

GOALS = {512: 0.85, 256: 0.75, 128: 0.55}
"""Least share of the product rate by width, with four layers, batch 256 and M_BTT 8 on two cores."""


def measure(smoke: bool) -> Iterator[Number]:
    """By width and M_BTT; at the least width also by batch and by seeds in one program."""
    size, goals = (SMOKE, {8: 0.0}) if smoke else (FULL, GOALS)
    for width, goal in goals.items():
        agent = sized(width, size.network.get("depth", 4))
        found = time_updates({m: Case(dataclasses.replace(agent, m_btt=m), 256) for m in size.m_btt}, size)
        for m, times in found.items():
            yield from numbers(f"width {width}, M_BTT {m}", times, goal=goal if m == size.m_btt[-1] else None)
    narrow = sized(min(goals), size.network.get("depth", 4))
    cases = {f"batch {rows}": Case(narrow, rows) for rows in (64, 256, 1024)}
    cases |= {f"{seeds} seeds as one program": Case(narrow, 256, seeds) for seeds in (2, 4, 8)}
    for name, times in time_updates(cases, size).items():
        yield from numbers(f"width {narrow.width}, M_BTT {narrow.m_btt}, {name}", times)


def sized(width: int, depth: int) -> SORL:
    """The paper's agent with other networks."""
    agent = preset("sorl", "paper", ENVIRONMENT).agent
    assert isinstance(agent, SORL)
    return dataclasses.replace(agent, width=width, depth=depth)


def numbers(case: str, times: Times, goal: float | None = None) -> Iterator[Number]:
    """Milliseconds of an update of all seeds, and the share of the product's rate."""
    yield median(case, [1e3 * each for each in times.seconds], "ms")
    shares = [times.gflop / each / times.product_rate for each in times.seconds]
    yield median(case, shares, "of the product rate", at_least=goal)


if __name__ == "__main__":
    main(__doc__ or "", measure)
