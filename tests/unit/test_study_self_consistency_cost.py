"""What the cost of self-consistency compares: the same update, but for that loss."""

import dataclasses

import jax
import numpy as np

from workbench.studies.registry import STUDIES
from workbench.studies.runtime import ACT, OBS
from workbench.studies.self_consistency_cost import SMOKE, _agents, self_consistency_cost
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights


def test_the_other_agent_is_sorl_without_the_loss():
    """Two halves of ten each are flow matching of weight twenty; nothing else of an update differs."""
    agents, data = _agents((1, 8)), made_up(OBS, ACT, 200)
    assert dataclasses.fields(agents[""]) == dataclasses.fields(agents["_without"])
    state = init_seeds(agents[""], data.example(), (0,))
    with_weight, _ = train_chunk(agents[""], data, LossWeights(fm=20.0, sc=0.0), state, 2, 16)
    without, _ = train_chunk(agents["_without"], data, LossWeights(fm=10.0, sc=10.0), state, 2, 16)
    pairs = zip(jax.tree.leaves(with_weight.nets), jax.tree.leaves(without.nets), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_its_table_has_a_row_a_round_and_less_work_without():
    (name, table), *more = self_consistency_cost(smoke=True).items()
    assert ((name,), more) == (STUDIES["self_consistency_cost"].tables, [])
    assert len(table) == SMOKE.rounds * len(SMOKE.networks)
    times = table[[f"{kind}_ms{side}" for kind in ("wall", "cpu") for side in ("", "_without")]]
    assert (times.to_numpy() > 0).all()
    depth, width = SMOKE.networks[0]
    actor = 2 * ((OBS + ACT + 2) * width + (depth - 1) * width**2 + width * ACT)
    less = (table["gflop"] - table["gflop_without"]).to_numpy()
    np.testing.assert_allclose(less, 5 * 16 * actor / 1e9)
