"""Figures of the mixture study: what is drawn is what the tables say, and equal tables are equal files."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.container import Container, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from workbench.plots.bounds import TERMS, w2_bound
from workbench.plots.flows import PIECES, flow_paths
from workbench.plots.scaling import SYMBOLS
from workbench.plots.self_consistency import self_consistency
from workbench.plots.style import paper_style, save_figure

STEPS = (0, 250, 500, 1000, 2000, 4000, 8000)
SEEDS = (0, 1, 2)
M = (1, 2, 4, 8)
RUNS = [{"seed": seed, "step": step, "lr": 1e-3 if step < STEPS[-1] else 1e-4} for seed in SEEDS for step in STEPS]


def fade(run: dict[str, int]) -> float:
    """Falls over training, a little differently for each seed."""
    return (1 + 0.1 * run["seed"]) / (1 + run["step"] / 500)


@pytest.fixture
def bound() -> pd.DataFrame:
    rows = []
    for run in RUNS:
        for m in M:
            size = 0.1 + fade(run)
            terms = {"flow_matching_end": 0.5, "discretisation_end": 0.2, "self_consistency_end": 0.1 * np.log2(8 / m)}
            ends = {name: size * share for name, share in terms.items()}
            total = sum(ends.values())
            rest = {"w2": total / 2, "w2_floor": 0.08, "coupled": total / 2 - 0.01, "bound_measured": total}
            rows.append(run | {"m_inf": m, "draws": 2000, "bound_worst": 1e4 * total} | ends | rest)
    return pd.DataFrame(rows)


@pytest.fixture
def consistency() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    levels = [(h, t) for h in (1.0, 0.5, 0.25) for t in np.arange(0, 1, h)]
    grid = [run | {"two_h": h, "t": t, "error": 0.02 + fade(run) * (0.1 + h * t)} for run in RUNS for h, t in levels]
    times = np.arange(8) / 8
    flow = [run | {"t": t, "error": 1.5, "error_exact": 0.2 + fade(run) * (1 + t)} for run in RUNS for t in times]
    sampler = [run | {"m_inf": m, "straightness": 0.1 * m, "gap": fade(run) * (8 - m) / 8} for run in RUNS for m in M]
    return pd.DataFrame(grid), pd.DataFrame(flow), pd.DataFrame(sampler)


@pytest.fixture
def flows() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    samples, paths = [], []
    for m in (0, *M):
        angle = np.pi / 4 * rng.integers(8, size=300)
        a = 0.7 * np.stack([np.cos(angle), np.sin(angle)], axis=-1) + 0.06 * rng.normal(size=(300, 2))
        samples += [{"seed": 0, "step": 8000, "m_inf": m, "a_1": x, "a_2": y} for x, y in a]
        for i in range(12):
            noise = rng.normal(size=2)
            points = [(t, noise + t**2 * (a[i] - noise)) for t in np.linspace(0, 1, (m or 32) + 1)]
            where = {"seed": 0, "step": 8000, "m_inf": m, "path": i}
            paths += [where | {"t": t, "a_1": point[0], "a_2": point[1]} for t, point in points]
    return pd.DataFrame(samples), pd.DataFrame(paths)


@pytest.fixture(params=["bound", "consistency", "flows"])
def draw(request: pytest.FixtureRequest) -> Callable[[], Figure]:
    tables = request.getfixturevalue(request.param)
    match request.param:
        case "bound":
            return lambda: w2_bound(tables)
        case "consistency":
            return lambda: self_consistency(*tables)
        case _:
            return lambda: flow_paths(*tables)


def test_equal_tables_are_equal_files(tmp_path, draw):
    first, second = (save_figure(draw(), tmp_path / name) for name in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_nothing_leaves_the_page(draw):
    figure = draw()
    with paper_style():
        FigureCanvasAgg(figure).draw()
    page = figure.bbox
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1


def float_y(bars: Container) -> np.ndarray:
    assert isinstance(bars, ErrorbarContainer)
    return np.asarray(bars.lines[0].get_ydata(), float)


def test_bars_stack_the_terms_of_the_last_update_up_to_the_measured_bound(bound):
    axes = w2_bound(bound).axes[0]
    last = bound.loc[bound["step"] == STEPS[-1]].groupby("m_inf").mean()
    tops = [
        max(bar.get_y() + bar.get_height() for bar in bars) for bars in zip(*axes.containers[: len(TERMS)], strict=True)
    ]
    np.testing.assert_allclose(tops, last["bound_measured"])
    drawn = {bar.get_label(): bar for bar in axes.containers[len(TERMS) :]}
    np.testing.assert_allclose(float_y(drawn["$W_2$"]), last["w2"])
    np.testing.assert_allclose(float_y(drawn["same-noise distance"]), last["coupled"])


def test_the_bound_names_its_weight_of_q_and_its_draws(bound):
    title = w2_bound(bound).get_suptitle()
    assert f"{SYMBOLS['w_ql']} = 0" in title
    assert "two samples of 2,000 of the data" in title
    assert "3 seeds" in title


def test_a_change_of_the_learning_rate_is_marked(bound):
    figure = w2_bound(bound)
    for axes in figure.axes[1:3]:
        assert "lr / 10" in [text.get_text() for text in axes.texts]
    steady = w2_bound(bound.assign(lr=1e-3))
    assert not any(text.get_text().startswith("lr") for axes in steady.axes for text in axes.texts)


def test_tiles_cover_the_time_of_their_step_and_say_their_error(consistency):
    grid, flow, _ = consistency
    axes = self_consistency(*consistency).axes[0]
    last = grid.loc[grid["step"] == STEPS[-1]]
    covered = sorted((tile.get_x(), tile.get_width()) for tile in axes.patches if isinstance(tile, Rectangle))
    finest = {(t, 1 / 8) for t in flow["t"]}
    assert covered == sorted({*zip(last["t"], last["two_h"], strict=True), *finest})
    whole = last[last["two_h"] == 1]["error"].mean()
    assert f"{whole:.2f}" in [text.get_text() for text in axes.texts]


def test_a_path_goes_through_its_points(flows):
    _, paths = flows
    figure = flow_paths(*flows)
    for axes, m in zip(figure.axes, (*M, 0), strict=False):
        (lines,) = (each for each in axes.collections if isinstance(each, LineCollection))
        corners = np.concatenate([np.asarray(segment) for segment in lines.get_segments()])
        own = paths.loc[paths["m_inf"] == m]
        points = own.loc[own["t"] * PIECES % 1 == 0, ["a_1", "a_2"]].to_numpy()
        distance = np.linalg.norm(points[:, None] - corners[None], axis=-1).min(axis=1)
        np.testing.assert_allclose(distance, 0, atol=1e-9)


def test_densities_are_of_their_samples_and_integrate_to_one(flows):
    figure = flow_paths(*flows)
    for axes in figure.axes[5:10]:
        density = np.asarray(axes.images[0].get_array())
        assert density.sum() * (2 / (len(density) - 1)) ** 2 == pytest.approx(1, abs=0.02)
