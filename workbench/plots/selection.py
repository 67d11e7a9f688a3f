"""Who should choose: success over the number of candidates by how the action is made of them, and by the share."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool
from matplotlib.figure import Figure

from workbench.plots.scaling import CANDIDATES, M_INF, apart, budget_axis, made_by, success_axis, success_line
from workbench.plots.style import GREY, legend_above, series, styled
from workbench.plots.text_table import markdown_table
from workbench.stats.intervals import wilson
from workbench.stats.paired import holm, mcnemar, success_gain
from workbench.verifiers import Rule

PLAIN = "mean"
"""The best candidate by the mean of the critics: best-of-N."""


def rated(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their success in [0, 1] and the Wilson interval of it."""
    ends = [wilson(int(k), int(n)) for k, n in rows[["successes", "episodes"]].to_numpy()]
    low, high = np.array(ends).T
    return rows.assign(success=rows["successes"] / rows["episodes"], low=low, high=high)


def played(outcomes: str) -> Bool[np.ndarray, " start"]:
    """Which episodes of a row succeeded, by start."""
    return np.array([digit == "1" for digit in outcomes])


def of_policies(cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each policy, by what it is, in words: the shortest training first."""
    groups = cells.sort_values("step", kind="stable").groupby(["step", "network"], sort=False)
    return {f"{rows['step'].iloc[0]:,} updates, {rows['network'].iloc[0]}": rated(rows) for _, rows in groups}


@styled(3.0)
def selection(cells: pd.DataFrame) -> Figure:
    """Success over N, a line for each way of making the action and a panel for each policy.

    `cells` is the table `selection`; rules that were played at one N alone are left to `elite_share`. The point at
    N = 1 is the same of all.
    """
    figure = Figure(layout="constrained")
    policies = of_policies(cells)
    row = figure.subplots(1, len(policies), sharey=True, squeeze=False)[0]
    for axes, (title, rows) in zip(row, policies.items(), strict=True):
        alone = rows.loc[rows["n"] == 1]
        counts = rows.loc[rows["n"] > 1].groupby("verifier", sort=False)["n"].nunique()
        rules = [rule for rule, count in counts.items() if count == counts.max()]
        for i, (rule, shift) in enumerate(zip(rules, apart(len(rules), 0.06), strict=True)):
            line = pd.concat([alone, rows.loc[(rows["verifier"] == rule) & (rows["n"] > 1)]])
            success_line(axes, line, "n", series(i), shift, label=made_by(str(rule)))
        budget_axis(axes, rows, "n", CANDIDATES)
        success_axis(axes)
        axes.set_title(title, fontsize="small")
    row[0].set_ylabel("success [%]")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    figure.suptitle(f"{_origin(cells)}\nWhat is played of $N$ candidates, ranked by $Q$", fontsize="small")
    return figure


@styled(2.5)
def elite_share(cells: pd.DataFrame) -> Figure:
    """Success over the share of the best candidates whose mean is played, a line for each policy.

    `cells` is the table `selection`, of which the N with the most shares is shown. The share 1/N is best-of-N.
    """
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    rules = {text: Rule.parse(str(text)) for text in set(cells["verifier"])}
    elite = cells.loc[[rules[text].selection == "elite" for text in cells["verifier"]]]
    n = int(elite.groupby("n")["verifier"].nunique().idxmax())
    for i, (title, rows) in enumerate(of_policies(cells.loc[cells["n"] == n]).items()):
        best = rows.loc[rows["verifier"] == PLAIN].assign(share=1 / n)
        means = rows.loc[rows["verifier"].isin(elite["verifier"])]
        means = means.assign(share=[rules[text].dial for text in means["verifier"]])
        line = pd.concat([best, means]).sort_values("share")
        success_line(axes, line, "share", series(i), apart(2)[i % 2], label=title)
    shares = pd.DataFrame({"share": [1 / n, *(rules[text].dial for text in set(elite["verifier"]))]})
    budget_axis(axes, shares, "share", r"share $\rho$ of the best candidates whose mean is played")
    ticks = sorted(shares["share"])
    axes.set_xticks(ticks, [f"1/{round(1 / share)}" if share <= 0.5 else f"{share:g}" for share in ticks])
    axes.axvline(1 / n, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0.5)
    axes.text(1.1 / n, 99, "best-of-$N$", color=GREY, fontsize="small", va="top")
    success_axis(axes)
    axes.set_ylabel("success [%]")
    legend_above(axes, 2)
    figure.suptitle(f"{_origin(cells)}, $N$ = {n}", fontsize="small")
    return figure


def _origin(cells: pd.DataFrame) -> str:
    episodes = "/".join(f"{count}" for count in sorted(set(cells["episodes"])))
    m_inf = "/".join(f"{count}" for count in sorted(set(cells["m_inf"])))
    return f"SORL on cube-single, task 2, {M_INF} = {m_inf}; {episodes} common starts, bars: 95 % Wilson over them"


def selection_text(cells: pd.DataFrame) -> dict[str, str]:
    """The comparisons as Markdown, by file suffix: each way of making the action against best-of-N on the same starts.

    Plain cells are those of best-of-N with any number of candidates up to the row's, which cost no more.
    """
    header = ("policy", "N", "played", "success", "against best-of-N", "against the best plain cell", "p, Holm")
    body = []
    for title, rows in of_policies(cells).items():
        for n, own in rows.loc[rows["n"] > 1].groupby("n"):
            body += _lines(title, int(str(n)), own, rows.loc[(rows["verifier"] == PLAIN) & (rows["n"] <= n)])
    adjusted = iter(holm([line[-1] for line in body if line[-1] is not None]))
    shown = [(*line, "–" if p is None else f"{next(adjusted):.2g}") for *line, p in body]
    lines = [
        "# Who should choose: what is played of N candidates",
        "",
        " ".join(NOTES.format(origin=_origin(cells).replace(M_INF, "M_inf")).split()),
        "",
        *markdown_table(header, shown, text=True),
    ]
    return {"md": "\n".join(lines) + "\n"}


NOTES = """
{origin}. Differences are in points, on the same starts with the same noise, with 95 % bootstrap intervals over starts.
The best plain cell is best-of-N with as many candidates or fewer, chosen on these same starts, which favours it; p is
of an exact McNemar test against it, corrected by Holm over all rows. The half was chosen before, on other starts and
other trainings; no other number of the table was chosen by its results. One training seed a policy: the intervals cover
episodes, not trainings. Written by `workbench figures selection` from `tables/selection.csv`, which `workbench study
selection` makes with the packaged policies.
"""


def _lines(title: str, n: int, own: pd.DataFrame, plain: pd.DataFrame) -> list[tuple[Any, ...]]:
    """A line a rule of one policy and N; the last entry is its p-value, None for best-of-N itself."""
    best = played(plain.loc[plain["success"].idxmax(), "outcomes"])
    same = played(plain.loc[plain["n"] == n, "outcomes"].iloc[0])
    found = []
    for row in own.to_dict("records"):
        rate = f"{100 * row['success']:.0f} % [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
        ours = played(row["outcomes"])
        compared = row["verifier"] != PLAIN
        gains = (_points(ours, same), _points(ours, best)) if compared else ("–", "–")
        found.append((title, str(n), made_by(row["verifier"]), rate, *gains, mcnemar(ours, best) if compared else None))
    return found


def _points(ours: Bool[np.ndarray, " start"], theirs: Bool[np.ndarray, " start"]) -> str:
    found = success_gain(ours, theirs)
    value, low, high = (f"{100 * each:+.0f}".replace("-", "−") for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"
