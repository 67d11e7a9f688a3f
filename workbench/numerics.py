"""Settings of JAX that change numbers: held at one value while the workbench computes, refused, or written down.

A shell, a notebook or another package sets them for a whole process; what is trained and played under one hash must not
depend on that. Checks for NaN and infinity (`JAX_DEBUG_NANS`, `JAX_DEBUG_INFS`) change no number and stay in force.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import jax

from workbench.errors import WorkbenchError, note

HELD = {
    "enable_x64": False,
    "default_prng_impl": "threefry2x32",
    "threefry_partitionable": True,
    "numpy_dtype_promotion": "standard",
    "numpy_rank_promotion": "allow",
    "softmax_custom_jvp": False,
    "allow_f16_reductions": True,
    "disable_jit": False,
}
"""Names of JAX's context managers, and the values that all numbers of the workbench were made with.

Operations one by one (`JAX_DISABLE_JIT`) round otherwise than a program of them: an agent's `update`, called by hand,
follows that setting, and a training does not.
"""

REFUSED = {"random_seed_offset": 0, "high_dynamic_range_gumbel": False}
"""Settings that draw other random numbers, and that JAX has no context manager for."""

ROUNDING = {
    "use_direct_linearize": True,
    "disable_most_optimizations": False,
    "optimization_level": "UNKNOWN",
    "exec_time_optimization_effort": 0.0,
    "compiler_enable_remat_pass": True,
    "threefry_gpu_kernel_lowering": False,
}
"""Settings with which programs are compiled otherwise: they change last bits, as another processor does."""

VARIABLES = ("XLA_FLAGS", "NVIDIA_TF32_OVERRIDE")
"""What the compiler and the libraries of a GPU read from the shell; it may do the same."""


@contextmanager
def held() -> Iterator[None]:
    """Compute with the settings in `HELD`, in this thread; those of the process come back at the end.

    Raises `WorkbenchError` where one in `REFUSED` is set otherwise.
    """
    for name, wanted in REFUSED.items():
        if _differs(name, wanted):
            raise WorkbenchError(
                f"JAX is set to {name} = {_value(name)}, with which every run draws other random numbers than its hash "
                f"stands for: unset JAX_{name.upper()}, or set it to {wanted}."
            )
    with _at(HELD):
        yield


@contextmanager
def held_for_run(precision: str | None) -> Iterator[None]:
    """`held`, with matrix products in `precision`, one that JAX knows, or None for the device's own.

    A note says which settings of the process are set aside.
    """
    wanted = HELD | {"default_matmul_precision": precision}
    aside = [f"{name} = {_value(name)}" for name, value in wanted.items() if _differs(name, value)]
    aside = [each for each in aside if not each.endswith("= None")]
    if aside:
        note(f"JAX is set to {', '.join(aside)}, which no run follows: its numbers are those its hash stands for.")
    with held(), _at(wanted):
        yield


def rounding() -> dict[str, str]:
    """What of `ROUNDING` and `VARIABLES` this process has set, for the record of what it computes."""
    now = jax.config.values
    found = {name: str(now.get(f"jax_{name}", usual)) for name, usual in ROUNDING.items()}
    found = {f"jax_{name}": value for name, value in found.items() if value != str(ROUNDING[name])}
    return found | {name: os.environ[name] for name in VARIABLES if name in os.environ}


@contextmanager
def _at(wanted: Mapping[str, Any]) -> Iterator[None]:
    """Enter the context managers of settings that differ; one that does not would only make JAX trace anew."""
    with ExitStack() as stack:
        for name, value in wanted.items():
            if _differs(name, value):
                stack.enter_context(getattr(jax, name)(value))
        yield


def _differs(name: str, wanted: Any) -> bool:
    """Whether a setting has another value in this thread; one that this version of JAX does not have has none."""
    return str(getattr(jax.config, f"jax_{name}", wanted)) != str(wanted)


def _value(name: str) -> Any:
    return getattr(jax.config, f"jax_{name}")
