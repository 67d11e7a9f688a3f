"""What a live view shows, on the canvas and in the picture: its panels, and the colours and dashes of branches."""

from dataclasses import dataclass

from workbench.plots.style import SERIES

_DASHES = {"-": [], "--": [6, 3], "-.": [7, 2.5, 1.5, 2.5], ":": [1.5, 2.5]}


@dataclass(frozen=True)
class Panel:
    """One pair of axes over the number of updates.

    `line` names the metric drawn as a line, `dots` one of sparse open circles beside it (held-out data), and `band` two
    that bound a shaded range. A panel appears once its line has a value.
    """

    title: str
    line: str
    unit: str = ""
    log: bool = False
    dots: str = ""
    band: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Title and unit, as they stand on the panel."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


PANELS = (
    Panel("flow-matching loss", "loss_fm", "action², ∘ held-out", log=True, dots="val_fm"),
    Panel("self-consistency error", "loss_sc", "action², ∘ held-out", log=True, dots="val_sc"),
    Panel("TD loss", "loss_critic", "return², ∘ held-out", log=True, dots="val_critic"),
    Panel("Q of the data", "q_mean", "return; mean and range", band=("q_min", "q_max")),
    Panel("reward", "reward", "mean of the policy's actions"),
    Panel("distance to data", "energy_m1", "– 1 step, ∘ M_disc", dots="energy_m_disc"),
    Panel("success", "success", "95 % interval", dots="success", band=("success_low", "success_high")),
)
"""The standard panels: three errors that should fall, what the critic believes, and what the policy does."""


def palette() -> list[dict[str, object]]:
    """Colour and canvas dash pattern (pixels on, pixels off, …) of the i-th branch: those of the paper's figures."""
    return [
        {"colour": colour, "dash": _DASHES[dash] if isinstance(dash, str) else [1.6 * length for length in dash[1]]}
        for colour, dash, _ in SERIES
    ]
