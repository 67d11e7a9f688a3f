"""Specs of runs: what their hash covers, which settings, weights and seeds they take, and how they are refused."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from tests.unit.problems import random_data
from workbench.agents.sorl import SORL
from workbench.data.dataset import Dataset
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.store.spec import RunSpec, make_spec

TASK = "cube-single-play-singletask-task2-v0"
TINY = {"width": 8, "depth": 1, "m_btt": 1, "m_disc": 2}


@pytest.fixture(scope="module")
def data():
    return random_data()


def tiny_spec(data: Dataset) -> RunSpec:
    """Two seeds of SORL, ten updates of networks of eight units."""
    return make_spec(TASK, data.provenance, preset_name="small", steps=10, settings=TINY, seeds=(0, 1))


@pytest.fixture(scope="module")
def spec(data) -> RunSpec:
    return tiny_spec(data)


def test_a_spec_survives_json(spec):
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.hash == spec.hash
    assert eqx.tree_equal(again.build_agent(), spec.build_agent())


def test_the_hash_changes_with_whatever_changes_the_result(data, spec):
    others = [
        make_spec(TASK, data.provenance, preset_name="small", steps=10, settings=TINY | {"width": 9}, seeds=(0, 1)),
        make_spec(TASK, data.provenance, preset_name="small", steps=11, settings=TINY, seeds=(0, 1)),
        make_spec(TASK, data.provenance, preset_name="small", steps=10, settings=TINY, seeds=(1, 0)),
        make_spec(TASK, data.provenance, preset_name="small", steps=10, settings=TINY, seeds=(0, 1), weights={"fm": 9}),
        make_spec(TASK, random_data(seed=1).provenance, preset_name="small", steps=10, settings=TINY, seeds=(0, 1)),
    ]
    assert len({spec.hash, *(other.hash for other in others)}) == 6


def test_a_whole_number_is_the_same_weight_as_a_float(data):
    whole, real = (make_spec(TASK, data.provenance, seeds=(0, 1), weights={"fm": w}) for w in (9, 9.0))
    assert whole.hash == real.hash
    assert isinstance(whole.weights["fm"], float)
    each, other = (make_spec(TASK, data.provenance, seeds=(0, 1), weights={"fm": w}) for w in ((1, 2), [1.0, 2.0]))
    assert each.hash == other.hash != whole.hash


def test_nested_settings_reach_the_agent(data):
    spec = make_spec(TASK, data.provenance, preset_name="official", steps=1)
    agent = spec.build_agent()
    assert isinstance(agent, SORL)
    assert agent.departures.leak_td
    assert agent.pessimism == 0.0


def test_precision_is_part_of_a_run_and_is_what_its_products_are_compiled_in(data):
    plain, other = (make_spec(TASK, data.provenance, precision=each) for each in (None, "bfloat16"))
    assert "precision" not in plain.to_json()
    assert plain.hash != other.hash == RunSpec.from_json(other.to_json()).hash

    def program(spec):
        with spec.matmul_precision():
            return str(jax.make_jaxpr(lambda a: a @ a)(jnp.ones((2, 2))))

    assert "BF16_BF16_F32" in program(other)
    assert "precision" not in program(plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "bf16"}, "did you mean bfloat16"),
        ({"settings": {"widht": 3}}, "did you mean width"),
        ({"weights": {"gama": 3}}, "did you mean gamma"),
        ({"weights": {"ql": [1.0, 2.0, 3.0]}, "seeds": (0, 1)}, "one value a seed: 2, not 3"),
        ({"seeds": ()}, "one or more different"),
        ({"seeds": (1, 1)}, "one or more different"),
        ({"seeds": (0, -1)}, "seeds must lie between 0 and"),
        ({"seeds": (2**31,)}, "seeds must lie between 0 and"),
        ({"settings": {"width": 16.5}}, "agent setting 'width' must be a whole number, not 16.5"),
        ({"settings": {"width": 0}}, "agent setting 'width' must be at least 1, not 0"),
        ({"settings": {"ensemble": True}}, "agent setting 'ensemble' must be a whole number, not True"),
        ({"settings": {"m_disc": 8.0}}, "agent setting 'm_disc' must be a whole number, not 8.0"),
        ({"settings": {"m_disc": "8"}}, "agent setting 'm_disc' must be a whole number, not '8'"),
        ({"settings": {"clip": None}}, "agent setting 'clip' must be a number, not None"),
        ({"settings": {"clip": -1}}, "agent setting 'clip' must be above 0, not -1"),
        ({"settings": {"pessimism": 7}}, "agent setting 'pessimism' must lie between 0 and 1, not 7"),
        ({"settings": {"departures": {"leak_td": "no"}}}, "'departures.leak_td' must be true or false, not 'no'"),
        ({"agent": "iql", "settings": {"level": 1}}, "agent setting 'level' must lie between 0 and 1, and be neither"),
        ({"agent": "cac", "settings": {"backup": 0}}, "agent setting 'backup' must be at least 1"),
        ({"agent": "cac", "settings": {"clip": "no"}}, "agent setting 'clip' must be a number or null, not 'no'"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"weights": {"gamma": 1.5}}, "gamma must lie between 0 and 1, not 1.5"),
        ({"weights": {"lr": [1e-3, -1.0]}, "seeds": (0, 1)}, "lr must lie between 0 and inf, not -1"),
        ({"weights": {"ql": "high"}}, "ql: 'high' is neither a number nor a schedule"),
        ({"weights": {"ql": True}}, "ql must be a number, .*, not True"),
        ({"weights": {"ql": [1.0, None]}, "seeds": (0, 1)}, "ql must be a number, .*, not None"),
        ({"weights": {"ql": float("nan")}}, "ql must lie between -inf and inf, not nan"),
        ({"settings": {"m_btt": 3}}, "m_btt=3 cannot be trained"),
        ({"settings": {"departures": {"leek_td": True}}}, r"did you mean departures\.leak_td"),
        ({"settings": {"departures": True}}, "'departures' must be a table such as .*leak_td.*, not True"),
        ({"settings": {"width": {"typo": 1}}}, "'width' must be a value such as 512, not .*typo"),
    ],
)
def test_bad_specs_are_refused(data, changes, message):
    with pytest.raises(WorkbenchError, match=message):
        make_spec(TASK, data.provenance, **changes)


def test_unknown_tasks_get_suggestions(data):
    with pytest.raises(UnknownNameError, match="cube-single-play-v0"):
        make_spec("cube-singel-play-singletask-task2-v0", data.provenance)
