"""How long decisions and updates of SORL take here, beside the operations they are made of (`workbench.cost`)."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.cost import decision_cost, update_gflop
from workbench.data.dataset import Dataset
from workbench.evaluate.cell import Cell, grid
from workbench.evaluate.policy import Controller, make_controller
from workbench.store.environment import environment
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights

ENVIRONMENT, OBS, ACT = "cube-single", 28, 5
PRESETS = ("small", "paper")


@dataclasses.dataclass(frozen=True)
class Size:
    """What is timed, how often, and how large.

    Every timing is repeated in `rounds`; one holds `calls` decisions, or `update_seconds` of updates beside products of
    two matrices with `side` rows and columns. `network` replaces fields of the agent.
    """

    m_inf: tuple[int, ...]
    n: tuple[int, ...]
    m_btt: tuple[int, ...]
    rounds: int
    calls: int
    update_seconds: float
    side: int
    network: dict[str, int] = dataclasses.field(default_factory=dict)


FULL = Size((1, 2, 4, 8, 16), (1, 2, 4, 8, 16, 32), (1, 2, 4, 8), rounds=9, calls=20, update_seconds=0.4, side=2048)
SMOKE = Size(
    (1, 2), (1, 2, 4), (1, 2), rounds=2, calls=2, update_seconds=0.0, side=64, network={"width": 8, "depth": 1}
)


def runtime(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """Times on the shapes of cube-single, whose values do not matter; each is a median with its quartiles.

    `cost`: milliseconds of one warm decision for one observation, dispatch included, by preset, M_inf and N.
    `updates`: milliseconds of one update by preset and M_BTT, the rate that makes (GFLOP/s), and that of a large matrix
    product measured in turn with the updates, so that a busy machine slows both. `machine` says where it was measured.
    """
    size = SMOKE if smoke else FULL
    return {"cost": decision_times(size), "updates": update_times(size)}


def decision_times(size: Size = FULL) -> pd.DataFrame:
    """The table `cost` of `runtime`."""
    rows = [fixed | row for agent, _, fixed in _presets(size) for row in _decisions(agent, size)]
    return pd.DataFrame(rows)


def update_times(size: Size = FULL) -> pd.DataFrame:
    """The table `updates` of `runtime`."""
    rows = [fixed | row for agent, batch, fixed in _presets(size) for row in _updates(agent, batch, size)]
    return pd.DataFrame(rows)


def _presets(size: Size) -> Iterator[tuple[SORL, int, dict[str, str]]]:
    """Agent and batch size of each preset, and what all of its rows say."""
    facts = environment()
    machine = facts["machine"] if facts["device"] == "cpu" else facts["device"]
    for name in PRESETS:
        chosen = preset("sorl", name, ENVIRONMENT)
        assert isinstance(chosen.agent, SORL)
        agent = dataclasses.replace(chosen.agent, **size.network)
        yield agent, chosen.batch_size, {"preset": name, "machine": machine}


def _decisions(agent: SORL, size: Size) -> list[dict[str, Any]]:
    """One row a budget. Budgets take turns, so that a slow moment of the machine falls on all of them."""
    controller = make_controller(agent, agent.init(made_up(OBS, ACT).example(), key=jax.random.key(0)))
    cells = grid(size.m_inf, size.n)
    times: dict[Cell, list[float]] = {cell: [] for cell in cells}
    for cell in cells:
        _decide_seconds(controller, cell)
    for _ in range(size.rounds):
        for cell in cells:
            times[cell] += [_decide_seconds(controller, cell) for _ in range(size.calls)]
    costs = {cell: decision_cost(agent, OBS, ACT, m_inf=cell.m_inf, n=cell.n) for cell in cells}
    return [dataclasses.asdict(costs[cell]) | _milliseconds("act_ms", times[cell]) for cell in cells]


def _decide_seconds(controller: Controller, cell: Cell) -> float:
    budget = cell.budget()
    x, key = np.zeros(OBS, np.float32), jax.random.key(0)
    return _seconds(lambda: controller(x, budget, key))


def _updates(agent: SORL, batch: int, size: Size) -> list[dict[str, Any]]:
    """One row an M_BTT."""
    found = time_updates({m: Case(dataclasses.replace(agent, m_btt=m), batch) for m in size.m_btt}, size)
    return [
        {"m_btt": m, "batch": batch}
        | _milliseconds("ms", times.seconds)
        | {"gflop": times.gflop, "gflop_per_s": times.rate, "matmul_gflop_per_s": times.product_rate}
        | {"share": times.rate / times.product_rate}
        for m, times in found.items()
    ]


@dataclasses.dataclass(frozen=True)
class Case:
    """Updates to time: of how many rows, and of how many seeds as one program."""

    agent: SORL
    batch: int
    seeds: int = 1


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of an update of all seeds, its counted work, and those of a large product between the updates."""

    gflop: float
    seconds: list[float]
    product_gflop: float
    products: list[float]

    @property
    def rate(self) -> float:
        """GFLOP/s of the updates, their median."""
        return self.gflop / float(np.median(self.seconds))

    @property
    def product_rate(self) -> float:
        """GFLOP/s of the product, its median."""
        return self.product_gflop / float(np.median(self.products))


Name = TypeVar("Name")


def time_updates(cases: Mapping[Name, Case], size: Size = FULL) -> dict[Name, Times]:
    """Warm updates on noise shaped as cube-single. Cases take turns, and after each a large product is timed."""
    data = made_up(OBS, ACT, 100_000)
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(size.side, size.side)), jnp.float32)
    product = jax.jit(jnp.matmul)
    _seconds(lambda: product(matrix, matrix))
    chunks = {name: _chunk(case, data, size.update_seconds) for name, case in cases.items()}
    updates: dict[Name, list[float]] = {name: [] for name in cases}
    products: dict[Name, list[float]] = {name: [] for name in cases}
    for _ in range(size.rounds):
        for name, chunk in chunks.items():
            updates[name].append(chunk())
            products[name] += [_seconds(lambda: product(matrix, matrix)) for _ in range(3)]
    work = {name: case.seeds * update_gflop(case.agent, OBS, ACT, case.batch) for name, case in cases.items()}
    return {name: Times(work[name], updates[name], 2e-9 * size.side**3, products[name]) for name in cases}


def _chunk(case: Case, data: Dataset, duration: float) -> Callable[[], float]:
    """A compiled call that runs updates for about `duration` seconds and returns the seconds of one."""
    state, weights = init_seeds(case.agent, data.example(), tuple(range(case.seeds))), LossWeights()

    def run(steps: int) -> float:
        return _seconds(lambda: train_chunk(case.agent, data, weights, state, steps, case.batch)) / steps

    run(1)
    steps = max(1, round(duration / run(4)))
    return lambda: run(steps)


def _seconds(call: Callable[[], Any]) -> float:
    """Wall time of a call until its result exists."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def _milliseconds(name: str, seconds: Sequence[float]) -> dict[str, float]:
    low, middle, high = (1e3 * float(each) for each in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return {name: middle, f"{name}_low": low, f"{name}_high": high}
