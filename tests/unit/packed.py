"""A run without training, evaluated by hand, and a policy of it: what tests of policies begin with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import pandas as pd

from workbench.data.dataset import Provenance
from workbench.data.load import example_of
from workbench.experiments import load_agent
from workbench.store.folder import RunFolder
from workbench.store.policy import Policy, pack_policy
from workbench.store.spec import make_spec
from workbench.train import init_seeds

TASK = "cube-single-play-singletask-task2-v0"
DATA = Provenance("arrays", "none")
NAME, STEP = "cube-tiny", 7


def make_run(root: Path, **changes: Any) -> RunFolder:
    """A run of two seeds at update 7, whose networks and targets differ; evaluated in two budgets."""
    plain = make_spec(TASK, DATA, preset_name="small", seeds=(0, 4), steps=9, settings={"width": 8, "depth": 1})
    spec = replace(plain, **changes)
    folder = RunFolder.create(root, spec)
    state = init_seeds(spec.build_agent(), example_of(TASK), spec.seeds)
    targets = jax.tree.map(lambda leaf: leaf + 1 if eqx.is_array(leaf) else leaf, state.targets)
    folder.save(eqx.tree_at(lambda s: (s.targets, s.step), state, (targets, state.step + STEP)), STEP)
    folder.note_environment()
    rows = {
        "task": TASK,
        "verifier": "mean",
        "success_timing": "post",
        "return": -1.5,
        "length": 5,
        "act_ms": 0.1 + 0.2,
    }
    folder.add_evals(
        pd.DataFrame(
            rows | {"step": step, "seed": seed, "m_inf": 2, "n": n, "episode": i, "success": i < n and seed == 4}
            for step in (3, STEP)
            for seed in spec.seeds
            for n in (1, 3)
            for i in range(5)
        )
    )
    return folder


def pack(run: RunFolder, folder: Path, name: str = NAME, seed: int = 4) -> Policy:
    """The policy of one seed, in a folder of its own."""
    return pack_policy(run, load_agent(run)[1], name, seed=seed, folder=folder)
