"""The pilot of the campaign: what each setting does to success, as a page of text and as curves over training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.claims import cells as pick
from workbench.plots.style import counted, series, styled
from workbench.plots.text_table import markdown_table
from workbench.stats.differences import success_difference
from workbench.stats.estimate import Estimate
from workbench.stats.intervals import wilson

VARIED = ("rows", "width", "depth", "m_btt", "w_ql", "lr", "gamma", "tau")
"""Columns in which runs of one length may differ."""
NAMES = {"m_btt": "M_BTT", "w_ql": "w_QL", "lr": "learning rate", "tau": "τ", "gamma": "γ"}
BUDGETS = ((1, 1), (8, 1), (8, 4), (8, 32))
"""(M_inf, N) of the columns."""
JUDGED = BUDGETS[1:3]
"""Those at which settings are compared: the protocol's, and the one with four candidates."""
NOTES = """
A setting differs from the centre of its length in what is named, and in nothing else; the centre is the run that has
the fewest differences from the others of its length. One training seed each.

Success is the mean of the last three evaluated checkpoints of 50 episodes, or of the one there is, with Wilson's 95 %
interval over episodes: another seed may differ by more than that.

What it says: the difference from the centre, with Newcombe's 95 % interval, where that does not cover 0. The centre of
a longer training is compared with that of a shorter one. Each difference is tested on its own.
"""


@dataclass(frozen=True)
class Setting:
    """Runs with one setting, in numbers and in words: their rows of the table, and what they are compared with."""

    facts: dict[str, float]
    words: str
    rows: pd.DataFrame
    against: "Setting | None" = None

    def differences(self, other: "Setting") -> list[str]:
        """Columns in which it differs from another."""
        return [name for name in VARIED if self.facts[name] != other.facts[name]]


def settings(cells: pd.DataFrame) -> list[Setting]:
    """The settings by length of training, the centre of each length first."""
    found: list[Setting] = []
    for steps in sorted(set(cells["steps"].to_numpy(int).tolist())):
        group = cells.loc[cells["steps"] == steps]
        runs = [Setting(_facts(rows), "", rows) for _, rows in group.groupby(list(VARIED), sort=False)]
        distance = [(sum(len(one.differences(other)) for other in runs), one.facts["w_ql"]) for one in runs]
        centre = replace(runs.pop(distance.index(min(distance))), against=found[0] if found else None)
        centre = replace(centre, words=_described(centre.facts, steps))
        changed = [", ".join(_value(name, each.facts[name]) for name in each.differences(centre)) for each in runs]
        found.append(centre)
        found += [replace(each, words=words, against=centre) for each, words in zip(runs, changed, strict=True)]
    return found


def _facts(rows: pd.DataFrame) -> dict[str, float]:
    return {name: float(rows[name].to_numpy()[0]) for name in VARIED}


def _value(name: str, value: float) -> str:
    return f"{round(value):,} rows" if name == "rows" else f"{NAMES.get(name, name)} {value:g}"


def _described(facts: dict[str, float], steps: int) -> str:
    others = ", ".join(_value(name, facts[name]) for name in VARIED if name not in ("width", "depth"))
    return f"**{steps:,} updates:** {facts['depth']:g}×{facts['width']:g}, {others}"


def pilot_text(cells: pd.DataFrame) -> dict[str, str]:
    """The page as Markdown, by file suffix. `cells` is the table `two_cores_pilot`: a row a run, checkpoint, budget."""
    cells = pick.finished(cells)
    header = ["setting", *(f"M_inf {m}, N {n}" for m, n in BUDGETS), "what it says"]
    body = [[each.words, *(_rate(each.rows, *cell) for cell in BUDGETS), _says(each)] for each in settings(cells)]
    runs, task = len(set(cells["hash"])), cells["task"].tolist()[0]
    origin = (
        f"{counted(runs, 'run')} of SORL on {task}, on regenerated data. Written by `workbench figures pilot` from "
        "`tables/two_cores_pilot.csv`, which `workbench study two_cores_pilot` collects of `workbench sweep "
        "two_cores_pilot`."
    )
    lines = [
        "# What learns on two cores: the pilot of the campaign",
        "",
        origin,
        "",
        *markdown_table(header, body, text=True),
        "",
        *(f"- {' '.join(note.split())}" for note in NOTES.strip().split("\n\n")),
    ]
    return {"md": "\n".join(lines) + "\n"}


