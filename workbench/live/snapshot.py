"""What controls may move while training runs, as one immutable record behind a lock and a version number."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from workbench.agents.protocol import protocol
from workbench.data.load import environment_of
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.store.knobs import RANGES
from workbench.store.spec import RunSpec
from workbench.types import Budget, LossWeights
from workbench.verifiers import VERIFIERS, asks

Value: TypeAlias = float | int | str

MOST = {"m_inf": 64, "n": 64}
"""Largest inference budgets of the live workbench."""


@dataclass(frozen=True)
class Settings:
    """One value of every control, as pairs: the agent's loss weights, then `m_inf`, `n` and `verifier`.

    The last three do not change what is learned, only what is shown of it; `verifier` is one of `judges`.
    """

    pairs: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, spec: RunSpec) -> "Settings":
        """The settings of a spec's first update: its weights, and the budget of the agent's protocol.

        Only SORL takes as many steps as it was discretised in.

        Raises `WorkbenchError` for weights that are given seed by seed or by a schedule: a control has one value.
        """
        for name, formula in spec.schedule.items():
            raise WorkbenchError(f"{name} must be one number, not '{formula}': what a hand steers has no schedule.")
        own = protocol(spec.agent, environment_of(spec.task))
        budget = {"m_inf": spec.settings.get("m_disc", own.m_inf), "n": own.n, "verifier": own.verifier}
        return cls(tuple((name, checked_value(name, value)) for name, value in (spec.weights | budget).items()))

    @property
    def values(self) -> dict[str, Value]:
        """The values by name."""
        return dict(self.pairs)

    def changed(self, values: Mapping[str, Any]) -> "Settings":
        """These settings with some values replaced.

        Raises `UnknownNameError` for a control that the agent does not have, `WorkbenchError` for an illegal value.
        """
        own = self.values
        for name in values:
            if name not in own:
                raise UnknownNameError("control", name, own)
        return Settings(tuple((own | {name: checked_value(name, value) for name, value in values.items()}).items()))

    def weights(self) -> LossWeights:
        """The traced argument of every update."""
        return LossWeights.named({name: value for name, value in self.pairs if name not in (*MOST, "verifier")})

    def budget(self) -> Budget:
        """The inference budget of one decision that draws a single candidate; the caller repeats it `n` times."""
        own = self.values
        return Budget.exactly(int(own["m_inf"]), 1, str(own["verifier"]))


def judges() -> list[str]:
    """Verifiers that ask the agent's own critic, which every agent with a critic can be judged by."""
    return [name for name in VERIFIERS if asks(name) == "critic"]


def checked_value(name: str, value: Any) -> Value:
    """`value` as the type of its control; raises `WorkbenchError` where it is not legal."""
    if name == "verifier":
        if value not in judges():
            raise UnknownNameError("verifier", str(value), judges())
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise WorkbenchError(f"{name} must be one number, not {value!r}.") from None
    whole = name in MOST
    low, high = (1, MOST[name]) if whole else RANGES.get(name, (-math.inf, math.inf))
    if not math.isfinite(number) or not low <= number <= high or (whole and number != int(number)):
        kind = "a whole number" if whole else "a number"
        within = f" between {low:g} and {high:g}" if math.isfinite(low) else ""
        raise WorkbenchError(f"{name} must be {kind}{within}, not {value!r}.")
    return int(number) if whole else number


class Dials:
    """The settings that were asked for last. Any thread may turn or read them; neither waits for training."""

    def __init__(self, settings: Settings) -> None:
        self._lock = threading.Lock()
        self._version, self._settings = 0, settings
        self._gestures: dict[str, str] = {}

    def set(self, gesture: str = "", /, **values: Any) -> int:
        """Turn controls by name, all at once or (where a value is not legal) none; returns the new version.

        The version grows only where a value changes. `gesture` names the movement of a hand that this is a part of;
        code has none. Raises as `Settings.changed` does.
        """
        with self._lock:
            changed, former = self._settings.changed(values), self._settings.values
            if changed != self._settings:
                self._version, self._settings = self._version + 1, changed
                self._gestures |= {name: gesture for name in values if changed.values[name] != former[name]}
            return self._version

    def asked(self) -> tuple[Settings, dict[str, str]]:
        """The settings, and for each control that was turned the gesture that turned it last."""
        with self._lock:
            return self._settings, dict(self._gestures)

    def read(self) -> tuple[int, Settings]:
        """The version, and the settings of that version."""
        with self._lock:
            return self._version, self._settings
