"""Agents of a user's own: `@register()` above a class, and it trains, plays, is listed and drawn like the others."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import jax

from workbench.agents.base import AbstractAgent
from workbench.agents.presets import PRESETS, own_presets
from workbench.agents.protocol import PROTOCOLS, Protocol
from workbench.agents.sorl import SORL
from workbench.agents.source import source_hash
from workbench.agents.terms import CONTROLS, TERMS
from workbench.errors import WorkbenchError
from workbench.types import LossWeights

Agent = TypeVar("Agent", bound=AbstractAgent)

BUILT_IN = tuple(PRESETS)
"""Names that nobody else can take."""

OWN: dict[str, type[AbstractAgent]] = {}
"""Registered classes by name."""

HASHES: dict[str, str] = {}
"""SHA-256 of their source when they were registered."""

ONE_STEP = Protocol()


def register(
    *, weights: Mapping[str, float] | None = None, batch_size: int = 256, protocol: Protocol = ONE_STEP
) -> Callable[[type[Agent]], type[Agent]]:
    """Make an agent known by its `name`, with presets: `paper`, as it is written, `medium` and `small` (`own_presets`).

    `weights` are values of its knobs where the presets' will not do, such as those of knobs that no other agent has;
    `protocol` is how it is played where nothing else is asked for. Registering a name again replaces the former class,
    so a cell can be run again; runs of the former are then not continued, since the source is part of a run's hash.

    Raises `WorkbenchError` for a name that is taken or illegal, a field without a default, a knob without a value or a
    weight that is no knob, and a class whose source is unknown.
    """
    own = dict(weights or {})

    def add(cls: type[Agent]) -> type[Agent]:
        name = _checked_name(cls)
        _check_weights(name, _made(cls), own)
        found = source_hash(cls)
        if OWN.get(name) is cls and HASHES[name] != found:
            jax.clear_caches()  # what was compiled for this class has the former source of what it uses
        OWN[name], HASHES[name] = cls, found
        PRESETS[name] = own_presets(lambda env: (_made(cls), own), batch_size)
        PROTOCOLS[name] = protocol
        return cls

    return add


def unregister(name: str) -> None:
    """Forget an agent, or do nothing where there is none of that name."""
    for table in (OWN, HASHES, PRESETS, PROTOCOLS) if name in OWN else ():
        table.pop(name, None)


def _checked_name(cls: type[AbstractAgent]) -> str:
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise WorkbenchError(
            f'{cls.__name__} needs a name of letters and digits, such as name = "mine" in its body, not {name!r}.'
        )
    if name.lower() in BUILT_IN:
        raise WorkbenchError(f"'{name}' is the name of a built-in agent: call yours something else.")
    return name


def _made(cls: type[AbstractAgent]) -> AbstractAgent:
    try:
        return cast("Callable[[], AbstractAgent]", cls)()
    except TypeError as error:
        raise WorkbenchError(
            f"{cls.__name__} cannot be made without arguments ({error}): write all its methods, and give each field a "
            "default."
        ) from error


def _check_weights(name: str, agent: AbstractAgent, own: dict[str, float]) -> None:
    taken = [knob for knob in agent.knobs if knob in CONTROLS]
    if taken:
        raise WorkbenchError(f"agent '{name}' has a knob {taken[0]}, which is a control of every agent: rename it.")
    unused = [weight for weight in own if weight not in agent.knobs]
    if unused:
        raise WorkbenchError(f"agent '{name}' has no knob {', '.join(unused)}: its knobs are {', '.join(agent.knobs)}.")
    without = [knob for knob in agent.knobs if knob not in (*own, *LossWeights.names())]
    if without:
        raise WorkbenchError(f"agent '{name}' does not say what its knob {without[0]} begins with: give it in weights.")


def sources(agent: str, made: AbstractAgent) -> dict[str, str]:
    """SHA-256 of the source of all that is a user's own in an agent: its class and its loss terms; often nothing.

    Raises `WorkbenchError` where that source is no longer what was registered.
    """
    own = [f"agent {agent}"] if agent in OWN else []
    own += [f"term {term.name}" for term in made.terms] if isinstance(made, SORL) else []
    return {what: _source(what) for what in own}


def check_sources(run: str, recorded: Mapping[str, str]) -> None:
    """Raise `WorkbenchError` unless all that a run recorded with `sources` is registered here, and the same."""
    for what, sha256 in recorded.items():
        kind, _, name = what.partition(" ")
        if name not in (OWN if kind == "agent" else TERMS):
            raise WorkbenchError(
                f"run {run} was trained with your {kind} '{name}', which is not registered here: run the cell that "
                "registers it, or give its file with --code."
            )
        found = _source(what)
        if found != sha256:
            raise WorkbenchError(
                f"run {run} was trained with another version of your {kind} '{name}' (source {sha256[:12]}, here "
                f"{found[:12]}): bring that version back, or train anew."
            )


def _source(what: str) -> str:
    """The hash of a registered source, which must still be that of what is there."""
    kind, _, name = what.partition(" ")
    own: Any = OWN[name] if kind == "agent" else TERMS[name].loss
    registered = HASHES[name] if kind == "agent" else TERMS[name].sha256
    if source_hash(own) != registered:
        raise WorkbenchError(
            f"something that your {kind} '{name}' uses has changed since it was registered: register it again, by "
            "running its cell."
        )
    return registered