def _counts(rows: pd.DataFrame, m_inf: int, n: int) -> tuple[int, int]:
    """Successes and episodes at the last checkpoints of each run."""
    last = pick.at(rows, m_inf, n).sort_values("step").groupby("hash").tail(pick.LAST)
    return int(last["successes"].to_numpy().sum()), int(last["episodes"].to_numpy().sum())


def _rate(rows: pd.DataFrame, m_inf: int, n: int) -> str:
    k, count = _counts(rows, m_inf, n)
    if not count:
        return "–"
    low, high = wilson(k, count)
    return f"{100 * k / count:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _says(setting: Setting) -> str:
    if setting.against is None:
        return "–"
    told = [_sentence(*cell, found) for cell in JUDGED if (found := _difference(setting, *cell))]
    return "; ".join(told) if told else "nothing at 50 episodes a checkpoint"


def _difference(setting: Setting, m_inf: int, n: int) -> Estimate | None:
    """Success minus that of what it is compared with, where the interval does not cover 0."""
    assert setting.against is not None
    sides = [_counts(each.rows, m_inf, n) for each in (setting, setting.against)]
    if not all(count for _, count in sides):
        return None
    found = success_difference({0: sides[0]}, {0: sides[1]})
    return found if found.low > 0 or found.high < 0 else None


def _sentence(m_inf: int, n: int, found: Estimate) -> str:
    value, low, high = (f"{100 * each:+.0f}".replace("-", "−") for each in (found.value, found.low, found.high))
    return f"**{'better' if found.value > 0 else 'worse'}** at M_inf {m_inf}, N {n}: {value} points [{low}, {high}]"


PANELS: dict[str, tuple[str, ...]] = {
    "$w_{QL}$": ("w_ql",),
    "rows of data": ("rows",),
    "network": ("width", "depth"),
    "learning rate": ("lr",),
    r"$M_{\mathrm{BTT}}$": ("m_btt",),
    r"$\gamma$ and $\tau$": ("gamma", "tau"),
}
"""Title and columns of each panel of curves."""


@styled(3.6)
def pilot(cells: pd.DataFrame) -> Figure:
    """Success over training at M_inf = 8, N = 1 (solid) and N = 4 (dashed): a panel for each thing that was varied.

    Only finished runs of the longest training are drawn; black is the centre.
    """
    figure = Figure(layout="constrained")
    longest = settings(pick.finished(cells.loc[cells["steps"] == cells["steps"].max()]))
    centre, others = longest[0], longest[1:]
    panels = [(title, list(_of(others, columns))) for title, columns in PANELS.items()]
    panels = [(title, found) for title, found in panels if found] or [("", [])]
    rows = 1 if len(panels) <= 3 else 2
    grid = list(figure.subplots(rows, -(-len(panels) // rows), sharex=True, sharey=True, squeeze=False).flat)
    for axes, (title, found) in zip(grid, panels, strict=False):
        _curves(axes, centre, "black", "centre")
        for i, each in enumerate(found):
            _curves(axes, each, series(i)["color"], each.words)
        axes.set_title(title, fontsize="small")
        axes.set(xlabel="updates [thousands]", ylabel="success [%]", ylim=(-3, 103))
        axes.label_outer()
        axes.legend(fontsize="small", loc="best")
    for axes in grid[len(panels) :]:
        axes.remove()
    words = centre.words.replace("**", "")
    figure.suptitle(f"centre: {words}\nsolid: N = 1, dashed: N = 4, at $M_{{inf}}$ = 8; one seed", fontsize="small")
    return figure


def _of(found: Sequence[Setting], columns: tuple[str, ...]) -> Iterator[Setting]:
    """Settings that differ from the centre in these columns alone."""
    for each in found:
        assert each.against is not None
        if set(each.differences(each.against)) <= set(columns):
            yield each


def _curves(axes: Axes, setting: Setting, colour: str, label: str) -> None:
    for (m_inf, n), dashes in zip(JUDGED, ("-", "--"), strict=True):
        rows = pick.at(setting.rows, m_inf, n)
        sums = rows.pivot_table(index="step", values=["episodes", "successes"], aggfunc="sum")
        step, (episodes, successes) = sums.index.to_numpy(float), sums.to_numpy(float).T
        shown = label if dashes == "-" else None
        axes.plot(
            step / 1000,
            100 * successes / episodes,
            f"o{dashes}",
            color=colour,
            markersize=2.5,
            linewidth=1.2,
            label=shown,
        )
