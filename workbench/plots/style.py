"""The look of every figure: NeurIPS width and fonts, one colour and dash pattern a series, files stable to the byte."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from zlib import crc32

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
SMALLEST = 6.5
"""Points: no text of a figure is smaller. `small` is 6.7 under `paper_style`."""

AGENTS: dict[str, tuple[str, Any, str]] = {
    "BC": ("#B5B5B5", (0, (1, 1)), "s"),
    "IQL": ("#777777", (0, (4, 1.5)), "D"),
    "ReBRAC": ("#1A1A1A", (0, (8, 1.5)), "d"),
    "IDQL": ("#F0A830", (0, (5, 1, 1, 1)), "^"),
    "SRPO": ("#B87A00", (0, (5, 1, 1, 1, 1, 1)), "v"),
    "CAC": ("#7A4B00", (0, (1, 3)), "<"),
    "FAWAC": ("#8CCBEF", (0, (2, 1)), "*"),
    "FBRAC": ("#4495CB", (0, (8, 1, 2, 1)), "p"),
    "IFQL": ("#1B62A5", (0, (3, 3)), "h"),
    "FQL": ("#0B2F66", (0, (6, 1, 3, 1)), ">"),
    "SORL": ("#E03048", "-", "o"),
}
"""Colour, dash pattern and marker of an agent, in every figure. No two share a dash or a marker.

The hue is the family of the policy and the shade the agent: Gaussian grey, diffusion amber, flow blue, shortcut red.
"""

FAMILIES = {
    "Gaussian": ("BC", "IQL", "ReBRAC"),
    "diffusion": ("IDQL", "SRPO", "CAC"),
    "flow": ("FAWAC", "FBRAC", "IFQL", "FQL"),
    "shortcut": ("SORL",),
}
"""Agents by the kind of their policy, in the order of tables and legends."""

# Paul Tol's remaining muted hues, for agents of a user's own.
OWN_COLOURS = ("#117733", "#AA4499", "#44AA99", "#999933")
OWN_DASHES: tuple[Any, ...] = ((0, (7, 3)), (0, (4, 1, 1, 3)), (0, (2, 2, 6, 2)))
OWN_MARKERS = ("P", "8", "X", "H")


def display_name(agent: str) -> str:
    """An agent's name as papers write it: `sorl` is SORL, `rebrac` ReBRAC; a user's own stays as it is."""
    return next((name for name in AGENTS if name.lower() == agent.lower()), agent)


def in_order(agents: Iterable[str]) -> list[str]:
    """Agents each once, by family as in `AGENTS`, then those of a user's own by name."""
    known = list(AGENTS)
    return sorted(dict.fromkeys(agents), key=lambda a: (known.index(n) if (n := display_name(a)) in AGENTS else 99, a))


def agent_style(agent: str) -> dict[str, Any]:
    """Keyword arguments that draw an agent's line, the same in every figure; names as in `display_name`.

    An agent that is not in `AGENTS` has a style that follows from its name alone and is none of theirs.
    """
    colour, dash, marker = AGENTS.get(display_name(agent)) or _own_style(agent)
    width, size = 1.6 if display_name(agent) == "SORL" else 1.1, 5.0 if marker == "*" else 3.6
    return {"color": colour, "linestyle": dash, "marker": marker, "markersize": size, "linewidth": width}


def published_style(agent: str) -> dict[str, Any]:
    """Keyword arguments that draw an agent's published value: its marker, hollow, and no line."""
    style = agent_style(agent) | {"linestyle": "none", "markerfacecolor": "white", "markeredgewidth": 0.9}
    return style | {"markeredgecolor": style["color"]}


def _own_style(agent: str) -> tuple[str, Any, str]:
    number = crc32(agent.encode())
    colour = OWN_COLOURS[number % len(OWN_COLOURS)]
    number //= len(OWN_COLOURS)
    return colour, OWN_DASHES[number % len(OWN_DASHES)], OWN_MARKERS[number // len(OWN_DASHES) % len(OWN_MARKERS)]


def series(i: int) -> dict[str, Any]:
    """Keyword arguments that draw the i-th line of a plot."""
    colour, dash, marker = SERIES[i % len(SERIES)]
    return {"color": colour, "linestyle": dash, "marker": marker, "markersize": 3.2, "linewidth": 1.2}


def count_series(counts: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By number of steps or candidates, what draws its line: 1, 2, 4, … look alike in every figure.

    Where a number is none of these, all are told apart by their order alone.
    """
    ordered = sorted({int(count) for count in counts})
    known = {2**i: i for i in range(len(SERIES))}
    return {count: series(known[count] if set(ordered) <= set(known) else i) for i, count in enumerate(ordered)}


def legend_above(axes: Axes, columns: int) -> None:
    """The legend in rows over the panel, where no line can run through it."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize="small", borderaxespad=0.2)


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
        "legend.handlelength": 2.2,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.1,
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
    engine = figure.get_layout_engine()
    with paper_style():
        _settle(figure)
    for kind, metadata in stamps.items():
        path = stem.with_suffix(f".{kind}")
        with paper_style(), atomic_write(path) as file:
            figure.savefig(file, format=kind, metadata=metadata)
        paths.append(path)
    figure.set_layout_engine(engine or "none")
    return paths


def _settle(figure: Figure) -> None:
    """Work the layout out once, and round it: its solver may differ in the last bit from one call to the next."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(float(side), 7) for side in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))


def counted(count: int, word: str) -> str:
    """A number and its noun: `1 seed`, `3 seeds`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
