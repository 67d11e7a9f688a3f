"""How far the policy's actions are from the data's near held-out observations, for growing M_inf and N."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, PRNGKeyArray

from workbench.agents.base import AbstractAgent, TrainState
from workbench.data.dataset import Dataset
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.experiments import load_agent
from workbench.studies.base import base_runs, identity
from workbench.studies.campaign import DATASET, TASK, Scale
from workbench.studies.verifier import M_INF
from workbench.theory.coverage import saturation
from workbench.theory.neighbours import VARIANTS, ActionSets, action_sets, compare
from workbench.train import one_seed


def actions(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """Table `action_w2`: one row a run, budget and variant (see `theory.neighbours`); distances in action units.

    `w2` (policy against data), `floor` (data against data), `own` (policy against policy) and `blind` (actions drawn
    from all data against nearby ones) are root mean squares over `n_observations` held-out observations of W2 between
    samples of k/2. `excess` is the signed root of w2² less the mean of floor² and own² (`ActionDistance.excess`), with
    an interval over observations; `blind_excess` likewise. `saturation` is the share of components of the policy's
    actions at the limit, `saturation_data` that of nearby data; `radius` is in standard deviations. Budgets: N = 1 for
    every M_inf, and M_inf = 4 for every N.
    """
    scale, folders = Scale.of(smoke), base_runs(smoke)
    data, held_out = _data(scale)
    k, queries = (2, 4) if smoke else (32, 200)
    rng = np.random.default_rng(0)
    x = np.asarray(held_out.x)[rng.choice(np.asarray(held_out.index), queries, replace=False)]
    sets = action_sets(data, x, k, rng=rng)
    blind = compare(sets, np.asarray(data.a)[rng.choice(np.asarray(data.index), (queries, k))])
    budgets = dict.fromkeys([Cell(m, 1) for m in scale.m_inf] + [Cell(M_INF, n) for n in scale.n])
    fixed = {"blind": _rms(blind.between), "blind_excess": blind.excess().value, "radius": float(sets.radius.mean())}
    rows = []
    for folder in folders:
        spec = folder.spec
        if spec.data.sha256 != data.provenance.sha256:
            raise WorkbenchError(
                f"run {folder.path.name} was trained on other data than {DATASET} with {scale.data_episodes} episodes: "
                "`workbench study inference` trains on those."
            )
        agent, state = load_agent(folder)
        for cell in budgets:
            for variant in VARIANTS:
                with spec.arithmetic():
                    x = jnp.asarray(sets.policy_observations(variant))
                    a = np.asarray(_sample(agent, state, x, cell, jax.random.key(spec.seeds[0])))
                rows.append(identity(folder) | {"variant": variant} | _row(sets, a, cell) | fixed)
    return {"action_w2": pd.DataFrame(rows)}


def _data(scale: Scale) -> tuple[Dataset, Dataset]:
    from workbench.data.make import make_dataset
    from workbench.data.ogbench_files import load_task

    return load_task(TASK, make_dataset(DATASET, episodes=scale.data_episodes))


def _row(sets: ActionSets, a: Float[np.ndarray, "query k act"], cell: Cell) -> dict[str, int | float]:
    """Distances and saturation of one budget's actions."""
    distance = compare(sets, a)
    excess = distance.excess()
    return {
        "m_inf": cell.m_inf,
        "n": cell.n,
        "k": a.shape[1],
        "w2": _rms(distance.between),
        "floor": _rms(distance.data),
        "own": _rms(distance.policy),
        "excess": excess.value,
        "excess_low": excess.low,
        "excess_high": excess.high,
        "saturation": float(saturation(a).mean()),
        "saturation_data": float(saturation(sets.a_near).mean()),
        "n_observations": len(a),
    }


@eqx.filter_jit
def _sample(
    agent: AbstractAgent, state: TrainState, x: Float[Array, "query k obs"], cell: Cell, key: PRNGKeyArray
) -> Float[Array, "query k act"]:
    """Actions of the first seed of a state, one for each observation."""
    first = one_seed(state)
    budget = cell.budget()
    keys = jax.random.split(key, x.shape[:2])
    return jax.vmap(jax.vmap(lambda x, key: agent.act(first, x, budget, key=key).a))(x, keys)


def _rms(squares: np.ndarray) -> float:
    return float(np.sqrt(squares.mean()))
