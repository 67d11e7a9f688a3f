"""Figures: files stable byte for byte, numbers that reach the page, and no drawing state left behind."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from workbench.plots.learning import even_reports, learning_curve
from workbench.plots.scaling import scaling
from workbench.plots.style import save_figure
from workbench.stats import ScoresError
from workbench.stats.budgets import success_table


@pytest.fixture
def evals() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "m_inf": m,
                "n": n,
                "success": bool(rng.uniform() < 0.5),
                "return": -9.0,
                "length": 10,
                "act_ms": 1.0 * m * n,
            }
            for m in (1, 2, 8)
            for n in (1, 4)
            for _ in range(20)
        ]
    )


@pytest.fixture
def metrics() -> pd.DataFrame:
    names = ["loss_fm", "loss_sc", "loss_critic", "val_fm", "val_sc", "val_critic", "q_mean", "q_min", "q_max"]
    names += ["grad_norm_actor", "grad_norm_critic"]
    return pd.DataFrame(
        [
            {"step": step, "seed": seed} | dict.fromkeys(names, 1.0 + seed + step)
            for step in (10, 20, 30)
            for seed in (0, 1)
        ]
    )


@pytest.mark.parametrize(("column", "values"), [("verifier", ("mean", "min")), ("success_timing", ("post", "pre"))])
def test_what_was_judged_in_two_ways_is_not_one_rate(evals, column, values):
    both = pd.concat([evals.assign(**{column: value}) for value in values])
    with pytest.raises(ScoresError, match=f"the cells mix values of {column}, which are not pooled"):
        success_table(both)


def test_a_second_verifier_has_a_panel_of_its_own_and_shares_the_single_candidates(evals):
    both = pd.concat([evals.assign(verifier="mean"), evals.loc[evals["n"] > 1].assign(verifier="elite:0.5")])
    axes = scaling(success_table(both, ("m_inf", "n", "verifier"))).axes
    assert [each.get_xlabel().split("\n")[-1] for each in axes[1:3]] == ["the best one", "mean of the better half"]
    for panel in axes[1:3]:
        assert [len(np.asarray(bars[0].get_xdata())) for bars in panel.containers] == [2, 2, 2]


def test_the_table_counts_every_episode(evals):
    table = success_table(evals)
    assert len(table) == 6
    assert set(table["episodes"]) == {20}
    one = evals.query("m_inf == 8 and n == 4")
    row = table.query("m_inf == 8 and n == 4").iloc[0]
    assert row["success"] == one["success"].mean()
    assert row["low"] < row["success"] < row["high"]
    assert row["act_ms"] == 32.0


@pytest.mark.parametrize("kind", ["scaling", "learning"])
def test_equal_figures_are_equal_files(tmp_path, evals, metrics, kind):
    def draw():
        return scaling(success_table(evals), "title") if kind == "scaling" else learning_curve(metrics, "title")

    before = dict(matplotlib.rcParams)
    first, second = (save_figure(draw(), tmp_path / name) for name in ("a", "b"))
    assert [path.suffix for path in first] == [".pdf", ".svg", ".png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_the_last_bit_of_a_layout_is_not_drawn(tmp_path):
    files = []
    for i, left in enumerate((0.1, 0.1 + 3e-17, 0.1 + 1e-12)):
        figure = Figure(layout=PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False))
        figure.add_axes((left, 0.1, 0.8, 0.8)).plot([0, 1])
        engine = figure.get_layout_engine()
        files.append([path.read_bytes() for path in save_figure(figure, tmp_path / str(i))])
        assert figure.get_layout_engine() is engine
    assert files[0] == files[1] == files[2]


def test_the_grid_shows_the_success_of_each_cell(evals):
    table = success_table(evals)
    grid = scaling(table).axes[2]
    shown = sorted(int(text.get_text()) for text in grid.texts)
    assert shown == sorted(round(100 * value) for value in table["success"])


def test_the_grids_have_candidates_along_x(evals):
    table = success_table(evals)
    axes = scaling(table).axes[2]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "8"]
    shown = np.asarray(axes.images[0].get_array(), float)
    assert shown[2, 1] == pytest.approx(100 * table.query("m_inf == 8 and n == 4")["success"].iloc[0])


def test_a_short_report_is_averaged_into_the_one_before(metrics):
    short = metrics.query("step == 30").assign(step=22, q_mean=100.0)
    merged = even_reports(pd.concat([metrics, short]).query("step < 30"))
    assert merged["step"].tolist() == [10, 22, 10, 22]
    np.testing.assert_allclose(merged.query("seed == 0")["q_mean"], [11.0, (10 * 21.0 + 2 * 100.0) / 12])


def test_losses_of_any_agent_are_drawn_and_the_norm_it_clips_at():
    rows = [{"step": step, "seed": 0, "loss_actor": 2.0, "grad_norm_actor": 1.0} for step in (1, 2)]
    losses, norms = learning_curve(pd.DataFrame(rows)).axes
    assert losses.get_legend_handles_labels()[1] == ["actor", "held out"]
    assert norms.get_legend_handles_labels()[1] == ["actor"]
    value = pd.DataFrame(rows).assign(loss_value=1.0, loss_ql=-1.0, q_mean=0.0, q_min=-1.0, q_max=1.0)
    losses, _, norms = learning_curve(value, clip=5.0).axes
    assert losses.get_legend_handles_labels()[1] == ["actor", "value", "held out"]
    assert norms.get_legend_handles_labels()[1] == ["actor", "clipped above"]


def test_a_line_is_the_mean_of_the_seeds(metrics):
    line = learning_curve(metrics).axes[1].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), [11.5, 21.5, 31.5])
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [0.01, 0.02, 0.03])
