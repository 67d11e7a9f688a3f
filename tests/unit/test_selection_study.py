"""Who should choose: the study's budgets and outcomes, and the figures and the page that are made of its table."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.evaluate.cell import Cell
from workbench.plots.scaling import made_by
from workbench.plots.selection import elite_share, selection, selection_text
from workbench.studies import selection as study
from workbench.verifiers import Rule


def table(successes: dict[tuple[int, str], int], episodes: int = 40) -> pd.DataFrame:
    """The study's table of two policies that succeed on the first so many starts, by N and rule."""
    fixed = {"task": "t", "agent": "sorl", "seed": 0, "data": "regenerated", "m_inf": 4, "episodes": episodes}
    rows = []
    for policy, step, network in (("long", 200_000, "4×128"), ("short", 20_000, "2×256")):
        for (n, rule), count in successes.items():
            own = {"policy": policy, "step": step, "network": network, "n": n, "verifier": rule}
            outcomes = "1" * count + "0" * (episodes - count)
            rows.append(fixed | own | {"successes": count, "outcomes": outcomes})
    return pd.DataFrame(rows)


WON = {(1, "mean"): 8, (4, "mean"): 20, (4, "elite:0.5"): 36, (8, "mean"): 10, (8, "elite:0.5"): 38} | {
    (8, "elite:0.25"): 30,
    (8, "elite:1"): 4,
}


def ydata(bars: Any) -> np.ndarray:
    """The heights of the line of an errorbar."""
    return np.array(bars.lines[0].get_ydata(), float)


def test_the_budgets_hold_every_rule_at_every_count_and_every_share():
    cells = study._cells(smoke=False)
    assert len(cells) == len(set(cells)) == 1 + len(study.COUNTS) * len(study.RULES) + len(study.SHARES) - 1
    for n in study.COUNTS:
        assert {cell.verifier for cell in cells if cell.n == n} >= set(study.RULES)
    at_one = {Rule.parse(cell.verifier).dial for cell in cells if cell.n == study.SHARES_N if "elite" in cell.verifier}
    assert at_one == set(study.SHARES)


def test_outcomes_are_in_the_order_of_the_starts(monkeypatch):
    cells = [Cell(4, 2), Cell(4, 2, "elite:0.5")]
    rows = [
        {"m_inf": 4, "n": 2, "verifier": cell.verifier, "episode": episode, "success": success}
        for episode, success in ((2, True), (0, False), (1, True))
        for cell in cells
    ]
    rows[0]["success"] = False
    played = SimpleNamespace(table=lambda: pd.DataFrame(rows))
    policy = study.list_policies()[0]
    folder = SimpleNamespace(spec=policy.spec)
    monkeypatch.setattr(study, "open_policy", lambda name, root: folder)
    monkeypatch.setattr(study, "load_agent", lambda folder: (None, None))
    monkeypatch.setattr(study, "evaluate", lambda *_, **__: played)
    first, second = study._rows(policy, 2, cells, smoke=True)
    assert (first["outcomes"], first["successes"], second["outcomes"], second["successes"]) == ("010", 1, "011", 2)
    assert (second["policy"], second["n"], second["verifier"]) == (policy.name, 2, "elite:0.5")


def test_lines_are_of_rules_played_at_every_n_and_panels_of_policies():
    figure = selection(table(WON))
    short, long = figure.axes
    assert [axes.get_title() for axes in (short, long)] == ["20,000 updates, 2×256", "200,000 updates, 4×128"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["the best one", "mean of the better half"]
    heights = [ydata(bars) for bars in short.containers]
    np.testing.assert_allclose(heights, [[20, 50, 25], [20, 90, 95]])


def test_the_share_goes_from_the_best_to_all():
    axes = elite_share(table(WON)).axes[0]
    np.testing.assert_allclose(ydata(axes.containers[0]), [25, 75, 95, 10])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1/8", "1/4", "1/2", "1"]


def test_the_page_compares_start_by_start_with_the_best_plain_cell():
    page = selection_text(table(WON))["md"]
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| 20,000")]
    best, half, *_ = [line[1:] for line in lines if line[1] == "8"]
    assert best[1:] == ["the best one", "25 % [14, 40]", "–", "–", "– |"]
    assert half[1] == "mean of the better half"
    assert half[3].startswith("+70 [")
    assert half[4].startswith("+45 [")  # best-of-4 is the best plain cell
    alone = 2 / 2**18  # 18 starts on which they differ, all won
    assert float(half[5].strip(" |")) == pytest.approx(10 * alone, rel=0.6)


@pytest.mark.parametrize(
    ("verifier", "said"),
    [
        ("mean", "the best one"),
        ("elite:0.5", "mean of the better half"),
        ("elite:1", "mean of the whole"),
        ("nearest:0.25", "nearest to the mean of the best 25 %"),
        ("soft:1", "softmax draw, τ = 1"),
    ],
)
def test_rules_in_words(verifier, said):
    assert made_by(verifier) == said
