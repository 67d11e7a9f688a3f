"""A walking policy of the right shape, of noise: it goes nowhere, but data are made with it as with a real one."""

from pathlib import Path

import numpy as np

INPUTS, OUTPUTS = 29, 8
"""Of the ant: its state without its position, and a direction; its joints."""


def expert_arrays(hidden: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of three layers, as in an expert's file; small enough that actions are seldom at their limit."""
    rng = np.random.default_rng(seed)
    widths = (INPUTS, hidden, hidden, OUTPUTS)
    kernels = {f"kernel_{k}": rng.normal(0, 0.3, widths[k : k + 2]).astype(np.float32) for k in range(3)}
    return kernels | {f"bias_{k}": rng.normal(0, 0.3, widths[k + 1]).astype(np.float32) for k in range(3)}


def write_expert(folder: Path) -> Path:
    """An expert's file in a folder."""
    path = folder / "expert.npz"
    arrays = expert_arrays()
    np.savez(path, allow_pickle=False, **arrays)
    return path
