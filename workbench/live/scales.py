"""What the panel knows of each control: its scale, its label, its meaning; and the guided experiments. Data only."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from workbench.live.snapshot import MOST, Value
from workbench.live.symbols import symbol

STATIC = {"width": (64, 128, 256, 512), "m_disc": (2, 4, 8, 16, 32), "m_btt": (1, 2, 4, 8, 16)}
"""Choices that are fixed when compiled, where an agent has them."""


@dataclass(frozen=True)
class Scale:
    """How a control's value lies on its slider, which is even in a logarithm from `least` to `most`.

    `kind` says of what: of the value (`log`), of the horizon 1 / (1 - value) (`horizon`), or of the value in powers of
    two (`powers`). With `zero` the slider has a place for 0 below `least`, and a switch that goes there and back. The
    number box takes any legal value, and what is off the slider is marked so; no value is moved to fit it.
    """

    least: float
    most: float
    kind: Literal["log", "horizon", "powers"] = "log"
    zero: bool = False


WEIGHT = Scale(0.01, 1000.0, zero=True)
SCALES = {
    "lr": Scale(1e-5, 1e-1),
    "tau": Scale(1e-4, 1.0),
    "gamma": Scale(1.0, 1000.0, "horizon"),
    "m_inf": Scale(1.0, float(MOST["m_inf"]), "powers"),
    "n": Scale(1.0, float(MOST["n"]), "powers"),
}
"""Scales by control; loss weights and all that is like them have `WEIGHT`."""

GROUPS = {
    "losses": "weights of the losses",
    "rates": "rates",
    "budget": "budget at test time",
}
"""The groups in which a panel shows its controls, with their headings."""

MEANINGS = {
    "gamma": "discount; slider even in 1 / (1 − γ)",
    "m_inf": "steps from noise to action (sequential scaling)",
    "n": "candidates, of which the critic keeps the best (parallel scaling)",
    "verifier": "how the critics' values become one",
}
"""Meanings that agents do not give, or that need more words beside a slider."""


def group_of(name: str) -> str:
    """The group that a control belongs to."""
    return "budget" if name in MEANINGS and name != "gamma" else "rates" if name in SCALES else "losses"


def described(values: dict[str, Value], knobs: dict[str, str], paper: dict[str, Value]) -> list[dict[str, Any]]:
    """What a panel shows of each control but the verifier: name, symbol, meaning, group, scale, the paper's value."""
    return [
        {
            "name": name,
            "symbol": symbol(name),
            "meaning": MEANINGS.get(name) or knobs.get(name, ""),
            "group": group_of(name),
            "paper": paper.get(name),
            **asdict(SCALES.get(name, WEIGHT)),
        }
        for name in values
        if name != "verifier"
    ]


@dataclass(frozen=True)
class Experiment:
    """A guided experiment: values to set at once, and what to watch for."""

    title: str
    values: dict[str, Value]
    watch: str


EXPERIMENTS = (
    Experiment(
        "Turn off self-consistency and watch M_inf = 1",
        {"sc": 0.0, "m_inf": 1},
        "The self-consistency error rises: no data teaches large steps, so one-step samples drift from those of many.",
    ),
    Experiment(
        "Imitate only",
        {"ql": 0.0},
        "Reward falls towards that of the data, and samples spread over all that the data does.",
    ),
    Experiment(
        "Only the Q loss",
        {"fm": 0.0, "sc": 0.0},
        "Nothing holds the policy to the data: it goes where the critic says, also where that is but a guess.",
    ),
    Experiment(
        "Let the critic choose: best of 16",
        {"m_inf": 8, "n": 16},
        "The first cloud gathers where Q is large, though nothing new is learned.",
    ),
    Experiment(
        "Too high a learning rate",
        {"lr": 0.03},
        "Losses jump; where one stops being finite, training halts and says so. Then rewind to before the marker.",
    ),
)
"""Guided experiments for SORL; one whose controls an agent does not have is not offered."""
