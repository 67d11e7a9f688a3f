"""Whatever a shell sets in JAX, a run has the numbers of its hash; what cannot be held is refused or written down."""

import warnings
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.live_trainers import Maker, makers
from tests.unit.problems import random_data
from workbench.data.toy import make_toy
from workbench.errors import Note, WorkbenchError
from workbench.experiments import Schedule, load_agent, train_run
from workbench.numerics import HELD, held, rounding
from workbench.store.checkpoint import state_hash
from workbench.store.folder import RunFolder, environment
from workbench.store.query import read_run
from workbench.store.spec import make_spec
from workbench.train import init_seeds, train_chunk, validate
from workbench.types import LossWeights

MAZE = "pointmaze-medium-navigate-singletask-task1-v0"
DATA = random_data(obs=2, act=2)

SET_ASIDE = {
    "enable_x64": True,
    "default_matmul_precision": "bfloat16",
    "default_prng_impl": "rbg",
    "threefry_partitionable": False,
    "numpy_dtype_promotion": "strict",
    "numpy_rank_promotion": "raise",
    "softmax_custom_jvp": True,
    "allow_f16_reductions": False,
    "disable_jit": True,
}
IN_FORCE = {"debug_nans": True, "debug_infs": True, "enable_checks": True}


def spec_of():
    return make_spec(MAZE, DATA.provenance, agent="bc", settings={"width": 9, "depth": 1}, steps=4, batch_size=16)


def trained(root):
    """The run, cut in the middle so that its second half begins with a checkpoint."""
    schedule = Schedule(log_every=2, save_every=2)
    return RunFolder(train_run(spec_of(), DATA, DATA, schedule=schedule, root=root, progress=False).path)


@pytest.fixture(scope="module", name="plain")
def fixture_plain(tmp_path_factory):
    """The run as it is where nothing is set: its folder, final hash and metrics."""
    folder = trained(tmp_path_factory.mktemp("plain"))
    return folder, state_hash(load_agent(folder)[1]), read_run(folder).metrics.drop(columns="seconds")


def test_every_setting_that_is_held_is_tried():
    assert {*HELD, "default_matmul_precision"} == set(SET_ASIDE)


@pytest.mark.parametrize(("name", "value"), [*SET_ASIDE.items(), *IN_FORCE.items()])
def test_a_run_has_its_numbers_whatever_is_set(name, value, plain, tmp_path):
    _, expected, metrics = plain
    with getattr(jax, name)(value), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folder = trained(tmp_path)
        found = state_hash(load_agent(folder)[1])
    assert found == expected
    assert read_run(folder).metrics.drop(columns="seconds").equals(metrics)
    notes = {str(each.message) for each in caught if each.category is Note}
    assert bool(notes) == (name in SET_ASIDE)
    assert all(f"JAX is set to {name} = {value}, which no run follows" in note for note in notes)


def test_toys_and_trainings_without_a_spec_are_held_too():
    def made():
        data, held_out = make_toy("grid", rows=60, seed=0)
        agent = spec_of().build_agent()
        state = init_seeds(agent, data.example(), (0,))
        state, report = train_chunk(agent, data, LossWeights(), state, 2, 16)
        return data, state, report.mean, validate(agent, held_out, LossWeights(), state, 16)

    plain = made()
    with jax.enable_x64(True), jax.default_prng_impl("rbg"):
        other = made()
    assert [state_hash(each) for each in plain] == [state_hash(each) for each in other]


def test_a_thread_that_trains_is_held(make: Maker):
    """A live trainer has a thread of its own, which has only what is set for the whole process."""
    hashes = []
    for wide in (False, True):
        jax.config.update("jax_enable_x64", wide)
        try:
            trainer = make(agent="bc", settings={"width": 9, "depth": 1})
            trainer.start(3)
            hashes.append(state_hash(trainer.result()))
        finally:
            jax.config.update("jax_enable_x64", False)
    assert hashes[0] == hashes[1]


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


@pytest.mark.parametrize(("name", "value"), [("random_seed_offset", 5), ("high_dynamic_range_gumbel", True)])
def test_what_no_thread_can_set_back_is_refused(name, value):
    former = getattr(jax.config, f"jax_{name}")
    jax.config.update(f"jax_{name}", value)
    try:
        with pytest.raises(WorkbenchError, match=f"{name} = {value}.* unset JAX_{name.upper()}"):
            init_seeds(spec_of().build_agent(), DATA.example(), (0,))
    finally:
        jax.config.update(f"jax_{name}", former)


def test_what_only_rounds_otherwise_is_written_down(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert rounding() == {}
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        assert environment()["rounding"] == {
            "jax_disable_most_optimizations": "True",
            "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
        }
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


def test_what_is_held_comes_back():
    with jax.enable_x64(True):
        with held():
            assert jnp.asarray(np.float64(1)).dtype == jnp.float32
        assert jnp.asarray(np.float64(1)).dtype == jnp.float64
