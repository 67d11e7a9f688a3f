"""Figures: files stable byte for byte, numbers that reach the page, and no drawing state left behind."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from workbench.plots.learning import learning_curve
from workbench.plots.scaling import scaling, success_table
from workbench.plots.style import save_figure


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


def test_the_grid_shows_the_success_of_each_cell(evals):
    table = success_table(evals)
    grid = scaling(table).axes[2]
    shown = sorted(int(text.get_text()) for text in grid.texts)
    assert shown == sorted(round(100 * value) for value in table["success"])


def test_a_line_is_the_mean_of_the_seeds(metrics):
    line = learning_curve(metrics).axes[1].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), [11.5, 21.5, 31.5])
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [0.01, 0.02, 0.03])
