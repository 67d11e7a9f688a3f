"""The training program as a GPU's compiler is given it: one loop of updates that never calls the host."""

import dataclasses
import re
from collections import Counter

import equinox as eqx
import jax
import pytest

from workbench.agents.presets import preset
from workbench.store.spec import PRECISIONS
from workbench.studies.runtime import ACT, ENVIRONMENT, OBS
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights


def lowered(seeds: int, precision: str) -> str:
    agent = dataclasses.replace(preset("sorl", "paper", ENVIRONMENT).agent, width=16, depth=1)
    data = made_up(OBS, ACT)
    state = init_seeds(agent, data.example(), tuple(range(seeds)))
    arrays, rest = eqx.partition((data, LossWeights(), state, 100), eqx.is_array)

    def program(arrays):
        return eqx.filter(train_chunk(agent, *eqx.combine(arrays, rest)), eqx.is_array)

    with jax.default_matmul_precision(PRECISIONS[precision]):
        return jax.jit(program).trace(arrays).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_loop_of_updates_is_the_only_control_flow_and_never_calls_the_host(seeds: int) -> None:
    """What a CUDA graph can hold: no branches, no loops in an update, no callbacks, no shapes that depend on values."""
    program = lowered(seeds, "float32")
    operations = Counter(re.findall(r"stablehlo\.(\w+)", program))
    assert operations["while"] == 1
    assert not {"case", "if", "custom_call", "infeed", "outfeed", "send", "recv", "all_reduce"} & set(operations)
    assert not re.search(r"tensor<[^>]*\?", program)


def test_as_many_operations_for_eight_seeds_as_for_two() -> None:
    """Seeds share every kernel: more of them is larger arrays, not more launches."""
    counted = [Counter(re.findall(r"stablehlo\.(\w+)", lowered(seeds, "float32"))) for seeds in (2, 8)]
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    ("precision", "asked"),
    [
        ("float32", r"precision = \[HIGHEST, HIGHEST\]"),
        ("tensorfloat32", r"precision = \[DEFAULT, DEFAULT\](?!, algorithm)"),
        ("bfloat16", r"lhs_precision_type = bf16, rhs_precision_type = bf16, accumulation_type = f32"),
    ],
)
def test_every_product_is_asked_for_in_the_named_precision(precision: str, asked: str) -> None:
    products = re.findall(r"stablehlo\.dot_general.*", lowered(1, precision))
    assert len(products) > 50
    assert all(re.search(asked, each) for each in products)
