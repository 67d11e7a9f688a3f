"""Success curves, the main table and profiles: numbers that reach the page, notes that say what they are."""

import io
from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from workbench import published
from workbench.errors import UnknownNameError
from workbench.plots.learning import learning_curve, learning_success
from workbench.plots.main_table import main_table, main_table_text, table_rows
from workbench.plots.profiles import performance_profiles, published_matrices, published_profiles, run_matrices
from workbench.plots.scaling import M_INF, N
from workbench.plots.style import paper_style, save_figure
from workbench.published import MixedProtocolsError
from workbench.stats.estimate import ScoresError
from workbench.stats.summary import cell_scores, final_success, own_scores, success_curve

TASK = "cube-single-play-singletask-task{}-v0"


def evaluated(agents: tuple[str, ...] = ("sorl",), tasks: tuple[int, ...] = (2,), seeds: int = 3) -> pd.DataFrame:
    """Rows of evaluated runs at four steps of 20 episodes: success is (5 task + seed + step/1000) of 20, or so."""
    return pd.DataFrame(
        [
            {
                "hash": f"{agent}{task}{seed}",
                "task": TASK.format(task),
                "agent": agent,
                "preset": "small",
                "data": "regenerated",
                "m_inf": 4,
                "n": 1,
                "seed": seed,
                "step": step,
                "episodes": 20,
                "successes": 2 * task + seed + step // 1000 + len(agent),
            }
            for agent in agents
            for task in tasks
            for seed in range(seeds)
            for step in (1000, 2000, 3000, 4000)
        ]
    )


def runs(agents: dict[str, float], seeds: int = 3, tasks: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"agent": agent, "task": f"t{task}", "seed": seed, "score": float(np.clip(rng.normal(level, 0.05), 0, 1))}
            for agent, level in agents.items()
            for task in range(tasks)
            for seed in range(seeds)
        ]
    )


