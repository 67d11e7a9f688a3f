"""How a verifier makes one value of those of the critics, by name. No jax here: the renderer does without it."""

from workbench.errors import UnknownNameError

VERIFIERS = {"mean": 0.0, "min": 1.0}
"""Names of the common verifiers, as values of `Budget.pessimism`."""


def pessimism_of(verifier: str) -> float:
    """`Budget.pessimism` of a verifier; raises `UnknownNameError` for one that is not in `VERIFIERS`."""
    if verifier not in VERIFIERS:
        raise UnknownNameError("verifier", verifier, VERIFIERS)
    return VERIFIERS[verifier]
