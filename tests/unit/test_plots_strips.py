"""The figure of rollout strips: every frame in its place, cursors under frames, and what was left out is said."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from workbench.plots.scaling import subject
from workbench.plots.strips import rollout_strips
from workbench.plots.style import save_figure
from workbench.stats import ScoresError

MOMENTS, HEIGHT, WIDTH = 4, 6, 8
CELLS = pd.DataFrame(
    [
        {"hash": hash, "task": "some-task", "agent": "sorl", "preset": preset, "data": "own", "w_ql": 2.0, "step": 3000}
        for hash, preset in (("xyz", "paper"), ("abc", "small"))
    ]
)


def table(differing: int = 2) -> pd.DataFrame:
    """Two budgets, of 30 and 12 steps."""
    rows = []
    for m_inf, n, length, success in ((1, 1, 30, False), (4, 4, 12, True)):
        moments = np.linspace(0, length, MOMENTS).round().astype(int).tolist()
        for step in range(length + 1):
            q = -50 + step if step < length else np.nan
            moment = moments.index(step) + 1 if step in moments else 0
            rows.append((m_inf, n, step, q, q - n, q, moment, success, length))
    columns = ["m_inf", "n", "step", "q_chosen", "q_low", "q_high", "moment", "success", "length"]
    fixed = {"hash": "abc", "task": "some-task", "seed": 0, "episode": 3, "starts": 10, "differing": differing}
    return pd.DataFrame(rows, columns=columns).assign(**fixed)


def picture() -> np.ndarray:
    """Frames of one grey each."""
    greys = np.arange(2 * MOMENTS, dtype=np.uint8).reshape(2, MOMENTS) * 20
    return np.repeat(np.repeat(greys, HEIGHT, axis=0), WIDTH, axis=1)[..., None].repeat(3, axis=2)


@pytest.fixture(scope="module")
def figure() -> Figure:
    """The figure of the table."""
    return rollout_strips(table(), picture(), CELLS)


def test_frames_stand_in_order_with_their_steps(figure):
    frames = [axes for axes in figure.axes if axes.images]
    greys = [float(np.asarray(axes.images[0].get_array()).mean()) for axes in frames]
    assert greys == [20.0 * i for i in range(2 * MOMENTS)]
    assert all(np.asarray(axes.images[0].get_array()).shape == (HEIGHT, WIDTH, 3) for axes in frames)
    titles = [axes.get_title() for axes in frames]
    assert titles[:4] == ["step 0", "step 10", "step 20", "step 30: no success"]
    assert titles[4:] == ["step 0", "step 4", "step 8", "step 12: success"]


def test_cursors_stand_under_their_frames(figure):
    figure.draw_without_rendering()
    frames, traces = ([axes for axes in figure.axes if bool(axes.images) == kind] for kind in (True, False))
    for row, axes in enumerate(traces):
        cursors = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
        assert len(cursors) == MOMENTS
        for cursor, frame in zip(cursors, frames[row * MOMENTS :], strict=False):
            x = axes.transData.transform((cursor.get_xdata()[0], 0))[0]
            box = frame.get_window_extent()
            assert abs(x - (box.x0 + box.x1) / 2) < 0.02 * box.width
    assert traces[0].get_ylim() == traces[1].get_ylim()


@pytest.mark.parametrize(("differing", "says"), [(2, "2 of 10 are so"), (0, "at none does")])
def test_the_figure_says_how_its_start_was_chosen(differing, says):
    texts = [text.get_text() for text in rollout_strips(table(differing), picture(), CELLS).texts]
    assert any(says in text and "Start 4 of 10" in text for text in texts)


def test_the_title_says_what_was_trained(figure):
    title = figure.texts[-2].get_text()
    assert title == f"{subject(CELLS.iloc[1:])}; seed 0"
    assert "SORL (small, " in title
    with pytest.raises(ScoresError, match="run abc is not among the evaluated runs"):
        rollout_strips(table(), picture(), CELLS.iloc[:1])


def test_equal_figures_are_equal_files(tmp_path):
    first = [path.read_bytes() for path in save_figure(rollout_strips(table(), picture(), CELLS), tmp_path / "a")]
    again = [path.read_bytes() for path in save_figure(rollout_strips(table(), picture(), CELLS), tmp_path / "b")]
    assert first == again
