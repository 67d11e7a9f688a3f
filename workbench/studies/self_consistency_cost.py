"""What the self-consistency loss adds to the time of an update: SORL with it and without, in turn, on one machine."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import pandas as pd

from workbench import losses
from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.cost import GIGA, actor_flop, update_gflop
from workbench.data.dataset import Dataset
from workbench.flow import Shortcut
from workbench.store.environment import environment
from workbench.studies.runtime import ACT, ENVIRONMENT, OBS
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import Batch, LossWeights


class FlowMatchingSORL(SORL):
    """SORL without the self-consistency loss and its target: what is left of both is flow matching.

    The batch's flow-matching errors are then the rows of both losses, half each, whose weights must be equal.
    """

    def _self_consistency_targets(self, s_target: Shortcut, batch: Batch, key: Any) -> losses.VelocityTarget:
        whole = super()._self_consistency_targets(s_target, batch, key)
        return jax.tree.map(lambda rows: rows[:0], whole)


@dataclasses.dataclass(frozen=True)
class Size:
    """Hidden layers and their widths, and how often and how long is timed."""

    networks: tuple[tuple[int, int], ...]
    rounds: int
    seconds: float
    rows: int


FULL = Size(networks=((4, 128), (4, 512)), rounds=31, seconds=1.0, rows=100_000)
SMOKE = Size(networks=((1, 8),), rounds=3, seconds=0.0, rows=500)


def self_consistency_cost(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """The table `self_consistency_cost`: a row a network and round, milliseconds of one warm update.

    `wall_ms` and `cpu_ms` (of all threads of the process) with the self-consistency loss; `…_without` without it. In a
    round both run `updates` updates, one after the other, and the order alternates. `gflop` are counted operations.
    """
    size = SMOKE if smoke else FULL
    return {"self_consistency_cost": pd.DataFrame([row for network in size.networks for row in _rounds(network, size)])}


def _rounds(network: tuple[int, int], size: Size) -> list[dict[str, Any]]:
    agents, batch = _agents(network), 16 if size is SMOKE else 256
    data = made_up(OBS, ACT, size.rows)
    runs = {name: partial(_timed, _runner(agent, data, batch)) for name, agent in agents.items()}
    runs[""](1)
    updates = max(2, round(size.seconds / runs[""](4)[0]))
    for run in runs.values():
        run(updates)
    fixed = _facts(agents[""], batch) | {"updates": updates}
    rows = []
    for number in range(size.rounds):
        times = {name: runs[name](updates) for name in list(runs)[:: 1 if number % 2 else -1]}
        wall = {f"wall_ms{name}": 1e3 * times[name][0] for name in runs}
        cpu = {f"cpu_ms{name}": 1e3 * times[name][1] for name in runs}
        rows.append(fixed | {"round": number} | wall | cpu)
    return rows


def _agents(network: tuple[int, int]) -> dict[str, SORL]:
    """By the suffix of their columns, the `paper` preset with other networks, with the loss and without."""
    agent = preset("sorl", "paper", ENVIRONMENT).agent
    assert isinstance(agent, SORL)
    fields = {each.name: getattr(agent, each.name) for each in dataclasses.fields(SORL)}
    fields |= dict(zip(("depth", "width"), network, strict=True))
    return {"": SORL(**fields), "_without": FlowMatchingSORL(**fields)}


def _facts(agent: SORL, batch: int) -> dict[str, Any]:
    """What the rows of a network have in common; the loss is three passes of the actor and two of its target."""
    facts, gflop = environment(), update_gflop(agent, OBS, ACT, batch)
    without = gflop - 5 * batch * actor_flop(agent, OBS, ACT) / GIGA
    shape = {"depth": agent.depth, "width": agent.width, "m_btt": agent.m_btt, "batch": batch}
    machine = facts["machine"] if facts["device"] == "cpu" else facts["device"]
    return shape | {"machine": machine, "gflop": gflop, "gflop_without": without}


def _runner(agent: SORL, data: Dataset, batch: int) -> Callable[[int], Any]:
    """A call that runs this many updates, always from the same state."""
    state = init_seeds(agent, data.example(), (0,))
    return lambda updates: train_chunk(agent, data, LossWeights(), state, updates, batch)


def _timed(run: Callable[[int], Any], updates: int) -> tuple[float, float]:
    """Seconds of one update until its result exists: wall time, and time of all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    jax.block_until_ready(run(updates))
    return (time.perf_counter() - wall) / updates, (time.process_time() - cpu) / updates
