"""How far a policy's actions are from those of the data, and how many lie at the limit."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.scaling import CANDIDATES, M_INF, PER_CENT, STEPS, SYMBOLS, N, budget_axis, subject
from workbench.plots.style import GREY, legend_above, series, styled
from workbench.plots.verifier import seed_line

VARIANTS = {"at neighbours": "policy at the neighbours", "at x": "policy at $x$ alone"}


@styled(2.8)
def action_w2(table: pd.DataFrame) -> Figure:
    """W2 between policy and data beyond that of two samples of one law, against M_inf and against N; saturation.

    `table` is that of the study `actions`: a row a run, budget and variant. With w_ql > 0 the policy leaves the data on
    purpose, so zero is what imitation would score, and not the aim.
    """
    figure = Figure(layout="constrained")
    steps, candidates, limit = figure.subplots(1, 3)
    single = table.loc[table["n"] == 1]
    m_inf = table.sort_values(by="n")["m_inf"].iloc[-1]
    _excess(steps, single, "m_inf", f"{STEPS}, at {N} = 1")
    _excess(candidates, table.loc[table["m_inf"] == m_inf], "n", f"{CANDIDATES}, at {M_INF} = {m_inf}")
    low, high = (pick(axes.get_ylim()[i] for axes in (steps, candidates)) for i, pick in ((0, min), (1, max)))
    for axes in (steps, candidates):
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_ylim(min(low, -0.02), high)
    steps.set_ylabel("excess $W_2$ [action units]")
    _saturation(limit, single.loc[single["variant"] == "at neighbours"])
    for axes in (steps, candidates, limit):
        legend_above(axes, 1)
    figure.suptitle(f"{subject(table)}\n{_note(table)}", fontsize="small")
    return figure


def _excess(axes: Axes, table: pd.DataFrame, x: str, label: str) -> None:
    for i, (variant, words) in enumerate(VARIANTS.items()):
        seed_line(axes, table.loc[table["variant"] == variant], x, "excess", series(i), label=words)
    budget_axis(axes, table, x, label)


def _saturation(axes: Axes, table: pd.DataFrame) -> None:
    """Share of action components at the limit, of the policy and of nearby data."""
    per_cent = table.assign(share=table["saturation"] * PER_CENT)
    seed_line(axes, per_cent, "m_inf", "share", series(0), label="policy")
    axes.axhline(
        float(table["saturation_data"].iloc[0]) * PER_CENT,
        color=GREY,
        linestyle=(0, (4, 2)),
        linewidth=0.8,
        label="nearby data",
    )
    budget_axis(axes, table, "m_inf", f"{STEPS}, at {N} = 1")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("components at the limit [%]")


def _note(table: pd.DataFrame) -> str:
    row = table.iloc[0]
    size, queries, blind = row["k"] // 2, row["n_observations"], row["blind_excess"]
    halves = r"\frac{1}{2}W_2^2(\mathrm{data}) - \frac{1}{2}W_2^2(\mathrm{policy})"
    note = (
        rf"Excess: $[W_2^2(\mathrm{{policy, data}}) - {halves}]^{{1/2}}$, "
        f"the last two between halves of one sample,\nmeans over {queries} held-out observations; "
        f"samples of {size} actions of data near each. Actions drawn from all data would score {blind:.2f}.\n"
        "Lines: means over seeds; marks: seeds; bars: 95 % bootstrap over observations."
    )
    if row["w_ql"] > 0:
        note += f" {SYMBOLS['w_ql']} > 0: the policy leaves the data on purpose."
    return note
