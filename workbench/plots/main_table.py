"""The main table: environments by methods, published scores and our own beside them, as a figure and as text."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.style import FAMILIES, GREY, agent_style, display_name, in_order, published_style, styled
from workbench.published import ENVIRONMENTS, same_protocol
from workbench.stats.estimate import ScoresError
from workbench.stats.summary import own_scores

COLUMNS = ("environment", "method", "score", "sd", "seeds", "kind", "protocol", "source")
KINDS = ("published", "ours")
_STEPS = r"$M_{\mathrm{inf}}$"
OWN_HEADER = ("environment", "method", "success [%]", "seeds", "protocol")
WITHIN = 0.95
"""Published scores of at least this share of their environment's best are bold, as in the field's tables."""


def table_rows(scores: pd.DataFrame, cells: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every row of the main table in its order, with `bold` for published scores within 95 % of the best.

    `scores` has the columns of `published.aggregates`; `cells` are evaluated runs of our own, added as `own_scores`.
    Kept are the environments that SORL was published on, and those of our own runs. Our scores never compete for bold.
    Raises `MixedProtocolsError` for published scores of several protocols, and `ScoresError` for missing columns or a
    kind that is neither `published` nor `ours`.
    """
    lacking = set(COLUMNS) - set(scores)
    if lacking:
        raise ScoresError(f"the scores lack {', '.join(sorted(lacking))}: give the columns of published.aggregates.")
    rows = pd.concat([scores, *([] if cells is None else [own_scores(cells)])], ignore_index=True)
    rows["method"] = rows["method"].map(display_name)
    strange = set(rows["kind"]) - set(KINDS)
    if strange:
        raise ScoresError(f"the kind of a score is published or ours, not {', '.join(map(str, sorted(strange)))}.")
    known, own = rows["kind"] == "published", set(rows.loc[rows["kind"] == "ours", "environment"])
    same_protocol(rows.loc[known])
    order = [*ENVIRONMENTS, *sorted(own - set(ENVIRONMENTS))]
    best = rows.loc[known].groupby("environment")["score"].max().to_dict()
    least = np.array([WITHIN * best.get(name, 0) - 1e-9 for name in rows["environment"]])
    rows["bold"] = known & (rows["score"] > 0) & (rows["score"] >= least)
    methods = in_order(rows["method"])
    keys = {"kind": KINDS.index, "environment": order.index, "method": methods.index}
    kept = rows.loc[rows["environment"].isin(order), [*COLUMNS, "bold"]]
    return kept.sort_values(by=list(keys), key=lambda c: c.map(keys[str(c.name)]), kind="stable", ignore_index=True)


@styled(4.1)
def main_table(scores: pd.DataFrame, cells: pd.DataFrame | None = None, title: str = "") -> Figure:
    """A panel an environment and a row a method: published hollow, ours filled below it, each ± sd over seeds.

    Shaded is what is bold in the text: scores within 95 % of the best published. Arguments and errors of `table_rows`.
    """
    rows = table_rows(scores, cells)
    environments, methods = rows["environment"].drop_duplicates().tolist(), in_order(rows["method"])
    figure = Figure(layout="constrained")
    columns = min(4, len(environments))
    lines = -(-len(environments) // columns)
    figure.set_figheight(0.9 + 0.125 * len(methods) * lines + 0.3 * lines)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, environment in zip(panels.flat, environments, strict=False):
        _panel(axes, rows.loc[rows["environment"] == environment], methods)
        axes.set_title(environment, fontsize="x-small", pad=2)
    for axes in panels.flat[len(environments) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(methods)), methods, fontsize="x-small")
        axes.set_ylim(len(methods) - (0.1 if "ours" in set(rows["kind"]) else 0.4), -0.6)
    label = "success [%]; bars: ± 1 standard deviation over seeds; shaded: within 95 % of the best published"
    figure.supxlabel(label, fontsize="small")
    figure.suptitle("\n".join(filter(None, (title, *_notes(rows)))), fontsize="x-small")
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, methods: list[str]) -> None:
    known = rows.loc[rows["kind"] == "published"]
    if len(known):
        best = 100 * known["score"].max()
        axes.axvspan(WITHIN * best, max(best, WITHIN * best + 1), color=GREY, alpha=0.25, linewidth=0)
    bars: dict[str, Any] = {"elinewidth": 0.7, "capsize": 1.2, "capthick": 0.7}
    below = dict.fromkeys(methods, 0.0)
    for row in _records(rows):
        ours, method = row["kind"] == "ours", row["method"]
        below[method] += 0.36 * ours
        style = agent_style(method) | {"linestyle": "none"} if ours else published_style(method)
        y = methods.index(method) + below[method]
        axes.errorbar(100 * row["score"], y, xerr=None if np.isnan(row["sd"]) else 100 * row["sd"], **style, **bars)
    axes.set_xlim(-5, 105)
    axes.set_xticks((0, 50, 100))
    axes.tick_params(axis="x", labelsize="x-small")


