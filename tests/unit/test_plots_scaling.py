"""Figures of scaling, compute, sensitivity and run time: the numbers that reach the page, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text

from workbench.agents.sorl import SORL
from workbench.cost import decision_cost
from workbench.plots.budgets import compute_grid, parallel_scaling, sequential_scaling
from workbench.plots.compute import success_against_cost, training_inference
from workbench.plots.runtime import run_time
from workbench.plots.scaling import SYMBOLS, interval_note, subject, with_cost
from workbench.plots.sensitivity import weight_sensitivity
from workbench.plots.style import paper_style, save_figure
from workbench.stats import ScoresError, wilson
from workbench.stats.budgets import pooled
from workbench.stats.pareto import pareto_front
from workbench.studies.runtime import runtime

M_INF, N = (1, 2, 4), (1, 2, 8, 16)
AGENT = SORL(width=256, depth=2)
RUN = {
    "task": "cube-single-play-singletask-task2-v0",
    "agent": "sorl",
    "preset": "small",
    "data": "regenerated",
    "m_disc": 8,
    "m_btt": 2,
    "w_ql": 1.0,
    "w_fm": 10.0,
    "w_sc": 10.0,
    "step": 20_000,
    "verifier": "mean",
    "success_timing": "post",
    "episodes": 50,
}


def runs(seeds: tuple[int, ...] = (0, 1), budgets=None, **changed: object) -> pd.DataFrame:
    """Cells with success rates that rise with M_inf and N and differ between seeds."""
    budgets = budgets or [(m, n) for m in M_INF for n in N]
    rows = [
        RUN | changed | {"hash": f"run{seed}{changed}", "seed": seed, "m_inf": m, "n": n, "successes": 3 * m + n + seed}
        for seed in seeds
        for m, n in budgets
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def cells() -> pd.DataFrame:
    return runs()


@pytest.fixture
def cost() -> pd.DataFrame:
    rows = [
        {"preset": preset, "machine": "here", "m_inf": m, "n": n}
        | {"gflop": decision_cost(AGENT, 28, 5, m_inf=m, n=n).gflop}
        | {"act_ms": 0.3 + 0.1 * m + 0.01 * n, "act_ms_low": 0.3, "act_ms_high": 1.0 + m}
        for preset in ("small", "paper")
        for m in (*M_INF, 8)
        for n in N
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def updates() -> pd.DataFrame:
    rows = [
        {
            "preset": preset,
            "machine": "here",
            "m_btt": m,
            "batch": 256,
            "ms": ms,
            "ms_low": 0.9 * ms,
            "ms_high": 1.2 * ms,
        }
        | {"gflop": 1.25 * m, "gflop_per_s": 50.0, "matmul_gflop_per_s": 100.0, "share": 0.1 * m}
        for preset, ms in (("small", 8.0), ("paper", 100.0))
        for m in (1, 2, 4)
    ]
    return pd.DataFrame(rows)


def vary_btt() -> pd.DataFrame:
    """Runs with three M_BTT, each over M_inf with one and with four candidates."""
    budgets = [(m, n) for m in M_INF for n in (1, 4)]
    return pd.concat([runs(budgets=budgets, m_btt=m_btt) for m_btt in (1, 2, 4)])


def vary_weights() -> pd.DataFrame:
    """Runs at the centre, and with each weight times a tenth and ten."""
    budgets, tables = [(1, 1), (4, 4)], [runs(budgets=[(1, 1), (4, 4)])]
    for name in ("w_ql", "w_fm", "w_sc"):
        tables += [runs(budgets=budgets, **{name: factor * RUN[name]}) for factor in (0.1, 10.0)]
    return pd.concat(tables, ignore_index=True)


def drawn(figure: Figure, panel: int, line: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and heights of one line of error bars."""
    bars = figure.axes[panel].containers[line]
    assert isinstance(bars, ErrorbarContainer)
    data = bars.lines[0]
    return np.asarray(data.get_xdata(), float), np.asarray(data.get_ydata(), float)


def test_pooled_rates_are_of_all_episodes(cells):
    table = pooled(cells).set_index(["m_inf", "n"])
    row = table.loc[(4, 8)]
    assert row["success"] == pytest.approx((20 + 21) / 100)
    assert (row["low"], row["high"]) == wilson(41, 100)
    assert (row["episodes"], row["seeds"]) == (100, 2)
    assert (row["seed_low"], row["seed_high"]) == (20 / 50, 21 / 50)
    assert len(table) == len(M_INF) * len(N)


