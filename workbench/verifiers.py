"""How one action is made of candidates, as text: what gives them values, and what is made of those. No JAX here."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from workbench.errors import UnknownNameError, WorkbenchError

SHARE, TEMPERATURE, DEVIATIONS, NUMBER = "share", "temperature", "deviations", "number"
VERIFIERS: dict[str, str | None] = {"mean": None, "min": None, "pessimistic": DEVIATIONS, "in_sample": None}
"""Verifiers (`workbench.judging`) and what their number is."""
CRITICS = {"in_sample": "in_sample"}
"""The network that a verifier asks, where that is not the agent's own `critic`."""
DIALS: dict[str, str | None] = {
    "best": None,
    "elite": SHARE,
    "nearest": SHARE,
    "mode": SHARE,
    "weighted": TEMPERATURE,
    "soft": TEMPERATURE,
}
"""Selections (`workbench.selection`) and what their number is."""
OWN: dict[str, str] = {}
"""Those of a user's own (`agents.choices`), in the tables above too: the first `DIGITS` of the hash of their source."""
DEFAULTS = {SHARE: 0.5, TEMPERATURE: 1.0, DEVIATIONS: 1.0, NUMBER: 1.0}
LEGAL: dict[str, tuple[Callable[[float], bool], str]] = {
    SHARE: (lambda number: 0.0 < number <= 1.0, "above 0 and at most 1"),
    TEMPERATURE: (lambda number: 0.0 < number < math.inf, "above 0"),
    DEVIATIONS: (lambda number: 0.0 <= number < math.inf, "0 or more"),
    NUMBER: (math.isfinite, "finite"),
}
"""What each kind of number may be, and that in words."""

HINT = "One of your own must be registered first."
DIGITS = 8
RECORD = re.compile(rf"[\w.-]+@[0-9a-f]{{{DIGITS}}}")


@dataclass(frozen=True)
class Rule:
    """A verifier with its number `k`, and a selection with its number `dial`; `Rule.parse(str(rule)) == rule`.

    The text is the verifier for the best candidate, as `mean` or `pessimistic:2`, and else like `elite:0.5` or
    `min elite:0.25`. A name of a user's own is followed by the beginning of its source's hash, as `mine@1f0c9a2b:0.5`,
    so that episodes of one source are not taken for those of another; it need not be written. Where such a text is
    only read, nothing need be registered; `places` is for playing.

    Raises `UnknownNameError` for other names, `WorkbenchError` for a number that is not `LEGAL`.
    """

    verifier: str = "mean"
    selection: str = "best"
    dial: float = 1.0
    k: float = 1.0

    def __post_init__(self) -> None:
        for what, full, number, known in self._parts():
            name = _name(what, full, known)
            if _is_elsewhere(full):
                continue
            kind = known[name]
            if kind and not LEGAL[kind][0](number):
                raise WorkbenchError(f"the {kind} of {name} must be {LEGAL[kind][1]}, not {number:g}.")
            object.__setattr__(self, what, f"{name}@{OWN[name]}" if name in OWN else name)

    def _parts(self) -> tuple[tuple[str, str, float, Mapping[str, str | None]], ...]:
        """What each of the two is, its name, its number, and the names that are known."""
        selection = "selection", self.selection, self.dial, DIALS
        return ("verifier", self.verifier, self.k, VERIFIERS), selection

    @property
    def places(self) -> tuple[int, int]:
        """Where the verifier and the selection stand in their tables.

        Raises `WorkbenchError` for one of a user's own that is not registered here, or was another when it was written.
        """
        found = []
        for what, full, _, known in self._parts():
            name, _, source = full.partition("@")
            if name not in known:
                raise WorkbenchError(
                    f"your {what} '{name}' is not registered here: run the cell that registers it, or give its file "
                    "with --code."
                )
            if _is_elsewhere(full):
                raise WorkbenchError(
                    f"your {what} '{name}' is another version here (source {OWN[name]}, not {source[:DIGITS]}): bring "
                    f"that version back, or write '{name}' for this one."
                )
            found.append(list(known).index(name))
        return found[0], found[1]

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """What a text says; a name without its number has that of `DEFAULTS`."""
        words = text.split() or [""]
        if len(words) > 2:
            raise WorkbenchError(f"'{text}' is more than a verifier and a selection, such as 'min elite:0.5'.")
        if len(words) == 1:
            name = _name("verifier", words[0], {**VERIFIERS, **DIALS})
            words = [words[0], "best"] if name in VERIFIERS else ["mean", words[0]]
        verifier, k = _named("verifier", words[0], VERIFIERS)
        selection, dial = _named("selection", words[1], DIALS)
        return cls(verifier, selection, dial, k)

    def __str__(self) -> str:
        verifier = _text(self.verifier, self.k, VERIFIERS)
        if self.selection == "best":
            return f"{verifier} best" if "@" in verifier else verifier  # else it would be read as a selection
        selection = _text(self.selection, self.dial, DIALS)
        return selection if self.verifier == "mean" else f"{verifier} {selection}"


def asks(verifier: str) -> str:
    """The network whose values a verifier takes."""
    return CRITICS.get(verifier.partition("@")[0], "critic")


def offered(texts: Iterable[str]) -> list[str]:
    """Of recorded texts those that can be played here, and after them all that is registered."""
    own = [str(Rule.parse(name)) for name in OWN]
    return list(dict.fromkeys([*(text for text in texts if _is_playable(text)), *own]))


def _is_playable(text: str) -> bool:
    try:
        return bool(Rule.parse(text).places)
    except WorkbenchError:
        return False


def _named(what: str, word: str, known: Mapping[str, str | None]) -> tuple[str, float]:
    """A name and its number, of a word such as `elite:0.5`."""
    full, colon, number = word.partition(":")
    name = _name(what, word, known)
    if _is_elsewhere(full):
        return word, 1.0
    kind = known[name]
    if colon and kind is None:
        raise WorkbenchError(f"the {what} {name} has no number: write '{name}' alone.")
    try:
        return full, float(number) if colon else DEFAULTS.get(kind or "", 1.0)
    except ValueError:
        raise WorkbenchError(f"the {kind} of {name} must be a number, not '{number}'.") from None


def _text(name: str, number: float, known: Mapping[str, str | None]) -> str:
    """The word of a name and its number, in as few digits as say it."""
    if _is_elsewhere(name) or known[name.partition("@")[0]] is None:
        return name
    short = f"{number:g}"
    return f"{name}:{short if float(short) == number else number}"


def _name(what: str, word: str, known: Collection[str]) -> str:
    """The name in a word such as `elite:0.5`; raises `UnknownNameError` unless it is known, or from a record."""
    full, _, _ = word.partition(":")
    name, at, _ = full.partition("@")
    if name not in (OWN if at else known) and not (RECORD.fullmatch(full) and name not in known):
        raise UnknownNameError(what, word, known, HINT)
    return name


def _is_elsewhere(full: str) -> bool:
    """Whether a name was written where another source was registered than is here; its number then stays in it."""
    name, at, source = full.partition("@")
    return bool(at) and OWN.get(name) != source