def words(figure: Figure) -> str:
    """Everything that is written on a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def marks(axes: Axes) -> list[float]:
    """Horizontal positions of the marks of an error-bar panel, top to bottom."""
    points = [container[0].get_xydata()[0] for container in axes.containers]
    return [float(x) for x, _ in sorted(points, key=lambda point: point[1])]


FIGURES: dict[str, Callable[[], Figure]] = {
    "success": lambda: learning_success(evaluated()),
    "main_table": lambda: main_table(published.aggregates(), evaluated()),
    "profiles": lambda: performance_profiles(runs({"sorl": 0.8, "bc": 0.3})),
    "published": lambda: published_profiles(published.per_task()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_equal_tables_are_equal_files_and_leave_no_state(tmp_path, name: str) -> None:
    before = dict(matplotlib.rcParams)
    one, other = (save_figure(FIGURES[name](), tmp_path / stem) for stem in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_outside_the_page(name: str) -> None:
    figure = FIGURES[name]()
    with paper_style():
        figure.savefig(io.BytesIO(), format="png", dpi=figure.dpi)
        page, needed = figure.bbox_inches, figure.get_tightbbox()
    assert needed.x0 >= -0.01
    assert needed.y0 >= -0.01
    assert needed.x1 <= page.x1 + 0.01
    assert needed.y1 <= page.y1 + 0.01


def test_success_is_the_mean_over_tasks_and_seeds() -> None:
    curve = success_curve(evaluated(tasks=(1, 2)))
    np.testing.assert_allclose(curve["success"], (3 + 1 + np.arange(1, 5) + 4) / 20)
    assert set(curve["seeds"]) == {3}
    assert set(curve["tasks"]) == {2}
    assert (curve["low"] < curve["success"]).to_numpy().all()
    line = learning_success(evaluated(tasks=(1, 2))).axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), 100 * curve["success"])
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [1, 2, 3, 4])


def test_last_three_checkpoints_are_averaged_and_named() -> None:
    value = final_success(evaluated())["sorl"]
    assert value.value == pytest.approx((4 + 1 + 3 + 4) / 20)
    text = words(learning_success(evaluated()))
    assert "SORL: 60.0 [55.0, 65.0] %" in text
    assert "mean of the last 3" in text
    assert "1 task, 3 seeds, 20 episodes a point; band: range of the 3 seeds" in text


def test_one_seed_has_no_interval_and_says_so() -> None:
    figure = learning_success(evaluated(seeds=1))
    assert "no interval: one seed a task" in words(figure)
    assert "SORL: 55.0 %" in words(figure)


def test_curves_of_unfinished_or_mixed_runs_are_refused() -> None:
    cells = evaluated()
    unfinished = cells.loc[(cells["seed"] < 2) | (cells["step"] < 4000)]
    with pytest.raises(ScoresError, match="let every run finish"):
        learning_success(unfinished)
    with pytest.raises(ScoresError, match="mix n 1, 4"):
        learning_success(pd.concat([cells, cells.assign(n=4)]))
    with pytest.raises(ScoresError, match="lacks episodes"):
        learning_success(cells.drop(columns="episodes"))


def test_bands_of_losses_say_what_they_are() -> None:
    names = ["loss_fm", "loss_sc", "loss_critic", "val_fm", "val_sc", "val_critic", "q_mean", "q_min", "q_max"]
    names += ["grad_norm_actor", "grad_norm_critic"]
    rows = [{"step": step, "seed": seed} | dict.fromkeys(names, 1.0 + seed) for step in (1, 2) for seed in (0, 1)]
    assert "mean of 2 seeds, coloured bands: lowest and highest seed" in words(learning_curve(pd.DataFrame(rows)))
    alone = pd.DataFrame(rows).query("seed == 0")
    assert "bands" not in words(learning_curve(alone))
    assert "one seed" in words(learning_curve(alone))


def test_bold_is_within_95_percent_of_the_best_of_its_row() -> None:
    rows = table_rows(published.aggregates())
    assert len(rows) == 88
    bold = {str(name): set(group["method"]) for name, group in rows.loc[rows["bold"]].groupby("environment")}
    assert bold["cube-single-play"] == {"IDQL", "FQL", "SORL"}
    assert bold["antmaze-giant-navigate"] == {"ReBRAC"}
    assert bold["scene-play"] == {"FQL", "SORL"}
    assert set(bold) == set(published.ENVIRONMENTS)


def test_nothing_is_bold_where_nobody_succeeds() -> None:
    nobody = published.aggregates().assign(score=0.0)
    assert not table_rows(nobody)["bold"].to_numpy().any()


def test_our_runs_stand_apart_with_their_protocol() -> None:
    own = own_scores(evaluated()).iloc[0]
    assert own["score"] == pytest.approx(0.6)
    assert own["sd"] == pytest.approx(0.05)
    assert own["seeds"] == 3
    assert own["environment"] == "cube-single-play"
    assert own["protocol"] == "preset small; regenerated data; only task 2; mean of checkpoints 2k/3k/4k; M_inf 4, N 1"
    assert own["source"] == "runs sorl20, sorl21, sorl22"
    rows = table_rows(published.aggregates(), evaluated().assign(successes=20))
    ours = rows.loc[rows["kind"] == "ours"]
    assert list(ours["bold"]) == [False]
    assert list(rows["bold"])[:-1] == list(table_rows(published.aggregates())["bold"])


def test_the_weight_of_the_q_loss_is_part_of_the_protocol() -> None:
    weighed = evaluated().assign(w_ql=10.0)
    assert own_scores(weighed).iloc[0]["protocol"].endswith("M_inf 4, N 1, w_QL 10")
    assert r"cube-single & SORL & 4 & 1 & 10 & 3 &" in main_table_text(published.aggregates(), weighed)["tex"]
    with pytest.raises(ScoresError, match="mix w_ql 1"):
        final_success(pd.concat([weighed, weighed.assign(w_ql=1.0, hash="other")]))


def test_text_has_every_number_and_keeps_ours_apart() -> None:
    text = main_table_text(published.aggregates(), evaluated())
    assert set(text) == {"tex", "md", "csv"}
    assert r"\textbf{97} {\tiny $\pm 1$}" in text["tex"]
    assert text["tex"].count(r"\begin{tabular}") == text["tex"].count(r"\bottomrule") == 2
    assert text["tex"].count(r"\begin{table*}") == text["tex"].count(r"\label{tab:") == 2
    body = [line for line in text["tex"].splitlines() if line.endswith(r"\\") and line.startswith("cube-single")]
    assert [line.count("&") for line in body] == [11, 6]
    assert body[1] == r"cube-single & SORL & 4 & 1 &  & 3 & 60 {\tiny $\pm 5$} \\"
    assert text["tex"].count("regenerated data; only task 2") == 1
    assert "arXiv 2505.22866" in text["tex"]
    before, after = text["md"].split("Ours")
    assert "| **95** ± 2 |" in before
    assert "60 ± 5" not in before
    assert "| cube-single-play | SORL | 60 ± 5 | 3 | preset small" in after
    table = pd.read_csv(io.StringIO(text["csv"]))
    assert len(table) == 89
    assert table["kind"].value_counts().to_dict() == {"published": 88, "ours": 1}


def test_marks_are_where_the_scores_are() -> None:
    figure = main_table(published.aggregates(), evaluated())
    panel = next(axes for axes in figure.axes if axes.get_title() == "cube-single-play")
    assert marks(panel) == pytest.approx([5, 83, 91, 95, 80, 85, 81, 79, 79, 96, 97, 60])
    assert panel.containers[10][0].get_markerfacecolor() == "white"
    assert panel.containers[11][0].get_markerfacecolor() != "white"
    text = words(figure)
    assert "Hollow: published means over five tasks, 8 seeds" in text
    assert "(FQL paper (arXiv 2502.02538) Table 2; summary of the SORL paper (arXiv 2505.22866))" in text
    assert "Filled: ours, preset small; regenerated data; only task 2" in text
    assert f"({M_INF}, {N}) of ours: SORL (4, 1)" in text


def test_one_seed_of_ours_has_no_bar() -> None:
    figure = main_table(published.aggregates(), evaluated(seeds=1))
    panel = next(axes for axes in figure.axes if axes.get_title() == "cube-single-play")
    assert panel.containers[11].get_children() == [panel.containers[11][0]]
    assert "1 seed, no bar" in words(figure)


def test_main_table_refuses_mixed_protocols_and_strange_kinds() -> None:
    every = pd.concat([published.aggregates(), published.aggregates().assign(method="QC", protocol="larger data")])
    with pytest.raises(MixedProtocolsError, match="2 protocols"):
        main_table(every)
    with pytest.raises(ScoresError, match="not guessed"):
        main_table(published.aggregates().assign(kind="guessed"))
    with pytest.raises(ScoresError, match="lack sd"):
        main_table(published.aggregates().drop(columns="sd"))


def test_profile_is_the_share_of_tasks_above_each_score() -> None:
    figure = published_profiles(published.per_task())
    line = next(line for line in figure.axes[0].lines if line.get_label() == "FQL")
    scores = published_matrices(published.per_task())["FQL"]
    heights = np.asarray(line.get_ydata(), float)
    assert scores.shape == (1, 40)
    for tau in (0, 29, 50, 96):
        assert heights[tau] == pytest.approx(100 * (np.round(100 * scores) > tau).mean())
    assert not figure.axes[0].collections
    assert all(line.get_markerfacecolor() == "white" for line in figure.axes[0].lines)


def test_published_profile_says_why_it_has_no_intervals() -> None:
    text = words(published_profiles(published.per_task()))
    assert "no intervals: the scores of single seeds were not published, nor SORL's by task" in text
    assert "published means over 8 seeds of each of 40 tasks in 8 environments" in text


def test_share_of_tasks_won_is_counted_with_ties_as_halves() -> None:
    table = published.per_task().pivot(index="method", columns=["environment", "task"], values="score")
    won = [(np.sign(table.loc["FQL"] - table.loc[other]).to_numpy() + 1).mean() * 50 for other in ("BC", "ReBRAC")]
    shown = marks(published_profiles(published.per_task()).axes[1])
    assert [shown[0], shown[2]] == pytest.approx(won)


def test_profiles_of_runs_have_bands_and_a_reference() -> None:
    figure = performance_profiles(runs({"sorl": 0.8, "fql": 0.75, "bc": 0.3}, seeds=5))
    assert len(figure.axes[0].collections) == 3
    assert "4 tasks, 5 seeds of each; bands, bars: 95 % percentile bootstrap over the 5 seeds" in words(figure)
    assert marks(figure.axes[1])[0] == 100
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["BC", "FQL"]
    with pytest.raises(UnknownNameError, match="known: BC, SORL"):
        performance_profiles(runs({"sorl": 0.8, "bc": 0.3}), reference="sorel")


def test_few_seeds_have_marks_at_each_score_and_no_band() -> None:
    table = runs({"sorl": 0.8, "bc": 0.3}, tasks=1)
    figure = performance_profiles(table)
    assert not figure.axes[0].collections
    assert "1 task, 3 seeds of each; bars: 95 % percentile bootstrap" in words(figure)
    for line, agent in zip(figure.axes[0].lines, ("bc", "sorl"), strict=True):
        scores = table.loc[table["agent"] == agent, "score"].to_numpy(float)
        marked = np.asarray(line.get_xdata(), float)[np.asarray(line.get_markevery())]
        np.testing.assert_allclose(marked, np.unique(np.ceil(100 * scores) - 1))


def test_agents_scored_on_other_tasks_are_not_compared() -> None:
    table = pd.concat([runs({"sorl": 0.8}), runs({"bc": 0.3}, tasks=3)])
    with pytest.raises(ScoresError, match="scored on other tasks"):
        run_matrices(table)
    gap = published.per_task().iloc[1:]
    with pytest.raises(ScoresError, match="BC lacks the score"):
        published_profiles(gap)


def test_scores_of_cells_are_last_three_means() -> None:
    scores = cell_scores(evaluated())
    np.testing.assert_allclose(scores["score"], (4 + np.arange(3) + 3 + 4) / 20)
    assert set(scores["steps"]) == {"2000/3000/4000"}
    assert run_matrices(scores)["sorl"].shape == (3, 1)
