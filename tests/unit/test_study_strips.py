"""The study of rollout strips on a run made up for the test, and the messages for those who have none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.recorded import made_up
from workbench.errors import WorkbenchError
from workbench.evaluate.evaluation import Evaluation
from workbench.plots.strips import rollout_strips
from workbench.studies import strips as study
from workbench.studies.registry import STUDIES
from workbench.studies.strips import BUDGETS, HEIGHT, MOMENTS, WIDTH, mosaic, strips

TASK = "cube-single-play-singletask-task2-v0"


class Folder:
    """As much of a run as the study asks for."""

    class path:
        name = "abc123"

    class spec:
        task = TASK
        seeds = (0,)


@pytest.fixture
def played(monkeypatch):
    """Three starts; the largest budget succeeds at all, the smallest at the first only."""
    rollouts = [
        made_up(steps=12, m_inf=cell.m_inf, n=cell.n, episode=e, succeeds=cell != BUDGETS[0] or e == 0)
        for e in range(3)
        for cell in reversed(BUDGETS)
    ]
    asked = {}

    def render(chosen, moments, *, width, height):
        asked.update(chosen=chosen, moments=moments)
        return [np.full((len(each), height, width, 3), 9 * i, np.uint8) for i, each in enumerate(moments)]

    monkeypatch.setattr(study, "base_runs", lambda smoke: [Folder])
    monkeypatch.setattr(study, "load_agent", lambda folder: (None, None))
    monkeypatch.setattr(study, "make_policy", lambda *_, **__: None)
    monkeypatch.setattr(study, "evaluate_policy", lambda *_, **__: Evaluation([], rollouts))
    monkeypatch.setattr(study, "render_frames", render)
    return asked


def test_the_start_is_the_first_where_budgets_differ(played):
    tables: dict[str, Any] = strips()
    q, frames = tables["strip_q"], tables["strip_frames"]
    assert set(tables) == set(STUDIES["strips"].tables)
    assert [each.cell for each in played["chosen"]] == list(BUDGETS)
    assert {each.episode for each in played["chosen"]} == {1}
    assert (q["differing"].unique().tolist(), q["starts"].unique().tolist()) == ([2], [3])
    assert q["hash"].unique().tolist() == ["abc123"]
    assert frames.shape == (len(BUDGETS) * HEIGHT, MOMENTS * WIDTH, 3)
    assert frames[-1, -1, 0] == 9 * (len(BUDGETS) - 1)


def test_moments_of_the_table_are_the_frames(played):
    q: Any = strips()["strip_q"]
    for cell, steps in zip(BUDGETS, played["moments"], strict=True):
        part = q[(q["m_inf"] == cell.m_inf) & (q["n"] == cell.n)]
        shown = part[part["moment"] > 0].sort_values("moment")
        assert shown["step"].tolist() == steps
        assert shown["moment"].tolist() == list(range(1, MOMENTS + 1))
        assert part["step"].tolist() == list(range(13))
        decided = part[part["step"] < 12]
        assert (decided["q_low"] <= decided["q_chosen"]).all()
        np.testing.assert_array_equal(decided["q_high"], decided["q_chosen"])
        assert part["q_chosen"].isna().sum() == 1


def test_the_figure_takes_what_the_study_makes(played):
    tables: dict[str, Any] = strips()
    run = {"hash": "abc123", "task": TASK, "agent": "sorl", "preset": "small", "data": "regenerated", "step": 3}
    figure = rollout_strips(tables["strip_q"], tables["strip_frames"], pd.DataFrame([run]))
    assert len(figure.axes) == len(BUDGETS) * (MOMENTS + 1)


def test_a_mosaic_has_a_row_a_rollout():
    frames = [np.full((3, 2, 4, 3), value, np.uint8) for value in (1, 2)]
    assert mosaic(frames).shape == (4, 12, 3)
    assert mosaic(frames)[:2].max() == 1


def test_without_a_run_the_command_that_makes_one_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path))
    with pytest.raises(WorkbenchError, match=r"no finished run .* `workbench study \w+`"):
        strips()