def _notes(rows: pd.DataFrame) -> list[str]:
    """What the two kinds of marks are: source or protocol of each, and its seeds."""
    known, own = (rows.loc[rows["kind"] == kind] for kind in KINDS)
    notes = [f"hollow: published ({'; '.join(known['source'].unique())}), {_listed(known['seeds'])} seeds"]
    facts = own["protocol"].str.extract(r"^(?P<shared>.*?)(?:; (?P<budget>M_inf [^;]*))?$").fillna("")
    for (shared, seeds), same in own.join(facts).groupby(["shared", "seeds"], sort=False):
        count = f"{seeds} seeds" if seeds > 1 else "1 seed, no bar"
        notes.append(f"filled: ours, {shared}; {count}")
        played = same.groupby("budget", sort=False)["method"].agg(", ".join)
        notes += ["; ".join(f"{methods}: {budget.replace('M_inf', _STEPS)}" for budget, methods in played.items())]
    return notes


def _listed(numbers: Iterable[int]) -> str:
    return " or ".join(str(number) for number in sorted(set(numbers)))


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def main_table_text(scores: pd.DataFrame, cells: pd.DataFrame | None = None) -> dict[str, str]:
    """The same table by file suffix: `tex` (booktabs), `md` and `csv`; ours in a block of its own below the published.

    Percent in tex and md, as mean ± sd over seeds; the long csv keeps rates, protocol and source of every number.
    Arguments and errors of `table_rows`.
    """
    rows = table_rows(scores, cells)
    return {"tex": _latex(rows), "md": _markdown(rows), "csv": rows.to_csv(index=False, float_format="%.6g")}


def _cell(row: dict[str, Any], bold: str, spread: str) -> str:
    value = f"{100 * row['score']:.0f}"
    sd = "" if np.isnan(row["sd"]) else spread.format(f"{100 * row['sd']:.0f}")
    return f"{bold.format(value) if row['bold'] else value}{sd}"


def _grid(rows: pd.DataFrame, methods: list[str], bold: str, spread: str) -> list[tuple[str, list[str]]]:
    """Environments, and the text of each method's score; empty where there is none."""
    lines = []
    for environment, group in rows.groupby("environment", sort=False):
        text = {row["method"]: _cell(row, bold, spread) for row in _records(group)}
        lines.append((str(environment), [text.get(method, "") for method in methods]))
    return lines


def _own_lines(rows: pd.DataFrame, bold: str, spread: str) -> list[tuple[str, str, str, str, str]]:
    own = rows.loc[rows["kind"] == "ours"]
    return [
        (row["environment"], row["method"], _cell(row, bold, spread), str(row["seeds"]), row["protocol"])
        for row in _records(own)
    ]


def _markdown(rows: pd.DataFrame) -> str:
    known = rows.loc[rows["kind"] == "published"]
    methods = in_order(known["method"])
    lines = ["Published, success [%]. " + _caption(known), ""]
    lines += _markdown_table(
        ["environment", *methods], [[name, *cells] for name, cells in _grid(known, methods, "**{}**", " ± {}")]
    )
    own = _own_lines(rows, "**{}**", " ± {}")
    if own:
        lines += ["", "Ours, not to be read as a column of the above; ± 1 standard deviation over seeds.", ""]
        lines += _markdown_table(list(OWN_HEADER), [list(line) for line in own])
    return "\n".join(lines) + "\n"


def _markdown_table(header: list[str], body: list[list[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in header[1:])]
    return [f"| {' | '.join(line)} |" for line in (header, rule, *body)]


def _caption(known: pd.DataFrame) -> str:
    sources = "; ".join(known["source"].unique())
    seeds = _listed(known["seeds"])
    return f"Mean ± 1 standard deviation over {seeds} seeds; bold: within 95 % of the best. Sources: {sources}."


def _latex(rows: pd.DataFrame) -> str:
    known = rows.loc[rows["kind"] == "published"]
    groups = {family: [m for m in members if m in set(known["method"])] for family, members in FAMILIES.items()}
    groups = {family: members for family, members in groups.items() if members}
    others = [m for m in in_order(known["method"]) if not any(m in members for members in groups.values())]
    methods = [m for members in groups.values() for m in members] + others
    heads, rules, start = [], [], 2
    for family, members in groups.items():
        heads.append(rf"\multicolumn{{{len(members)}}}{{c}}{{{family.capitalize()}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + len(members) - 1}}}")
        start += len(members)
    heads += [""] * len(others)
    bold, spread = r"\textbf{{{}}}", r" {{\tiny $\pm {}$}}"
    lines = [f"% Published, success [%]. {_caption(known)}".replace("±", "+-"), r"% needs \usepackage{booktabs}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * len(methods)}}}", r"\toprule", _tex_line(["", *heads])]
    lines += ["".join(rules), _tex_line(["Environment", *map(_tex, methods)]), r"\midrule"]
    lines += [_tex_line([_tex(name), *cells]) for name, cells in _grid(known, methods, bold, spread)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    own = _own_lines(rows, bold, spread)
    if own:
        lines += ["", "% Ours: another protocol, in a table of its own; +- 1 standard deviation over seeds."]
        lines += [r"\begin{tabular}{llrrl}", r"\toprule", _tex_line([_tex(head) for head in OWN_HEADER]), r"\midrule"]
        lines += [_tex_line([_tex(line[0]), _tex(line[1]), *line[2:4], _tex(line[4])]) for line in own]
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    return _STEPS.join(part.replace("%", r"\%").replace("_", r"\_") for part in text.split("M_inf"))


def _tex_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