@pytest.mark.parametrize("name", ["task", "preset", "data", "m_btt", "step", "verifier", "success_timing"])
def test_what_was_made_otherwise_is_not_pooled(cells, name):
    cells[name] = cells[name].where(cells["seed"] == 0, "other" if isinstance(RUN[name], str) else 7)
    with pytest.raises(ScoresError, match=name):
        pooled(cells)


def test_two_runs_of_one_seed_are_not_pooled(cells):
    with pytest.raises(ScoresError, match="two runs of one seed"):
        pooled(pd.concat([cells, cells[cells["seed"] == 1]]))


def test_words_of_a_title(cells):
    where = "on regenerated cube-single-play, task 2, after 20,000 updates"
    assert subject(cells) == f"SORL (small, {SYMBOLS['w_ql']} = 1) {where}"
    assert subject(vary_weights()) == f"SORL (small) {where}"
    assert interval_note(pooled(cells)).endswith(
        "100 episodes, episode noise only; the 2 training seeds differ (rings)."
    )
    assert interval_note(pooled(runs((0,)))).endswith("50 episodes, episode noise only (one seed).")
    uneven = pooled(pd.concat([cells, runs((2,), budgets=[(1, 1)])]))
    assert "100 to 150 episodes, episode noise only; the 2 to 3 training seeds" in interval_note(uneven)
    apart = cells.assign(successes=40 * cells["seed"])
    assert "differ by more (rings)" in interval_note(pooled(apart))


@pytest.mark.parametrize(
    ("draw", "x", "line", "values"), [(sequential_scaling, "m_inf", "n", N), (parallel_scaling, "n", "m_inf", M_INF)]
)
def test_a_panel_is_one_line_with_its_seeds(cells, draw, x, line, values):
    figure = draw(cells)
    assert len(figure.axes) == len(values)
    for panel, value in enumerate(values):
        rows = pooled(cells).query(f"{line} == {value}")
        at, height = drawn(figure, panel, 0)
        np.testing.assert_allclose(at, rows[x])
        np.testing.assert_allclose(height, 100 * rows["success"])
        rings = figure.axes[panel].lines[-1].get_ydata()
        single = cells[cells[line] == value]
        np.testing.assert_allclose(np.asarray(rings, float), 100 * single["successes"] / 50)
    assert "Wilson" in figure.get_suptitle()


def test_grid_writes_each_cell_with_its_interval(cells, cost):
    figure = compute_grid(cells, cost)
    written = [text.get_text() for text in figure.axes[0].texts]
    for row in pooled(cells).to_dict("records"):
        assert f"{100 * row['success']:.0f}" in written
        interval = f"[{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
        assert f"{interval}\n{100 * row['seed_low']:.0f} to {100 * row['seed_high']:.0f}" in written


def test_lines_of_the_grid_are_of_equal_cost(cells, cost):
    """Wherever such a line crosses the middle of a row, M_inf and N there cost the power of two it is labelled with."""
    axes = compute_grid(cells, cost).axes[0]
    labels = [text for text in axes.texts if text.get_text().endswith(" MFLOP")]
    assert len(axes.lines) == len(labels) >= 3
    for line, label in zip(axes.lines, labels, strict=True):
        u, v = (np.asarray(each, float) for each in line.get_data())
        across, up = label.get_position()
        assert up % 1 == 0.5, "between two rows of cells"
        assert across == pytest.approx(np.interp(up, v, u))
        for place, m_inf in enumerate(M_INF):
            n = 2 ** np.interp(np.interp(place, v, u), range(len(N)), np.log2(N), left=np.nan, right=np.nan)
            if 1 < n < 16:
                one = decision_cost(AGENT, 28, 5, m_inf=m_inf, n=1).gflop * 1e3
                assert n * one == pytest.approx(float(label.get_text().split()[0]), rel=0.02)


def test_front_of_the_figure_is_the_pareto_front(cells, cost):
    figure = success_against_cost(cells, cost)
    table = with_cost(cells, pooled(cells), cost)
    for axes, name in zip(figure.axes, ("act_ms", "gflop"), strict=True):
        front = table.loc[pareto_front(table[name].to_numpy(), table["success"].to_numpy())]
        expected = {f"({m}, {n})" for m, n in front[["m_inf", "n"]].to_numpy()}
        assert {text.get_text() for text in axes.texts} == expected


