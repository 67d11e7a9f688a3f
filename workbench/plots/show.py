"""A figure in a notebook, as it will be on paper."""

import io

from matplotlib.figure import Figure

from workbench.plots.style import paper_style

PIXELS = 128
"""Width on the page of an inch of the figure; the picture itself has twice as many, for fine screens."""


def show(figure: Figure) -> None:
    """Display a figure under a notebook cell.

    Without pyplot, whose state is shared with every callback of a widget, and under `paper_style`: fonts are looked up
    when a figure is drawn, so one that a notebook draws by itself has other fonts than its file.
    """
    from IPython.display import Image, display

    buffer = io.BytesIO()
    with paper_style():
        figure.savefig(buffer, format="png", dpi=2 * PIXELS)
    display(Image(buffer.getvalue(), width=round(PIXELS * figure.get_figwidth())))
