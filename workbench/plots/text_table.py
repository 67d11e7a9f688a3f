"""Tables as text: Markdown and LaTeX (booktabs)."""

import re
from collections.abc import Sequence

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
} | {mark: f"\\{mark}" for mark in "&%$#_"}
"""What LaTeX reads otherwise than it is written."""

SYMBOLS = {
    "M_inf": r"$M_{\mathrm{inf}}$",
    "M_BTT": r"$M_{\mathrm{BTT}}$",
    "w_QL": r"$w_{\mathrm{QL}}$",
    "W2": "$W_2$",
}
"""The paper's symbols, by how they are written in plain text."""

_PIECE = re.compile("|".join([*(rf"\b{name}\b" for name in SYMBOLS), "."]), re.DOTALL)


def tex(text: str) -> str:
    """Plain text for LaTeX: its special characters escaped, the paper's symbols as mathematics."""
    return _PIECE.sub(lambda found: SYMBOLS.get(found[0], SPECIAL.get(found[0], found[0])), text)


def tex_line(cells: Sequence[str]) -> str:
    """One row of a tabular."""
    return " & ".join(cells) + r" \\"


def latex_float(caption: str, label: str, columns: str, top: Sequence[str], body: Sequence[str]) -> list[str]:
    """Lines of a `table*` within the text width of NeurIPS; symbols of the caption are math already."""
    words = caption.replace("%", r"\%").replace("±", r"$\pm$")
    return [
        *(r"\begin{table*}[t]", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"),
        *(rf"\caption{{{words}}}", rf"\label{{tab:{label}}}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"),
        *(*top, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", r"\end{table*}"),
    ]


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]], *, text: bool = False) -> list[str]:
    """Lines of a Markdown table, its columns after the first to the right, or with `text` to the left.

    A bar within a cell is escaped.
    """
    rule = ["---", *("---" if text else "---:" for _ in header[1:])]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (header, rule, *body)]
    return [f"| {' | '.join(line)} |" for line in lines]
