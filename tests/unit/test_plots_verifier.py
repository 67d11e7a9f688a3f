"""Figures of the verifier and of actions: what is averaged, what is left out, and equal files from equal tables."""

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from workbench.plots.actions import action_w2
from workbench.plots.style import paper_style
from workbench.plots.verifier import FEWEST, binned, calibration, over_optimisation, seed_means
from workbench.stats import Bootstrap

RUN = {"task": "cube-single-play-singletask-task2-v0", "agent": "sorl", "preset": "small", "data": "regenerated",
       "step": 20_000, "w_ql": 1.0}  # fmt: skip


def steps_of(n: int, episodes: int = 12, length: int = 10) -> pd.DataFrame:
    """Steps of two runs whose return is Q + 5 on average, and the same within an episode."""
    rng = np.random.default_rng(n)
    rows = []
    for seed in (0, 1):
        for episode in range(episodes):
            off = 5 + rng.normal()
            for step, q in enumerate(rng.uniform(-50, 0, length)):
                rows.append((f"run{seed}", seed, n, episode, step, q, q + off))
    return pd.DataFrame(rows, columns=["hash", "seed", "n", "episode", "step", "q", "return_to_go"])


@pytest.fixture
def steps() -> pd.DataFrame:
    return pd.concat([steps_of(n) for n in (1, 2, 4, 8)], ignore_index=True)


@pytest.fixture
def verifier() -> pd.DataFrame:
    rows = []
    for seed in (0, 1, 2):
        for n in (1, 2, 4, 8):
            values = {"q_start": -40 + n, "return_start": -45.0, "spearman": 0.5 - 0.05 * n + 0.01 * seed}
            ends = {
                f"{name}_{end}": value + by for name, value in values.items() for end, by in (("low", -1), ("high", 1))
            }
            counts = {"episodes": 50, "successes": 10 + n + seed}
            rows.append(RUN | {"hash": f"run{seed}", "seed": seed, "m_inf": 4, "n": n} | counts | values | ends)
    return pd.DataFrame(rows)


@pytest.fixture
def actions() -> pd.DataFrame:
    rows = []
    for seed in (0, 1, 2):
        for variant, base in (("at neighbours", 0.1), ("at x", 0.3)):
            for m_inf, n in ((1, 1), (2, 1), (4, 1), (4, 2), (4, 8)):
                excess = base + 0.01 * n + 0.02 * seed
                found = {"excess": excess, "excess_low": excess - 0.02, "excess_high": excess + 0.02}
                found |= {"saturation": 0.02 + 0.01 * seed, "saturation_data": 0.05, "blind_excess": 0.9}
                where = {"hash": f"run{seed}", "seed": seed, "m_inf": m_inf, "n": n, "variant": variant}
                rows.append(RUN | where | found | {"k": 32, "n_observations": 200})
    return pd.DataFrame(rows)


def test_ranges_hold_the_means_of_their_steps():
    steps = steps_of(1)
    edges = np.linspace(-50, 0, 6)
    table = binned(steps, edges)
    q, returns = steps[["q", "return_to_go"]].to_numpy(float).T
    episode = steps["seed"].to_numpy() * 100 + steps["episode"].to_numpy()
    assert table["rows"].to_numpy().sum() == len(steps)
    for i, (low, high) in enumerate(pairwise(edges)):
        inside, row = (low <= q) & (q < high), dict(table.iloc[i])
        assert row["rows"] == inside.sum()
        assert row["q"] == pytest.approx(q[inside].mean())
        assert row["return_to_go"] == pytest.approx(returns[inside].mean())
        assert row["low"] < row["return_to_go"] < row["high"]
        assert row["episodes"] == len(set(episode[inside]))


def test_bars_are_of_episodes_and_not_of_steps():
    """100 equal steps of each of ten episodes: the interval is that of ten numbers, however many steps there are."""
    rng = np.random.default_rng(0)
    returns = rng.normal(size=10)
    rows = [("run", e, 0.5, value) for e, value in enumerate(returns) for _ in range(100)]
    steps = pd.DataFrame(rows, columns=["hash", "episode", "q", "return_to_go"])
    found = binned(steps, np.array([0.0, 1.0])).iloc[0]
    how = Bootstrap()
    counts = how.counts(10, 1, rng=np.random.default_rng(0))[:, 0]
    expected = np.quantile(counts @ returns / 10, [0.025, 0.975])
    np.testing.assert_allclose(found[["low", "high"]].to_numpy(float), expected)
    assert (found["rows"], found["episodes"]) == (1000, 10)


