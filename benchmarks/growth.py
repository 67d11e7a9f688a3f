"""How does time grow with seeds, backpropagated steps, rows, candidates and runs?"""

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from data import updates
from measuring import Number, in_turn, main, median
from updates import sized

from workbench.agents.sorl import SORL
from workbench.data.toy import make_toy
from workbench.experiments import Schedule, train_run
from workbench.paths import read_json, write_json
from workbench.store.query import list_runs
from workbench.store.spec import make_spec
from workbench.studies.runtime import ACT, FULL, OBS, SMOKE, Case, Size, time_updates
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, one_seed
from workbench.types import Budget

SEVERAL = (1, 2, 4, 8)


def measure(smoke: bool) -> Iterator[Number]:
    """Medians, and the slope of log time between the least and the most: 1 is in proportion, 0 is not at all."""
    size, rounds, agent = (SMOKE, 2, sized(8, 1)) if smoke else (FULL, 9, sized(128, 4))
    several = SEVERAL[:2] if smoke else SEVERAL
    two = dataclasses.replace(agent, m_btt=2)
    yield from grown("an update, seeds as one program", cases({k: Case(two, 256, k) for k in several}, size))
    by_m = {m: Case(dataclasses.replace(agent, m_btt=m), 256) for m in several}
    yield from grown("an update, M_BTT", cases(by_m, size))
    yield from grown("an update, rows of data", updates((1000, 100_000), rounds, 2 if smoke else 60))
    yield from grown("a decision, N", decisions(agent, (1, 8, 64), rounds))
    yield from grown("the list of runs, runs", lists((2, 16) if smoke else (10, 100, 1000), min(rounds, 3)))


def grown(what: str, times: Mapping[int, Sequence[float]]) -> Iterator[Number]:
    """Milliseconds at each count, and the slope."""
    middle = {count: float(np.median(each)) for count, each in times.items()}
    for count, each in times.items():
        yield median(f"{what}: {count:,}", each, "ms")
    least, most = min(middle), max(middle)
    slope = np.log(middle[most] / middle[least]) / np.log(most / least)
    yield Number(f"{what}: growth", round(float(slope), 3), "log-log slope")


def cases(chosen: Mapping[int, Case], size: Size) -> dict[int, list[float]]:
    """Milliseconds of updates."""
    return {count: [1e3 * each for each in times.seconds] for count, times in time_updates(chosen, size).items()}


def decisions(agent: SORL, counts: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Milliseconds of one decision in four steps, by candidates."""
    state = init_seeds(agent, made_up(OBS, ACT).example(), (0,))
    one = one_seed(state)
    act = jax.jit(lambda budget: agent.act(one, jnp.zeros(OBS), budget, key=jax.random.key(0)))
    budgets = {n: Budget.exactly(4, n, "mean") for n in counts}
    calls = {str(n): (lambda budget=budget: act(budget)) for n, budget in budgets.items()}
    return {int(n): [1e3 * each for each in times] for n, times in in_turn(calls, 4 * rounds, warm=3).items()}


def lists(counts: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Milliseconds of listing runs: copies of one that differ in their seed."""
    data, held_out = make_toy("grid", rows=200, seed=0)
    small = {"width": 8, "depth": 1, "m_btt": 1, "m_disc": 2}
    spec = make_spec("toy:grid", data.provenance, preset_name="small", steps=4, settings=small, batch_size=8)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        run = train_run(spec, data, held_out, root=root / "0", progress=False, schedule=Schedule(2, 2)).path
        calls = {}
        for count in counts:
            for seed in range(count):
                folder = root / str(count) / f"{seed:012x}"
                shutil.copytree(run, folder)
                write_json(folder / "spec.json", read_json(folder / "spec.json") | {"seeds": [seed]})
            calls[str(count)] = lambda count=count: len(list_runs(root=root / str(count)))
        return {int(count): [1e3 * each for each in times] for count, times in in_turn(calls, rounds).items()}


if __name__ == "__main__":
    main(__doc__ or "", measure)
