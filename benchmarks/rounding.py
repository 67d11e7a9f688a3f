"""How far do matrix products of rounded inputs take the losses of a training?

A CPU computes in float32 whatever precision is asked for. So the inputs of every product, forward and backward, are
rounded here to the bits that a tensor core keeps of them: 10 of the mantissa for tf32, 7 for bf16; sums stay float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.extend.core.primitives import dot_general_p
from jax.interpreters import mlir
from jaxlib.mlir.dialects import stablehlo
from measuring import Number, main

from workbench.agents.presets import preset
from workbench.data.load import environment_of, load_data
from workbench.train import init_seeds, train_chunk

MANTISSA = {"tensorfloat32": 10, "bfloat16": 7}
"""Bits of a product's inputs by precision; float32 has 23."""
LOSSES = ("loss_critic", "loss_ql", "loss_fm", "loss_sc")
TASK = "toy:eight_gaussians"


def measure(smoke: bool) -> Iterator[Number]:
    """Mean losses of the first updates, and of the last of a training, beside float32 and beside the other seeds."""
    seeds, first, steps = (2, 2, 4) if smoke else (4, 10, 2000)
    exact = losses(seeds, first, steps)
    spread = {name: np.std(each[1], ddof=1) / abs(np.mean(each[1])) for name, each in exact.items()}
    for name in LOSSES:
        yield Number(
            f"{name} after {steps} updates, between {seeds} seeds", figure(spread[name]), "standard deviation over mean"
        )
    for precision, bits in MANTISSA.items():
        with rounded(bits):
            found = losses(seeds, first, steps)
        for name in LOSSES:
            (early, late), (early_exact, late_exact) = found[name], exact[name]
            change = figure(np.abs(early / early_exact - 1).max())
            yield Number(
                f"{precision}: {name} of the first {first} updates", change, "relative change, most of any seed"
            )
            change = figure(np.mean(late) / np.mean(late_exact) - 1)
            yield Number(f"{precision}: {name} after {steps} updates", change, "relative change, mean of the seeds")


def losses(seeds: int, first: int, steps: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each loss of every seed: its means over the first updates, and over the last tenth of the training."""
    sorl = preset("sorl", "small", environment_of(TASK))
    data, _ = load_data(TASK)
    state = init_seeds(sorl.agent, data.example(), tuple(range(seeds)))
    last = max(1, steps // 10)
    state, early = train_chunk(sorl.agent, data, sorl.weights, state, first)
    state, _ = train_chunk(sorl.agent, data, sorl.weights, state, steps - first - last)
    _, late = train_chunk(sorl.agent, data, sorl.weights, state, last)
    return {name: (np.asarray(early.mean[name]), np.asarray(late.mean[name])) for name in LOSSES}


@contextmanager
def rounded(bits: int) -> Iterator[None]:
    """Where the inputs of every matrix product that is compiled for a CPU keep that many bits of their mantissa."""
    rules = mlir._platform_specific_lowerings["cpu"]  # pyright: ignore[reportAttributeAccessIssue]
    plain = rules[dot_general_p]

    def rule(context: Any, left: Any, right: Any, **settings: Any) -> Any:
        left, right = (stablehlo.reduce_precision(each, exponent_bits=8, mantissa_bits=bits) for each in (left, right))
        return plain.rule(context, left, right, **settings)

    jax.clear_caches()
    mlir.register_lowering(dot_general_p, rule, platform="cpu")
    try:
        yield
    finally:
        rules[dot_general_p] = plain
        jax.clear_caches()


def figure(value: np.floating | float) -> float:
    """Three significant figures."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main(__doc__ or "", measure)