def test_a_range_of_few_episodes_is_left_out():
    steps = steps_of(1, episodes=30)
    steps["q"] = np.where((steps["hash"] == "run0") & (steps["episode"] < FEWEST - 1), -5.0, -45.0)
    assert len(binned(steps, np.array([-50.0, -10.0, 0.0]))) == 1
    steps["q"] = np.where((steps["hash"] == "run0") & (steps["episode"] < FEWEST), -5.0, -45.0)
    assert binned(steps, np.array([-50.0, -10.0, 0.0]))["episodes"].tolist() == [55, FEWEST]
    assert binned(steps.iloc[:3], np.array([-50.0, 0.0])).empty


def test_ranges_that_are_not_neighbours_are_not_joined(steps, verifier):
    steps["q"] = np.where((steps["q"] > -30) & (steps["q"] < -20), -45.0, steps["q"])
    for axes in calibration(steps, verifier).axes:
        bars: Any = axes.containers[0]
        colour = bars.lines[0].get_color()
        joined = [heights(line) for line in axes.lines if line.get_color() == colour and line.get_linestyle() != "None"]
        assert len(joined) == 2


def test_calibration_shows_fewest_some_and_most_candidates(steps, verifier):
    figure = calibration(steps, verifier)
    assert [axes.get_title()[:7] for axes in figure.axes] == ["$N = 1$", "$N = 4$", "$N = 8$"]
    assert all("240 steps, 24 episodes" in axes.get_title() for axes in figure.axes)
    assert "2 training seeds" in figure.get_suptitle()
    assert "$M_{\\mathrm{inf}}$ = 4" in figure.get_suptitle()
    one = calibration(steps[(steps["n"] == 1) & (steps["seed"] == 0)], verifier)
    assert len(one.axes) == 1
    assert "1 training seed." in one.get_suptitle()


def test_lines_are_means_over_seeds_and_marks_are_seeds(verifier):
    places, means = seed_means(verifier, "n", "spearman")
    np.testing.assert_array_equal(places, [1, 2, 4, 8])
    np.testing.assert_allclose(means, 0.51 - 0.05 * places)
    success, values, ranks = over_optimisation(verifier).axes
    np.testing.assert_allclose(heights(ranks.lines[0]), means)
    np.testing.assert_allclose(heights(values.lines[0]), -45.0)
    bars: Any = ranks.containers
    for seed, bar in enumerate(bars):
        np.testing.assert_allclose(heights(bar.lines[0]), 0.5 - 0.05 * places + 0.01 * seed)
    np.testing.assert_allclose(heights(success.lines[0]), (33 + 3 * places) / 150 * 100)


def test_notes_say_what_the_intervals_are(verifier, actions):
    note = over_optimisation(verifier).get_suptitle()
    assert "95 % Wilson interval of 150 episodes, episode noise only; the 3 training seeds" in note
    assert "95 % bootstrap over a seed's 50 episodes" in note
    note = action_w2(actions).get_suptitle()
    assert "means over 200 held-out observations; samples of 16 actions of data near each" in note
    assert "would score 0.90" in note
    assert "leaves the data on purpose" in note
    assert "on purpose" not in action_w2(actions.assign(w_ql=0.0)).get_suptitle()


def test_actions_are_drawn_by_steps_and_by_candidates(actions):
    steps, candidates, limit = action_w2(actions).axes
    np.testing.assert_allclose(np.asarray(steps.lines[0].get_xydata()), [[1, 0.13], [2, 0.13], [4, 0.13]])
    np.testing.assert_allclose(np.asarray(candidates.lines[0].get_xydata()), [[1, 0.13], [2, 0.14], [8, 0.2]])
    np.testing.assert_allclose(heights(limit.lines[0]), 3.0)
    assert steps.get_ylim() == candidates.get_ylim()


def heights(line: Any) -> np.ndarray:
    return np.asarray(line.get_ydata(), float)


def svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    with paper_style():
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def test_equal_tables_are_equal_figures(steps, verifier):
    assert svg(calibration(steps, verifier)) == svg(calibration(steps.copy(), verifier))
