"""How one action is made of candidates, as text: what gives them values, and what is made of those. No JAX here."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workbench.errors import UnknownNameError, WorkbenchError

SHARE, TEMPERATURE, DEVIATIONS = "share", "temperature", "deviations"
VERIFIERS: dict[str, str | None] = {"mean": None, "min": None, "pessimistic": DEVIATIONS}
"""Verifiers (`workbench.judging`) and what their number is."""
DIALS: dict[str, str | None] = {
    "best": None,
    "elite": SHARE,
    "nearest": SHARE,
    "mode": SHARE,
    "weighted": TEMPERATURE,
    "soft": TEMPERATURE,
}
"""Selections (`workbench.selection`) and what their number is."""
DEFAULTS = {SHARE: 0.5, TEMPERATURE: 1.0, DEVIATIONS: 1.0}
LEGAL: dict[str, tuple[Callable[[float], bool], str]] = {
    SHARE: (lambda number: 0.0 < number <= 1.0, "above 0 and at most 1"),
    TEMPERATURE: (lambda number: 0.0 < number < math.inf, "above 0"),
    DEVIATIONS: (lambda number: 0.0 <= number < math.inf, "0 or more"),
}
"""What each kind of number may be, and that in words."""


@dataclass(frozen=True)
class Rule:
    """A verifier with its number `k`, and a selection with its number `dial`; `Rule.parse(str(rule)) == rule`.

    The text is the verifier for the best candidate, as `mean` or `pessimistic:2`, and else like `elite:0.5` or
    `min elite:0.25`. Raises `UnknownNameError` for other names, `WorkbenchError` for a number that is not `LEGAL`.
    """

    verifier: str = "mean"
    selection: str = "best"
    dial: float = 1.0
    k: float = 1.0

    def __post_init__(self) -> None:
        for what, name, number, known in (
            ("verifier", self.verifier, self.k, VERIFIERS),
            ("selection", self.selection, self.dial, DIALS),
        ):
            if name not in known:
                raise UnknownNameError(what, name, known)
            kind = known[name]
            if kind and not LEGAL[kind][0](number):
                raise WorkbenchError(f"the {kind} of {name} must be {LEGAL[kind][1]}, not {number:g}.")

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """What a text says; a name without its number has that of `DEFAULTS`."""
        words = text.split() or [""]
        if len(words) > 2:
            raise WorkbenchError(f"'{text}' is more than a verifier and a selection, such as 'min elite:0.5'.")
        if len(words) == 1:
            name = words[0].partition(":")[0]
            if name not in (*VERIFIERS, *DIALS):
                raise UnknownNameError("verifier", words[0], [*VERIFIERS, *DIALS])
            words = [words[0], "best"] if name in VERIFIERS else ["mean", words[0]]
        verifier, k = _named("verifier", words[0], VERIFIERS)
        selection, dial = _named("selection", words[1], DIALS)
        return cls(verifier, selection, dial, k)

    def __str__(self) -> str:
        verifier = _text(self.verifier, self.k, VERIFIERS)
        if self.selection == "best":
            return verifier
        selection = _text(self.selection, self.dial, DIALS)
        return selection if self.verifier == "mean" else f"{verifier} {selection}"


def _named(what: str, word: str, known: Mapping[str, str | None]) -> tuple[str, float]:
    """A name and its number, of a word such as `elite:0.5`."""
    name, colon, number = word.partition(":")
    if name not in known:
        raise UnknownNameError(what, word, known)
    kind = known[name]
    if colon and kind is None:
        raise WorkbenchError(f"the {what} {name} has no number: write '{name}' alone.")
    try:
        return name, float(number) if colon else DEFAULTS.get(kind or "", 1.0)
    except ValueError:
        raise WorkbenchError(f"the {kind} of {name} must be a number, not '{number}'.") from None


def _text(name: str, number: float, known: Mapping[str, str | None]) -> str:
    """The word of a name and its number, in as few digits as say it."""
    short = f"{number:g}"
    return name if known[name] is None else f"{name}:{short if float(short) == number else number}"
