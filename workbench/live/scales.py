"""What the panel knows of each control: its scale, its label, its meaning; and the guided experiments. Data only."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.live.snapshot import MOST, Value

STATIC = {"width": (64, 128, 256, 512), "m_disc": (2, 4, 8, 16, 32), "m_btt": (1, 2, 4, 8, 16)}
"""Choices that are fixed when compiled, where an agent has them."""


@dataclass(frozen=True)
class Scale:
    """How a control's value lies on its slider: `least` and `most` of the slider, and the way between the two.

    The number box takes any legal value; one that is off the slider stands at its nearest end.
    """

    least: float
    most: float
    base: float = 10.0
    step: float = 0.05
    to_slider: Callable[[float], float] = float
    from_slider: Callable[[float], float] = lambda position: float(f"{position:.3g}")
    tooltip: str = ""


WEIGHT = Scale(0.01, 1000.0)
SCALES = {
    "lr": Scale(1e-5, 1e-1),
    "tau": Scale(1e-4, 1.0),
    "gamma": Scale(
        1.0,
        1000.0,
        to_slider=lambda gamma: 1.0 / max(1.0 - gamma, 1e-9),
        from_slider=lambda horizon: float(f"{1.0 - 1.0 / horizon:.4g}"),
        tooltip="the slider is even in the logarithm of the horizon 1 / (1 - gamma), 1 to 1000",
    ),
    "m_inf": Scale(1.0, float(MOST["m_inf"]), base=2.0, step=1.0, from_slider=round),
    "n": Scale(1.0, float(MOST["n"]), base=2.0, step=1.0, from_slider=round),
}
"""Scales by control; loss weights have `WEIGHT`, whose number box also takes 0."""

LABELS = {"ql": "w_ql", "fm": "w_fm", "sc": "w_sc", "m_inf": "M_inf", "n": "N"}
MEANINGS = {
    "m_inf": "steps from noise to action (sequential scaling)",
    "n": "candidates, of which the critic keeps the best (parallel scaling)",
    "verifier": "how the critics' values become one: their mean, or the least of them",
}


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
