"""Ratios of times measured side by side: they hold on any machine, and a change that loses one is seen here.

Each test may try thrice: what else runs on the machine can only spoil a ratio.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.data.dataset import Dataset
from workbench.studies.runtime import ACT, ENVIRONMENT, OBS, Case, Size, time_updates
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, one_seed, train_chunk
from workbench.types import Budget, LossWeights

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
SIZE = Size((), (), (1, 8), rounds=5, calls=0, update_seconds=0.15, side=1024)

pytestmark = pytest.mark.slow


def small() -> SORL:
    agent = preset("sorl", "small", ENVIRONMENT).agent
    assert isinstance(agent, SORL)
    return agent


def over(many: Callable[[], object], one: Callable[[], object], rounds: int) -> float:
    """Time of `many` over that of `one`: medians of calls that take turns, after a first of each."""
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for call, found in zip((many, one), times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(call())
            found.append(time.perf_counter() - start)
    return float(np.median(times[0][1:]) / np.median(times[1][1:]))


def within(limit: float, ratio: Callable[[], float]) -> None:
    tried = []
    for _ in range(3):
        tried.append(ratio())
        if tried[-1] <= limit:
            return
    raise AssertionError(f"{tried} of at most {limit:.3g}")


def test_updates_keep_half_of_the_share_that_was_measured() -> None:
    """Of the rate of a large product; the committed number is of a machine on which nothing else ran."""
    rows = json.loads((RESULTS / "updates.json").read_text())["rows"]
    named = ("width 128, M_BTT 8", "of the product rate")
    (kept,) = [row["value"] for row in rows if (row["case"], row["unit"]) == named]
    agent = replace(small(), width=128, depth=4, m_btt=8)

    def loss() -> float:
        times = time_updates({0: Case(agent, 256)}, SIZE)[0]
        return kept / (times.rate / times.product_rate)

    within(2.0, loss)


def test_backpropagation_through_eight_steps_costs_what_is_counted() -> None:
    """1.5 times the operations of one step, and not eight times: rows share the steps."""

    def ratio() -> float:
        found = time_updates({m: Case(replace(small(), m_btt=m), 256) for m in SIZE.m_btt}, SIZE)
        return float(np.median(found[8].seconds) / np.median(found[1].seconds))

    within(2.2, ratio)


def test_a_decision_of_many_candidates_is_one_batch() -> None:
    """256 evaluations of the actor instead of 1, of 32 candidates in 8 steps: never 32 times as long."""
    agent = small()
    state = one_seed(init_seeds(agent, made_up(OBS, ACT).example(), (0,)))
    act = jax.jit(lambda budget: agent.act(state, jnp.zeros(OBS), budget, key=jax.random.key(0)))
    one, many = (Budget.exactly(m, n, "mean") for m, n in ((1, 1), (8, 32)))
    within(12.0, lambda: over(lambda: act(many), lambda: act(one), 60))


def test_an_update_does_not_notice_how_much_data_there_is() -> None:
    agent = replace(small(), m_btt=1)
    few, much = (made_up(OBS, ACT, rows) for rows in (1_000, 500_000))
    state = init_seeds(agent, few.example(), (0,))

    def train(data: Dataset) -> object:
        return train_chunk(agent, data, LossWeights(), state, 20, 256)[1].mean

    within(1.5, lambda: over(lambda: train(much), lambda: train(few), 7))
