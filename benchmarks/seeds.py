"""What is gained by training eight seeds as one program, and by matrix products in lower precision?"""

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
from measuring import Number, in_turn, main, median
from updates import sized

from workbench.agents.base import TrainState
from workbench.agents.sorl import SORL
from workbench.data.dataset import Dataset
from workbench.store.spec import PRECISIONS
from workbench.studies.runtime import ACT, OBS
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights, Metrics

SEEDS, BATCH = 8, 256
TABLE = 40 * 8 * 1_000_000
"""Updates of the 40 tasks with 8 seeds each."""
PRODUCT = re.compile("gemm|dot|cublas|cutlass|nvjet|ynn|xmma|matmul", re.IGNORECASE)
"""Names of kernels that multiply matrices."""
OPERATION = re.compile(r"(?!while|call|conditional)[a-z_0-9.-]+")
"""Names of a CPU's operations in a profile; not those that hold others."""


def measure(smoke: bool) -> Iterator[Number]:
    """The paper's sizes. A loop over single updates of one seed takes turns with the programs."""
    agent, rounds = (dataclasses.replace(sized(8, 1), m_btt=1), 1) if smoke else (sized(512, 4), 7)
    gpu = jax.default_backend() == "gpu"
    steps = 2 if smoke else 200 if gpu else 3
    data = made_up(OBS, ACT)
    calls = {"loop": loop(agent, data, steps)}
    for seeds in (1, SEEDS):
        state = init_seeds(agent, data.example(), tuple(range(seeds)))
        calls[str(seeds)] = lambda state=state: chunk(agent, data, state, steps)
    found = in_turn(calls, rounds)
    rates = {name: [steps * (1 if name == "loop" else int(name)) / each for each in found[name]] for name in found}
    yield median("one seed, a loop over single updates", rates["loop"], "updates/s")
    yield median("one seed, one program", rates["1"], "updates/s")
    yield median(f"{SEEDS} seeds, one program", rates[str(SEEDS)], "updates/s of all")
    gains = [all_seeds / one for all_seeds, one in zip(rates[str(SEEDS)], rates["loop"], strict=True)]
    yield median(f"{SEEDS} seeds, one program, over the loop", gains, "times", at_least=10.0 if gpu else None)
    yield median("40 tasks x 8 seeds x 1M updates", [TABLE / rate / 3600 for rate in rates[str(SEEDS)]], "hours")
    share = product_share(calls[str(SEEDS)])
    yield Number("share of traced time in matrix products", share, "of all operations")
    yield from precisions(calls[str(SEEDS)], rounds, steps)


def chunk(agent: SORL, data: Dataset, state: TrainState, steps: int) -> Metrics:
    """Metrics of updates as a training makes them."""
    return train_chunk(agent, data, LossWeights(), state, steps, BATCH)[1].mean


def loop(agent: SORL, data: Dataset, steps: int) -> Callable[[], Metrics]:
    """The same updates one call each, as the authors' code makes them."""

    @eqx.filter_jit
    def one(state: TrainState) -> tuple[TrainState, Metrics]:
        key, key_batch = jax.random.split(state.key)
        return agent.update(eqx.tree_at(lambda s: s.key, state, key), data.sample(BATCH, key=key_batch), LossWeights())

    start = eqx.filter_jit(agent.init)(data.example(), key=jax.random.key(0))

    def run() -> Metrics:
        state, metrics = start, {}
        for _ in range(steps):
            state, metrics = one(state)
        return metrics

    return run


def precisions(program: Callable[[], Metrics], rounds: int, steps: int) -> Iterator[Number]:
    """Time, and how far the mean losses of the first updates are from those in float32."""

    def at(precision: str) -> Metrics:
        with jax.default_matmul_precision(PRECISIONS[precision]):
            return program()

    found = in_turn({name: (lambda name=name: at(name)) for name in PRECISIONS}, rounds)
    losses = {name: {key: np.asarray(value) for key, value in at(name).items()} for name in PRECISIONS}
    for name in PRECISIONS:
        yield median(f"products of {name}", [1e3 * each / steps for each in found[name]], "ms an update of all seeds")
        for loss in ("loss_critic", "loss_ql", "loss_fm", "loss_sc") if name != "float32" else ():
            exact = losses["float32"][loss]
            change = float(np.max(np.abs(losses[name][loss] - exact) / np.abs(exact)))
            yield Number(f"products of {name}: {loss} of {steps} updates, most of any seed", change, "relative change")


def product_share(program: Callable[[], Metrics]) -> float:
    """From a profile: time in matrix products over that in all operations, of every stream or thread."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(program())
        (file,) = Path(folder).rglob("*.xplane.pb")
        planes = list(jax.profiler.ProfileData.from_file(str(file)).planes)
        events = [(plane.name, event) for plane in planes for line in plane.lines for event in line.events]
    on_gpu = [event for name, event in events if "GPU" in name]
    kernels = on_gpu or [event for _, event in events if OPERATION.fullmatch(event.name)]
    times = {True: 0.0, False: 0.0}
    for event in kernels:
        times[bool(PRODUCT.search(event.name))] += event.duration_ns
    return times[True] / (times[True] + times[False])


if __name__ == "__main__":
    main(__doc__ or "", measure)
