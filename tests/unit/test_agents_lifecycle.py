"""What every agent owes the workbench: seeds side by side, knobs that never recompile, states that resume."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

from tests.unit.agents import NAMES, minute, weights_of
from tests.unit.problems import random_data
from workbench import train
from workbench.store.checkpoint import load_checkpoint, save_checkpoint, state_hash
from workbench.train import init_seeds, train_chunk


def flat(nets: dict[str, Any], seed: int) -> np.ndarray:
    return np.concatenate([np.ravel(leaf[seed]) for leaf in jax.tree.leaves(eqx.filter(nets, eqx.is_array))])


@pytest.mark.parametrize("name", NAMES)
def test_seeds_knobs_and_resuming(name, monkeypatch, tmp_path):
    """Seeds as one program equal runs of their own, knobs never retrace, and a saved state continues bit for bit."""
    data, traces, inner = random_data(), [], train._one_seed
    monkeypatch.setattr(train, "_one_seed", lambda *args: traces.append(1) or inner(*args))
    agent, example = minute(name), data.example()
    start = init_seeds(agent, example, (3, 4))
    middle, _ = train_chunk(agent, data, weights_of(name, lr=1e-4), start, 2, 16)
    whole, _ = train_chunk(agent, data, weights_of(name, lr=1e-4), middle, 2, 16)

    save_checkpoint(tmp_path / "state", middle, spec_hash="x", step=2)
    loaded, _ = load_checkpoint(tmp_path / "state", eqx.filter_eval_shape(init_seeds, agent, example, (3, 4)))
    again, _ = train_chunk(agent, data, weights_of(name, lr=1e-4), loaded, 2, 16)
    assert state_hash(again) == state_hash(whole)

    for knob in agent.knobs:
        for value in (0.5, 0.25):
            train_chunk(agent, data, weights_of(name, **{knob: value}), start, 1, 16)
    assert len(traces) == 1

    alone = init_seeds(agent, example, (4,))
    alone, _ = train_chunk(agent, data, weights_of(name, lr=1e-4), alone, 4, 16)
    many, one, before = (flat(s.nets, seed) for s, seed in ((whole, 1), (alone, 0), (start, 1)))
    # Adam divides by the gradient's size, so where that is all rounding, rounding decides the sign of a whole step.
    assert np.quantile(np.abs(many - one), 0.98) < 1e-5
    assert np.quantile(np.abs(many - before), 0.5) > 5e-5
