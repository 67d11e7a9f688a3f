"""The main table: environments by methods, published scores and our own beside them, as a figure and as text."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.comparison import own_budget
from workbench.plots.scaling import M_INF, SYMBOLS, N
from workbench.plots.style import FAMILIES, GREY, agent_style, display_name, in_order, published_style, styled
from workbench.plots.text_table import latex_float, markdown_table, tex, tex_line
from workbench.published import ENVIRONMENTS, same_protocol
from workbench.stats.estimate import ScoresError
from workbench.stats.summary import own_scores

COLUMNS = ("environment", "method", "score", "sd", "seeds", "kind", "protocol", "source")
KINDS = ("published", "ours")
OWN_HEADER = ("environment", "method", "success [%]", "seeds", "protocol")
WITHIN = 0.95
"""Published scores of at least this share of their environment's best are bold, as in the field's tables."""
APART = 0.16
"""Rows that published and own marks of one method stand above and below its middle, where there are both."""
SOURCES = {"SORL summary": "summary of the SORL paper (arXiv 2505.22866)"}
"""Sources in full, where the table has a short name."""
BUDGET = re.compile(r"M_inf (\d+), N (\d+)(?:, w_QL (\S+))?")


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

    The dark stripe is what is bold in the text: scores within 95 % of the best published. Arguments and errors of
    `table_rows`.
    """
    rows = table_rows(scores, cells)
    environments, methods = rows["environment"].drop_duplicates().tolist(), in_order(rows["method"])
    figure = Figure(layout="constrained")
    columns = min(4, len(environments))
    lines = -(-len(environments) // columns)
    figure.set_figheight(1.4 + 0.135 * len(methods) * lines + 0.3 * lines)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, environment in zip(panels.flat, environments, strict=False):
        _panel(axes, rows.loc[rows["environment"] == environment], methods)
        axes.set_title(environment, fontsize="small", pad=2)
    for axes in panels.flat[len(environments) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(methods)), methods, fontsize="small")
        axes.set_ylim(len(methods) - 0.5, -0.5)
    label = "success [%]; bars: ± 1 standard deviation over seeds; dark stripe: within 95 % of the best published"
    figure.supxlabel(label, fontsize="small")
    notes = [*_notes(rows), "" if cells is None else own_budget(cells)]
    figure.suptitle("\n".join(filter(None, (title, *notes))), fontsize="small")
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, methods: list[str]) -> None:
    known = rows.loc[rows["kind"] == "published"]
    if len(known):
        best = 100 * known["score"].max()
        axes.axvspan(WITHIN * best, max(best, WITHIN * best + 1), color=GREY, alpha=0.25, linewidth=0)
    for y in range(1, len(methods), 2):
        axes.axhspan(y - 0.5, y + 0.5, color=GREY, alpha=0.08, linewidth=0)
    axes.grid(axis="y", visible=False)
    bars: dict[str, Any] = {"elinewidth": 0.7, "capsize": 1.2, "capthick": 0.7}
    apart = APART if "ours" in set(rows["kind"]) else 0.0
    for row in _records(rows):
        ours, method = row["kind"] == "ours", row["method"]
        style = agent_style(method) | {"linestyle": "none"} if ours else published_style(method)
        y = methods.index(method) + (apart if ours else -apart)
        axes.errorbar(100 * row["score"], y, xerr=None if np.isnan(row["sd"]) else 100 * row["sd"], **style, **bars)
    axes.set_xlim(-5, 105)
    axes.set_xticks((0, 50, 100))
    axes.tick_params(axis="x", labelsize="small")


def _notes(rows: pd.DataFrame) -> list[str]:
    """What the two kinds of marks are: source or protocol of each, and its seeds."""
    known, own = (rows.loc[rows["kind"] == kind] for kind in KINDS)
    notes = [f"Hollow: published means over five tasks, {_listed(known['seeds'])} seeds", f"({_sources(known)})"]
    for (shared, seeds), same in own.assign(shared=_shared(own)).groupby(["shared", "seeds"], sort=False):
        count = f"{seeds} seeds" if seeds > 1 else "1 seed, no bar"
        notes.append(f"Filled: ours, {shared}; {count}")
        played = same.assign(budget=[", ".join(filter(None, _budget(text)[:2])) for text in same["protocol"]])
        groups = {each: ", ".join(named["method"]) for each, named in played.groupby("budget", sort=False)}
        budgets = [f"{methods} ({each})" for each, methods in groups.items() if each]
        notes += [f"({M_INF}, {N}) of ours: {'; '.join(budgets)}"] if budgets else []
    return notes


