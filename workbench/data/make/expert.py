"""A walking policy from an npz file of plain arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from workbench.errors import DatasetError

Policy: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Clean action for a full state (the first two numbers are the position) and a unit direction in the plane."""

_LAYERS = 3
_STATE, _ACTION = 29, 8  # of the ant


def load_expert(path: Path) -> Policy:
    """Load an ant policy, a = tanh(L2(gelu(L1(gelu(L0(o)))))) with o = concat(state[2:], direction).

    Arrays `kernel_k` (in, out) and `bias_k` (out) for k = 0, 1, 2; 29 inputs, 8 outputs; gelu in its tanh form.
    Raises `DatasetError` for a file that is missing, unreadable or of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            layers = [(arrays[f"kernel_{k}"], arrays[f"bias_{k}"]) for k in range(_LAYERS)]
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"'{path}' is no expert file with kernel_0, bias_0 … bias_2: {error}.") from None
    widths = [_STATE, *(len(bias) for _, bias in layers)]
    fits = all(kernel.shape == (widths[k], widths[k + 1]) for k, (kernel, _) in enumerate(layers))
    if not fits or widths[-1] != _ACTION:
        shapes = ", ".join(str(kernel.shape) for kernel, _ in layers)
        raise DatasetError(
            f"'{path}' does not lead from {_STATE} inputs to {_ACTION} outputs: its layers are {shapes}."
        )

    def policy(state: Float[np.ndarray, " obs"], direction: Float[np.ndarray, "2"]) -> Float[np.ndarray, " act"]:
        hidden = np.concatenate([state[2:], direction]).astype(np.float32)
        for kernel, bias in layers[:-1]:
            hidden = _gelu(hidden @ kernel + bias)
        kernel, bias = layers[-1]
        return np.tanh(hidden @ kernel + bias)

    return policy


def _gelu(x: Float[np.ndarray, " _"]) -> Float[np.ndarray, " _"]:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi).astype(np.float32) * (x + 0.044715 * x**3)))
