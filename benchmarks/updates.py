"""How long is one update, and what share of the machine's matrix-product rate does it reach?

Prints JSON. Work is counted from the algorithm by `workbench.cost`, never by the compiler. The rate of a plain large
product is measured between the updates of the same run, so that a noisy machine slows both.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.cost import update_gflop
from workbench.data.dataset import Dataset, Provenance
from workbench.store.folder import environment
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights

SIDE = 2048


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call that blocks until its result exists."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def measure(agent: SORL, batch: int, *, obs: int = 28, act: int = 5, rounds: int = 9) -> dict[str, Any]:
    """Median milliseconds of an update and of a large product, measured in turn."""
    rng, rows = np.random.default_rng(0), 100_000
    data = Dataset.build(
        rng.normal(size=(rows, obs)).astype(np.float32),
        rng.uniform(-1, 1, (rows, act)).astype(np.float32),
        -np.ones(rows, np.float32),
        np.ones(rows, np.float32),
        np.arange(rows) % 1000 != 999,
        Provenance("arrays", "noise"),
    )
    state, weights = init_seeds(agent, data.example(), (0,)), LossWeights()
    matrix = jnp.asarray(rng.normal(size=(SIDE, SIDE)), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    compile_s = seconds(lambda: train_chunk(agent, data, weights, state, 1, batch))
    once = seconds(lambda: train_chunk(agent, data, weights, state, 4, batch)) / 4
    steps = max(1, round(0.5 / once))
    seconds(lambda: product(matrix))
    updates, products = [], []
    for _ in range(rounds):
        products += [seconds(lambda: product(matrix)) for _ in range(3)]
        updates.append(seconds(lambda: train_chunk(agent, data, weights, state, steps, batch)) / steps)
    rate = 2 * SIDE**3 / statistics.median(products) / 1e9
    gflop = update_gflop(agent, obs, act, batch)
    update = statistics.median(updates)
    return {
        "ms": round(1e3 * update, 2),
        "gflop": round(gflop, 3),
        "gflop_per_s": round(gflop / update, 1),
        "matmul_gflop_per_s": round(rate, 1),
        "share_of_matmul_rate": round(gflop / update / rate, 3),
        "first_call_s": round(compile_s, 2),
    }


def main() -> None:
    """Measure the `paper` and `small` presets on cube-single shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["paper", "small"])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    results = {}
    for name in options.presets:
        chosen = preset("sorl", name, "cube-single")
        assert isinstance(chosen.agent, SORL)
        size = {"width": chosen.agent.width, "depth": chosen.agent.depth, "m_btt": chosen.agent.m_btt}
        measured = measure(chosen.agent, chosen.batch_size, rounds=options.rounds)
        results[name] = {"batch": chosen.batch_size, **size, **measured}
    print(json.dumps({"environment": environment(), "updates": results}, indent=2))


if __name__ == "__main__":
    main()