def test_labels_of_the_front_do_not_overlap(cells, cost):
    figure = success_against_cost(cells, cost)
    with paper_style():
        figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(text) for text in axes.texts]
        assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]
        assert all(axes.bbox.contains(box.x0, box.y0) for box in boxes)


def test_a_budget_without_cost_is_refused(cells, cost):
    with pytest.raises(ScoresError, match="3 of 12 budgets of preset small"):
        success_against_cost(cells, cost[cost["n"] != 8])
    with pytest.raises(ScoresError, match="of preset small"):
        compute_grid(cells, cost[cost["preset"] == "paper"])


def test_training_compute_has_a_line_and_its_work(updates):
    cells = vary_btt()
    figure = training_inference(cells, updates)
    assert [axes.get_title() for axes in figure.axes] == ["one sample, $N = 1$", "best of $N = 4$"]
    for panel, n in enumerate((1, 4)):
        for line, m_btt in enumerate((1, 2, 4)):
            rows = pooled(cells, ("m_btt", "m_inf", "n")).query(f"n == {n} and m_btt == {m_btt}")
            np.testing.assert_allclose(drawn(figure, panel, line)[1], 100 * rows["success"])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label.split("\n")[1] for label in labels] == [f"{1.25 * m:.3g} GFLOP an update" for m in (1, 2, 4)]


def test_every_weight_is_varied_alone_about_one_centre():
    cells = vary_weights()
    figure = weight_sensitivity(cells)
    for axes, symbol in zip(figure.axes, ("QL}}$ = 1", "FM}}$ = 10", "SC}}$ = 10"), strict=True):
        assert axes.get_xlabel().endswith(symbol)
    for panel in range(3):
        for line, success in enumerate((4.5 / 50, 16.5 / 50)):
            at, height = drawn(figure, panel, line)
            np.testing.assert_allclose(at[1:] / at[:-1], 10)
            np.testing.assert_allclose(height, 100 * success)


def test_a_diverged_run_has_its_tick_and_its_cross():
    cells = vary_weights().query("w_fm != 1.0")
    lost = pd.DataFrame([{"hash": "x", "w_ql": 1.0, "w_fm": 1.0, "w_sc": 10.0, "seed": 0, "step": 12_000}])
    axes = weight_sensitivity(cells, lost).axes[1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "1", "10"]
    assert [text.get_text() for text in axes.texts] == ["diverged\nafter 12k"]


def test_weights_without_a_centre_are_refused():
    cells = vary_weights()
    cells = cells.query("w_ql != 1.0 or w_fm != 10.0 or w_sc != 10.0")
    with pytest.raises(ScoresError, match="no run has the loss weights"):
        weight_sensitivity(cells)


def test_run_times_reach_the_page(updates, cost):
    figure = run_time(updates, cost)
    np.testing.assert_allclose(drawn(figure, 0, 1)[1], 100.0)
    np.testing.assert_allclose(np.asarray(figure.axes[1].lines[0].get_ydata(), float), [10, 20, 40])
    slowest = cost[(cost["preset"] == "small") & (cost["n"] == 16)]
    assert any(np.allclose(drawn(figure, 2, i)[1], slowest["act_ms"]) for i in range(4))
    assert "on here" in figure.get_suptitle()


def test_run_times_of_the_study_are_drawn():
    tables = runtime(smoke=True)
    cost, updates = tables["cost"], tables["updates"]
    for table, name in ((cost, "act_ms"), (updates, "ms")):
        assert np.all(np.diff(table[[f"{name}_low", name, f"{name}_high"]].to_numpy(), axis=1) >= 0)
    assert set(cost["preset"]) == set(updates["preset"]) == {"small", "paper"}
    np.testing.assert_allclose(updates["share"], updates["gflop_per_s"] / updates["matmul_gflop_per_s"])
    assert not cost.duplicated(["preset", "m_inf", "n"]).any()
    assert len(run_time(updates, cost).axes) == 3


@pytest.mark.parametrize("name", ["sequential", "parallel", "grid", "front", "training", "weights", "times"])
def test_equal_figures_are_equal_files(tmp_path, cells, cost, updates, name):
    def draw() -> Figure:
        match name:
            case "sequential":
                return sequential_scaling(cells)
            case "parallel":
                return parallel_scaling(cells)
            case "grid":
                return compute_grid(cells, cost)
            case "front":
                return success_against_cost(cells, cost)
            case "training":
                return training_inference(vary_btt())
            case "weights":
                return weight_sensitivity(vary_weights())
        return run_time(updates, cost)

    one, other = (save_figure(draw(), tmp_path / each) for each in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
