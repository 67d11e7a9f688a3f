"""Presets and protocols of all agents: published coefficients, sizes, marked guesses, and specs that must not move."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from workbench.agents.base import AbstractAgent
from workbench.agents.departures import Departures
from workbench.agents.presets import BASELINES, PRESETS, preset
from workbench.agents.protocol import PROTOCOLS, protocol
from workbench.agents.settings import ENVIRONMENTS, Coefficients, EnvironmentSettings, environment_settings
from workbench.agents.sorl import SORL
from workbench.data.dataset import Provenance
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.store.spec import RunSpec, make_spec
from workbench.types import LossWeights
from workbench.verifiers import VERIFIERS

TASK = "cube-single-play-singletask-task2-v0"
DATA = Provenance("arrays", "noise", sha256="0")


def weights(agent: str, name: str, environment: str) -> dict[str, float]:
    """The knobs of a preset, as plain numbers."""
    chosen = preset(agent, name, environment)
    return {knob: round(float(getattr(chosen.weights, knob)), 6) for knob in chosen.agent.knobs}


@pytest.mark.parametrize("agent", sorted(PRESETS))
def test_every_agent_answers_to_its_name_and_has_a_protocol(agent):
    for name in PRESETS[agent]:
        made = preset(agent, name, "cube-single").agent
        assert isinstance(made, AbstractAgent)
        assert made.name == agent
        assert set(made.knobs) <= {field.name for field in dataclasses.fields(LossWeights)}
    assert set(PROTOCOLS) == set(PRESETS)
    assert protocol(agent, "cube-single").verifier in VERIFIERS


@pytest.mark.parametrize("agent", sorted(BASELINES))
@pytest.mark.parametrize("environment", sorted(ENVIRONMENTS))
def test_small_changes_sizes_and_rates_alone(agent, environment):
    paper, small = (preset(agent, name, environment) for name in ("paper", "small"))
    fields = {field.name for field in dataclasses.fields(paper.agent)}
    differ = {name for name in fields if getattr(paper.agent, name) != getattr(small.agent, name)}
    assert differ == {"width", "depth"} | (fields & {"block_width"})
    rates = {"gamma": min(ENVIRONMENTS[environment].gamma, 0.98), "tau": 0.01, "lr": 1e-3}
    own = weights(agent, "paper", environment)
    assert weights(agent, "small", environment) == {name: rates.get(name, own[name]) for name in own}
    assert paper.batch_size == small.batch_size == 256
    assert own["lr"] == 3e-4


@pytest.mark.parametrize("agent", sorted(BASELINES))
def test_medium_changes_the_width_alone(agent):
    paper, medium = (preset(agent, name, "scene") for name in ("paper", "medium"))
    assert dataclasses.replace(paper.agent, width=128) == medium.agent
    assert weights(agent, "paper", "scene") == weights(agent, "medium", "scene")


def test_medium_is_the_centre_of_the_pilot():
    medium = preset("sorl", "medium", "cube-single")
    assert medium.agent == SORL(width=128, m_btt=2)
    known = {"ql": 10, "fm": 10, "sc": 10, "gamma": 0.99, "tau": 0.005, "lr": 3e-4}
    assert weights("sorl", "medium", "cube-single") == known


def test_coefficients_of_the_paper_reach_the_agents():
    assert weights("fql", "paper", "scene") == {"alpha": 300.0, "gamma": 0.99, "tau": 0.005, "lr": 3e-4}
    assert weights("iql", "paper", "cube-double")["alpha"] == pytest.approx(0.3)
    assert weights("cac", "paper", "humanoidmaze-medium")["ql"] == pytest.approx(0.03)
    assert weights("srpo", "paper", "cube-single")["beta"] == pytest.approx(0.03)
    assert weights("fbrac", "paper", "antmaze-giant")["alpha"] == 10.0
    assert weights("fawac", "paper", "scene")["alpha"] == pytest.approx(0.3)
    rebrac = weights("rebrac", "paper", "antmaze-large")
    np.testing.assert_allclose([rebrac["alpha"], rebrac["beta"]], [0.003, 0.01])
    assert weights("bc", "paper", "scene") == {"lr": 3e-4}
    levels = [preset("idql", "paper", name).agent for name in ("humanoidmaze-large", "scene")]
    assert [getattr(agent, "level", None) for agent in levels] == [0.7, 0.9]


def test_the_table_of_settings_is_read_as_it_is_written():
    assert ENVIRONMENTS["cube-single"] == EnvironmentSettings(
        ql=10.0,
        gamma=0.99,
        pessimism=0.0,
        default_task=2,
        baselines=Coefficients(
            iql=1.0,
            rebrac=(1.0, 0.0),
            idql_n=32,
            srpo=0.03,
            cac=0.003,
            fawac=1.0,
            fbrac=100.0,
            ifql_n=32,
            fql=300.0,
            level=0.9,
        ),
    )


def test_settings_stay_what_they_were():
    """Every number of the table, the guesses of other environments and the toys', with its type: runs rest on them."""
    names = [*ENVIRONMENTS, "toy", "pointmaze-medium", "puzzle-3x3", "cube-triple", "minari", "own"]
    found = {name: dataclasses.asdict(environment_settings(name)) for name in names}
    assert hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() == (
        "33afdd4761865a9a890d98ba05cf69a64897fee02152b6d09778d9d2e4294d01"
    )


