"""The look of every figure: NeurIPS width and fonts, one colour and dash pattern a series, files stable to the byte."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tueplots import bundles

from workbench.paths import atomic_write

Params = ParamSpec("Params")

# Okabe and Ito's colours, which stay apart for colour-blind readers; dashes keep them apart in print.
SERIES = [
    ("#0072B2", "-", "o"),
    ("#D55E00", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#CC79A7", ":", "D"),
    ("#E69F00", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#56B4E9", (0, (3, 1)), "P"),
    ("#000000", (0, (1, 1)), "X"),
]
"""Colour, dash pattern and marker of the i-th series."""

GREY = "#666666"


def series(i: int) -> dict[str, Any]:
    """Keyword arguments that draw the i-th line of a plot."""
    colour, dash, marker = SERIES[i % len(SERIES)]
    return {"color": colour, "linestyle": dash, "marker": marker, "markersize": 3.2, "linewidth": 1.2}


def legend_above(axes: Axes, columns: int) -> None:
    """The legend in rows over the panel, where no line can run through it."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize="x-small", borderaxespad=0.2)


@contextmanager
def paper_style(height: float = 2.2) -> Iterator[None]:
    """Matplotlib settings of a NeurIPS figure of full width, `height` inches high; fonts embedded, ids fixed."""
    sizes = bundles.neurips2024(usetex=False)
    settings: Any = sizes | {
        "figure.figsize": (sizes["figure.figsize"][0], height),
        "font.family": "serif",
        "font.serif": ["STIXGeneral"],
        "mathtext.fontset": "stix",
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "workbench",
        "font.size": 8,
        "axes.labelsize": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.5,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "savefig.dpi": 200,
    }
    with matplotlib.rc_context(settings):
        yield


def styled(height: float = 2.2) -> Callable[[Callable[Params, Figure]], Callable[Params, Figure]]:
    """Draw a figure function under `paper_style`."""

    def decorate(draw: Callable[Params, Figure]) -> Callable[Params, Figure]:
        @wraps(draw)
        def wrapper(*args: Params.args, **kwargs: Params.kwargs) -> Figure:
            with paper_style(height):
                return draw(*args, **kwargs)

        return wrapper

    return decorate


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem` as .pdf, .svg and .png, each whole or not at all; equal figures are equal files."""
    stamps = {"pdf": {"CreationDate": None, "ModDate": None}, "svg": {"Date": None}, "png": {}}
    paths = []
    for kind, metadata in stamps.items():
        path = stem.with_suffix(f".{kind}")
        with paper_style(), atomic_write(path) as file:
            figure.savefig(file, format=kind, metadata=metadata)
        paths.append(path)
    return paths
