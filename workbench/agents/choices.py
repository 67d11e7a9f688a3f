"""Selections and verifiers of a user's own: `@register_selection` and `@register_verifier` above a function."""

import re
from collections.abc import Callable, Collection, Sequence
from types import FunctionType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from workbench import judging, selection, verifiers
from workbench.agents.source import source_hash
from workbench.errors import UnknownNameError, WorkbenchError

Own = TypeVar("Own", bound=Callable[..., Any])

BUILT_IN = (*verifiers.VERIFIERS, *verifiers.DIALS)
"""Names that nobody else can take."""


def register_selection(name: str, *, dial: str | None = None) -> Callable[[Own], Own]:
    """Make a function known as a selection, to be written `name` or `name:0.5` wherever `elite:0.5` may be.

    The function gets `(a, q, live, dial, key)` of one decision and returns the action: all candidates and their values,
    which of them count, the number and a key for what it draws. Candidates that do not count must not matter. `dial`
    says what the number is, one of `verifiers.LEGAL`: a share of the candidates in (0, 1], a temperature above 0,
    deviations of 0 or more, or any number; None is for one without.

    The number is traced, so another is no new program. What was compiled before has no branch for one registered later:
    each `Budget` knows what was registered when it was made, so a program that takes one is traced once more then.
    Registering a name again replaces it. The beginning of its source's hash stands in the text, so episodes of another
    version are another cell's.

    Raises `WorkbenchError` for a name that is taken or illegal, a function whose source is unknown or that returns no
    action, `UnknownNameError` for another `dial`.
    """
    a, key = jnp.zeros((4, 2)), jax.random.key(0)
    example = a, jnp.zeros(4), jnp.ones(4, bool), jnp.ones(()), key
    return _register("selection", name, dial, verifiers.DIALS, selection.SELECTIONS, example, (2,))


def register_verifier(name: str, *, number: str | None = None, critic: str = "critic") -> Callable[[Own], Own]:
    """Make a function known as a verifier, to be written `name` or `name:2` wherever `pessimistic:2` may be.

    The function gets `(q, k)` and returns one value: what the critics say of one action, and the number, of the kind
    `number`. `critic` is the network that it asks, the agent's own or `in_sample`. All else is as in
    `register_selection`.
    """
    if critic not in ("critic", *verifiers.CRITICS.values()):
        raise UnknownNameError(f"critic of the verifier '{name}'", critic, ["critic", *verifiers.CRITICS.values()])
    example = jnp.zeros(2), jnp.ones(())
    add = _register("verifier", name, number, verifiers.VERIFIERS, judging.JUDGES, example, ())

    def with_critic(own: Own) -> Own:
        made = add(own)
        verifiers.CRITICS.pop(name, None)
        verifiers.CRITICS.update({name: critic} if critic != "critic" else {})
        return made

    return with_critic


def unregister(name: str) -> None:
    """Forget a selection or a verifier of a user's own, or do nothing where there is none of that name."""
    if verifiers.OWN.pop(name, None) is not None:
        for table in (verifiers.DIALS, selection.SELECTIONS, verifiers.VERIFIERS, judging.JUDGES, verifiers.CRITICS):
            table.pop(name, None)


def check_rule(text: str, critics: Collection[str]) -> None:
    """Raise `WorkbenchError` unless what the text of a `Rule` names can be played, and is what was registered.

    `critics` are the names of an agent's networks, among which must be the critic that the verifier asks.
    """
    judge, choice = verifiers.Rule.parse(text).places
    check_critic(list(judging.JUDGES)[judge], critics)
    made = list(judging.JUDGES.items())[judge], list(selection.SELECTIONS.items())[choice]
    for what, (name, own) in zip(("verifier", "selection"), made, strict=True):
        if name in verifiers.OWN and _source(what, name, own) != verifiers.OWN[name]:
            raise WorkbenchError(
                f"something that your {what} '{name}' uses has changed since it was registered: register it again, by "
                "running its cell."
            )


def check_critic(verifier: str, critics: Collection[str]) -> None:
    """Raise `WorkbenchError` where a verifier asks a critic that is not there; an agent without any has no values."""
    asked = verifiers.asks(verifier)
    if asked != "critic" and asked not in critics:
        raise WorkbenchError(
            f"the verifier {verifier} asks a critic that this agent was trained without: train SORL with the setting "
            f"{asked}, its expectile level such as 0.9, or judge by mean, min or pessimistic."
        )


def _register(
    what: str,
    name: str,
    kind: str | None,
    kinds: dict[str, str | None],
    made: dict[str, Any],
    example: Sequence[Any],
    shape: tuple[int, ...],
) -> Callable[[Own], Own]:
    """What registers a function in two tables: of what its number is, and of what it does."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise WorkbenchError(f"a {what} needs a name of letters and digits, not '{name}'.")
    if name in BUILT_IN or (name in verifiers.OWN and name not in kinds):
        raise WorkbenchError(f"'{name}' is the name of another verifier or selection: call yours something else.")
    if kind is not None and kind not in verifiers.LEGAL:
        raise UnknownNameError(f"kind of number of the {what} '{name}'", kind, verifiers.LEGAL)

    def add(own: Own) -> Own:
        source = _source(what, name, own)
        _check_answer(what, name, own, example, shape)
        kinds[name], made[name], verifiers.OWN[name] = kind, own, source
        return own

    return add


def _source(what: str, name: str, own: Any) -> str:
    if not isinstance(own, FunctionType):
        raise WorkbenchError(f"the {what} '{name}' must be a function written with `def`, not {own!r}.")
    return source_hash(own)[: verifiers.DIGITS]


def _check_answer(what: str, name: str, own: Callable, example: Sequence[Any], shape: tuple[int, ...]) -> None:
    """Raise `WorkbenchError` unless a function answers an example with numbers of this shape."""
    try:
        answer = jax.eval_shape(own, *example)
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        raise WorkbenchError(f"the {what} '{name}' fails on an example: {type(error).__name__}: {first}") from error
    got = getattr(answer, "shape", None), getattr(answer, "dtype", None)
    if got != (shape, jnp.float32):
        wanted = "one value" if not shape else "one action"
        raise WorkbenchError(f"the {what} '{name}' must return {wanted}, float32 of shape {shape}, not {answer}.")