def test_clipped_double_q_is_for_antmaze_only():
    for agent in ("fql", "fbrac", "fawac", "cac"):
        found = {name: getattr(preset(agent, "paper", name).agent, "pessimism", None) for name in ENVIRONMENTS}
        assert {name for name, pessimism in found.items() if pessimism} == {"antmaze-large", "antmaze-giant"}


def test_guesses_are_marked():
    every = {field.name for field in dataclasses.fields(Coefficients)} - {"guesses"}
    assert set(environment_settings("puzzle-3x3").baselines.guesses) == every
    assert set(ENVIRONMENTS["antsoccer-arena"].baselines.guesses) == every - {"fql", "level"}
    assert not any(ENVIRONMENTS[name].baselines.guesses for name in set(ENVIRONMENTS) - {"antsoccer-arena"})
    assert "guess" in environment_settings("puzzle-3x3").source


def test_protocols_of_the_papers():
    assert dataclasses.astuple(protocol("idql", "scene"))[:4] == (5, 32, "min", True)
    assert protocol("idql", "scene").scored == (2_500_000, 2_750_000, 3_000_000)
    assert protocol("ifql", "antsoccer-arena").n == 64
    assert {name for name in ENVIRONMENTS if protocol("sorl", name).verifier == "min"} == {
        "antmaze-large",
        "antmaze-giant",
    }
    assert dataclasses.astuple(protocol("fql", "cube-single"))[:4] == (1, 1, "mean", False)
    with pytest.raises(UnknownNameError, match="did you mean fql"):
        protocol("fqll", "cube-single")


@pytest.mark.parametrize(
    ("name", "weights_before", "settings_before"),
    [
        ("paper", {"ql": 10.0, "gamma": 0.99, "tau": 0.005, "lr": 1e-4}, SORL()),
        ("small", {"ql": 0.2, "gamma": 0.98, "tau": 0.01, "lr": 1e-3}, SORL(width=256, depth=2, m_btt=2)),
        (
            "official",
            {"ql": 10.0, "gamma": 0.99, "tau": 0.005, "lr": 1e-4},
            SORL(departures=Departures.every()),
        ),
    ],
)
def test_specs_of_sorl_stay_what_they_were(name, weights_before, settings_before):
    spec = make_spec(TASK, DATA, preset_name=name)
    assert spec.weights == weights_before | {"fm": 10.0, "sc": 10.0}
    assert spec.build_agent() == settings_before
    assert RunSpec.from_json(spec.to_json()).hash == spec.hash


@pytest.mark.parametrize("agent", sorted(PRESETS))
def test_a_spec_rebuilds_its_agent_and_records_its_knobs(agent):
    spec = make_spec(TASK, DATA, agent=agent, preset_name="small")
    again = RunSpec.from_json(spec.to_json())
    assert again.build_agent() == preset(agent, "small", "cube-single").agent
    assert set(spec.weights) == set(spec.build_agent().knobs)


def test_a_weight_that_is_no_knob_is_refused_with_the_knobs():
    with pytest.raises(
        WorkbenchError, match="agent 'fql' has no loss weight 'sc': its knobs are alpha, gamma, tau, lr"
    ):
        make_spec(TASK, DATA, agent="fql", weights={"sc": 1.0})
    with pytest.raises(WorkbenchError, match="agent 'bc' has no loss weight 'gamma': its knobs are lr"):
        make_spec(TASK, DATA, agent="bc", weights={"gamma": 0.9})
    with pytest.raises(UnknownNameError, match="did you mean alpha"):
        make_spec(TASK, DATA, agent="fql", weights={"alpa": 1.0})
