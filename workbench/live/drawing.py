"""What the live pictures share: the look of their axes, and PNG.

They are drawn in threads beside running cells, so without pyplot, `rc_context` and formulas, all of which share state
with whatever a cell draws at that moment. Styles are set artist by artist.
"""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def frame(axes: Axes, size: float = 6.5, *, grid_below: bool = False) -> None:
    """Ticks with labels of `size` points and a faint grid, below the data where asked; no edge above and at right."""
    axes.tick_params(labelsize=size, length=2.5, width=0.6)
    axes.grid(visible=True, alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if grid_below:
        axes.set_axisbelow(True)


def as_png(figure: Figure, dpi: int) -> bytes:
    """A figure on white as PNG."""
    with BytesIO() as buffer:
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
        return buffer.getvalue()
