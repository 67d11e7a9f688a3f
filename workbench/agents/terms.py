"""Loss terms of a user's own, which SORL's actor descends beside its three: `@register_term`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import TypeAlias
from zlib import crc32

import jax
from jaxtyping import Array, Float

from workbench.agents.returned import number
from workbench.agents.source import source_hash
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.flow import Shortcut
from workbench.nets import Critic
from workbench.types import Batch, Key, LossWeights

OwnLoss: TypeAlias = Callable[..., Float[Array, ""]]
"""`term(actor, critic, row, *, key)`, see `register_term`."""

CONTROLS = ("m_inf", "n", "verifier", "extra")
"""Names that no knob of a user's own can have, beside those of `LossWeights`."""

METRICS = ("actor", "critic", "in_sample", "in_sample_value")
"""Names that no loss term can have, because `loss_<name>` is a metric already."""


@dataclass(frozen=True)
class Term:
    """A registered term: its name, the weight it begins with, what it is about, and the function of one example.

    `sha256` is that of its source: another source is another term, and compiled anew.
    """

    name: str
    weight: float
    about: str
    loss: OwnLoss
    sha256: str

    def mean(self, actor: Shortcut, critic: Critic, batch: Batch, *, key: Key) -> Float[Array, ""]:
        """The term's mean over a batch, each row with a key of its own.

        Keys follow from the term's name, so that neither other terms nor the three of SORL get other ones by it. Raises
        `WorkbenchError` where the term of a row is no number.
        """
        keys = jax.random.split(jax.random.fold_in(key, crc32(self.name.encode())), len(batch.r))

        def one(row: Batch, key: Key) -> Float[Array, ""]:
            return number(f"your loss term '{self.name}'", self.loss(actor, critic, row, key=key))

        return jax.vmap(one)(batch, keys).mean()


TERMS: dict[str, Term] = {}
"""Registered terms by name."""


def register_term(name: str, *, weight: float, about: str = "") -> Callable[[OwnLoss], OwnLoss]:
    """Make a function known as a term of SORL's actor loss; `settings={"terms": (name,)}` switches it on.

    The function gets `(actor, critic, row, *, key)` for **one** example and returns a number: the shortcut
    `actor(a_t, t, h, x)`, `critic(x, a)` with one value a member, one transition as a `Batch`, and a key for noise.
    Only the actor gets its gradient. `weight` is what the knob `name` begins with, a slider like the others; the term
    is reported as `loss_<name>`, and on held-out data as `val_<name>`. Registering a name again replaces it.

    Raises `WorkbenchError` for a name that is taken or is no Python name, and for a function whose source is unknown;
    training raises it for one that returns anything but one number.
    """
    if not name.isidentifier() or name in (*LossWeights.names(), *CONTROLS, *METRICS):
        raise WorkbenchError(f"a loss term cannot be named '{name}': take a Python name that is no knob or metric yet.")

    def add(loss: OwnLoss) -> OwnLoss:
        if not isinstance(loss, FunctionType):
            raise WorkbenchError(f"the loss term '{name}' must be a function written with `def`, not {loss!r}.")
        meaning = about or f"weight of your own loss '{name}'"
        TERMS[name] = Term(name, float(weight), meaning, loss, source_hash(loss))
        return loss

    return add


def as_terms(terms: "Iterable[str | Term]") -> tuple[Term, ...]:
    """Terms from their names.

    Raises `UnknownNameError` for one that is not registered, `WorkbenchError` for one that is named twice.
    """
    found = []
    for term in [terms] if isinstance(terms, str) else terms:
        if isinstance(term, str) and term not in TERMS:
            hint = "Run the cell that registers it, or give --code FILE.py."
            raise UnknownNameError("loss term", term, TERMS, hint)
        found.append(TERMS[term] if isinstance(term, str) else term)
    if len({term.name for term in found}) < len(found):
        raise WorkbenchError(f"loss terms must differ, not {', '.join(term.name for term in found)}.")
    return tuple(found)
