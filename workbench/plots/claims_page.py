"""The page of claims, as Markdown and as LaTeX: what the paper's summary says, what was found here, and the verdict."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.claims import Evidence, Row, Verdict, rows
from workbench.claims.verdicts import MARGIN
from workbench.plots.text_table import latex_float, markdown_table, tex, tex_line

HEADER = ("", "claim", "published", "ours", "difference and its interval", "n", "scale", "verdict", "figure", "command")
NOTHING = "–"
UNITS = {"points": (100.0, 1, " points"), "times": (1.0, 3, " times"), "distance": (1.0, 4, "")}
"""By the unit of a claim: factor, decimals and what stands behind a difference."""
WIDTHS = (0.02, 0.19, 0.14, 0.21, 0.14, 0.09)
"""Columns of the LaTeX table, as shares of the text width, before that of the verdict."""
NOTES = """
Published: means over an environment's five tasks ± 1 standard deviation over {seeds} seeds ({sources}). Where the
summary gives no number it gives a direction only. Ours are other trainings, as the column scale says.

Verdict: a claim holds when the interval of its difference lies wholly above its threshold, is reversed when it lies
wholly below, and is not decided otherwise. The threshold is 0. Where a claim says that something is recovered or at
least as good it is a tenth of the other side's success below 0, and at most {margin} points, and stands beside the
interval. Not tested here: the tables lack the rows.

Best of a table: the difference is the lead over the best rival. The claim holds only when every rival of the published
table was run and is led; those that were not run are named, and without them it may be reversed but does not hold. The
upper end of the interval allows for the number of rivals (Bonferroni).

Score: the mean of a run's last three evaluated checkpoints, each agent at the budget of its protocol, SORL with N = 1,
M_inf = 8 and the largest M_BTT that it was trained with. Budgets of one agent are compared at the same seeds and
checkpoints.

Intervals of success: 95 %, Newcombe's for the difference of two rates, widened to the paired bootstrap's over training
seeds. With one training seed it covers episodes alone. Two or three seeds are no sample of trainings: the interval
reaches to each of them, and the verdict is of these trainings.

Starts: episodes of a run begin at the same starts at every budget and checkpoint, but the table has their counts alone,
so they are taken for independent. Between two budgets that makes the interval wider than a paired one would be; within
a mean over checkpoints it makes it narrower.

Multiplicity: {tested} of {claims} claims were tested, each at 95 % on its own. Of {tested} tests of differences that
are not there, {expected} would seem decided in the mean.

Figures: a linked one asks the same question, of the runs that it names. For the claims about success these are smaller
than the runs of this table.
"""
"""The notes below the table, a paragraph each."""


def claims_text(
    published: pd.DataFrame, self_consistency_cost: pd.DataFrame, mixture_bound: pd.DataFrame, two_cores: pd.DataFrame
) -> dict[str, str]:
    """The page by file suffix, `md` and `tex`, from the tables of `Evidence`. Raises `ScoresError` as `claims.rows`."""
    found = rows(Evidence(published, two_cores, self_consistency_cost, mixture_bound))
    notes = _notes(found, published)
    return {"md": _markdown(found, notes), "tex": _latex(found, notes)}


def _markdown(found: Sequence[Row], notes: Sequence[str]) -> str:
    body = []
    for i, row in enumerate(found, 1):
        claim = row.claim
        figure = f"[{claim.figure}]({claim.figure}.png)"
        body.append([str(i), claim.text, row.published, *_cells(row), figure, f"`{_command(row)}`"])
    lines = ["# Claims of the SORL paper's summary, and what was found here", "", _summary(found), ""]
    lines += markdown_table(HEADER, body, text=True)
    lines += ["", "## How to read it", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    """Ours, the difference, n, scale and the verdict of a row."""
    if row.finding is None:
        return [*[NOTHING] * 4, row.verdict.value]
    finding = row.finding
    lacking = f" ({finding.lacking})" if finding.lacking else ""
    return [finding.ours, _difference(row), finding.n, finding.scale, f"**{row.verdict.value}**{lacking}"]


def _difference(row: Row) -> str:
    assert row.finding is not None
    found, (factor, digits, unit) = row.finding.difference, UNITS[row.claim.unit]
    value, low, high, threshold = (
        f"{round(factor * each, digits) + 0.0:+.{digits}f}".replace("-", "−")
        for each in (found.value, found.low, found.high, row.threshold)
    )
    ends = "no interval" if np.isnan(found.low) else f"[{low}, {high}]"
    asked = f"; threshold {threshold}" if row.claim.at_least else ""
    return f"{value}{unit} {ends}{asked}; {found.kind}"


def _command(row: Row) -> str:
    return f"workbench study {row.claim.study}"


def _summary(found: Sequence[Row]) -> str:
    counts = {verdict: sum(row.verdict is verdict for row in found) for verdict in Verdict}
    parts = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    return f"{len(found)} claims: {', '.join(parts)}. Written by `workbench figures claims` from the tables it names."


def _notes(found: Sequence[Row], published: pd.DataFrame) -> list[str]:
    """What stands under the table, in plain text."""
    tested = sum(row.finding is not None for row in found)
    facts = {
        "seeds": " or ".join(str(number) for number in sorted(set(published["seeds"]))),
        "sources": "; ".join(map(str, published["source"].unique())),
        "margin": f"{100 * MARGIN:g}",
        "tested": tested,
        "claims": len(found),
        "expected": f"{0.05 * tested:.2g}",
    }
    return [" ".join(note.split()) for note in NOTES.format(**facts).strip().split("\n\n")]


def _latex(found: Sequence[Row], notes: Sequence[str]) -> str:
    """A float of full width with two lines a claim, numbers and where they are from, and the notes below it."""
    body = []
    for i, row in enumerate(found, 1):
        ours, difference, n, scale, verdict = _cells(row)
        cells = [str(i), row.claim.text, row.published, ours, difference, n, verdict.replace("**", "")]
        body += [tex_line([tex(cell) for cell in cells])]
        origin = [scale, f"figure {row.claim.figure}", f"command: {_command(row)}"]
        words = tex("; ".join(part for part in origin if part != NOTHING))
        body += [rf"& \multicolumn{{6}}{{p{{0.9\linewidth}}}}{{\scriptsize {words}}} \\[3pt]"]
    columns = "".join(rf"p{{{width}\linewidth}}" for width in WIDTHS) + r"p{0.08\linewidth}"
    head = [tex(name[:1].upper() + name[1:] if len(name) > 1 else name) for name in (*HEADER[:6], "verdict")]
    caption = "Claims of the SORL paper's summary, and what was found here. Below each: scale, figure, command."
    lines = ["% needs \\usepackage{booktabs}", *latex_float(caption, "claims", columns, [tex_line(head)], body)]
    items = [rf"\item {tex(note)}" for note in notes]
    return "\n".join([*lines, "", r"\begin{itemize}", *items, r"\end{itemize}"]) + "\n"