def _shared(own: pd.DataFrame) -> list[str]:
    """The protocols of our rows without their budgets."""
    return [BUDGET.sub("", text).strip("; ") for text in own["protocol"]]


def _budget(protocol: str) -> tuple[str, str, str]:
    """M_inf, N and the weight of the Q loss as a protocol says them; empty where it does not."""
    found = BUDGET.search(protocol)
    return (found[1], found[2], found[3] or "") if found else ("", "", "")


def _sources(known: pd.DataFrame) -> str:
    return "; ".join(SOURCES.get(source, source) for source in map(str, known["source"].unique()))


def _listed(numbers: Iterable[int]) -> str:
    return " or ".join(str(number) for number in sorted(set(numbers)))


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def main_table_text(scores: pd.DataFrame, cells: pd.DataFrame | None = None) -> dict[str, str]:
    """The same table by file suffix: `tex` (booktabs), `md` and `csv`; ours in a block of its own below the published.

    Percent in tex and md, as mean ± sd over seeds; the long csv keeps rates, protocol and source of every number.
    Arguments and errors of `table_rows`.
    """
    rows, played = table_rows(scores, cells), "" if cells is None else own_budget(cells)
    return {
        "tex": _latex(rows, played),
        "md": _markdown(rows, played),
        "csv": rows.to_csv(index=False, float_format="%.6g"),
    }


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


def _markdown(rows: pd.DataFrame, played: str) -> str:
    known = rows.loc[rows["kind"] == "published"]
    methods = in_order(known["method"])
    lines = ["Published, success [%]. " + _caption(known), ""]
    lines += markdown_table(
        ["environment", *methods], [[name, *cells] for name, cells in _grid(known, methods, "**{}**", " ± {}")]
    )
    own = _own_lines(rows, "**{}**", " ± {}")
    if own:
        apart = "Ours, not to be read as a column of the above; ± 1 standard deviation over seeds."
        lines += ["", f"{apart} {played}".strip(), ""]
        lines += markdown_table(list(OWN_HEADER), [list(line) for line in own])
    return "\n".join(lines) + "\n"


def _caption(known: pd.DataFrame) -> str:
    return (
        f"Mean over five tasks ± 1 standard deviation over {_listed(known['seeds'])} seeds; "
        f"bold: within 95 % of the best. Sources: {_sources(known)}."
    )


def _latex(rows: pd.DataFrame, played: str) -> str:
    """Two floats of full width: published scores, and below it ours, with what all of a table share in its caption."""
    known, own = (rows.loc[rows["kind"] == kind] for kind in KINDS)
    methods = in_order(known["method"])
    groups = {family: [m for m in methods if m in members] for family, members in FAMILIES.items()}
    heads, rules, start = [""], [], 2
    for family, members in groups.items():
        if members:
            heads.append(rf"\multicolumn{{{len(members)}}}{{c}}{{{family.capitalize()}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{start + len(members) - 1}}}")
            start += len(members)
    heads += [""] * (len(methods) + 2 - start)
    bold, spread = r"\textbf{{{}}}", r" {{\tiny $\pm {}$}}"
    body = [tex_line([_short(name), *cells]) for name, cells in _grid(known, methods, bold, spread)]
    top = [tex_line(heads), "".join(rules), tex_line(["Environment", *map(tex, methods)])]
    lines = ["% needs \\usepackage{booktabs}"]
    lines += latex_float(f"Published success [%]. {_caption(known)}", "published", "l" + "r" * len(methods), top, body)
    head = ["Environment", "Method", M_INF, N, SYMBOLS["w_ql"], "Seeds", r"Success [\%]"]
    for i, (shared, same) in enumerate(own.assign(shared=_shared(own)).groupby("shared", sort=False)):
        text = f"Success of our own runs [%], of another protocol than Table~\\ref{{tab:published}}: {shared}; "
        text += f"mean ± 1 standard deviation over seeds. {played}"
        body = [
            tex_line(
                [
                    *(_short(row["environment"]), tex(row["method"]), *_budget(row["protocol"])),
                    *(str(row["seeds"]), _cell(row, bold, spread)),
                ]
            )
            for row in _records(same)
        ]
        lines += ["", *latex_float(text, f"ours{i or ''}", "llrrrrr", [tex_line(head)], body)]
    return "\n".join(lines) + "\n"


def _short(environment: str) -> str:
    """An environment without the name of its data set's kind, which tells none of the eight from another."""
    return tex(environment.removesuffix("-navigate").removesuffix("-play"))
