"""Episodes of a run: what keeps two apart, which are scores, and that nothing measured is rewritten unasked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import pandas as pd
import pytest

from tests.unit.problems import random_data
from tests.unit.test_spec import TASK, tiny_spec
from workbench import experiments
from workbench.data.catalogue import parse_task
from workbench.evaluate.cell import Cell
from workbench.store.episodes import EVAL_KEY, MEANING, complete, joined, scores
from workbench.store.folder import RunFolder
from workbench.store.query import list_runs
from workbench.sweeps.ledger import missing_steps, statuses
from workbench.sweeps.plan import Job
from workbench.sweeps.progress import progress
from workbench.sweeps.spec import Evaluation
from workbench.train import init_seeds

CELL: dict[str, Any] = {"step": 10, "m_inf": 1, "n": 4, "verifier": "mean", "success_timing": "post"}
LIMIT = parse_task(TASK)[0].limit


def episodes(numbers: range, act_ms: float, **changes: Any) -> pd.DataFrame:
    """Rows of both seeds with the latency that their pass measured."""
    rows = CELL | {"act_ms": act_ms, "success": act_ms > 1} | changes
    return pd.DataFrame([rows | {"seed": seed, "episode": i} for seed in (0, 1) for i in numbers])


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, tiny_spec(random_data()))


@pytest.mark.parametrize(
    ("new", "replace", "expected", "left_out"),
    [
        (range(3), True, {2.0: 6}, 0),
        (range(5), True, {2.0: 10}, 0),
        (range(2), True, {1.0: 6}, 4),
        (range(1), False, {1.0: 6}, 2),
        (range(3), False, {1.0: 6}, 6),
        (range(5), False, {1.0: 6, 2.0: 4}, 6),
        (range(3, 5), True, {1.0: 6, 2.0: 4}, 0),
    ],
    ids=["anew", "more", "fewer", "film", "film of all", "film of more", "others"],
)
def test_a_cell_is_measured_anew_as_a_whole_or_not_at_all(new, replace, expected, left_out) -> None:
    old, _ = joined(pd.DataFrame(columns=EVAL_KEY), episodes(range(3), 1.0), replace=True)
    table, count = joined(old, episodes(new, 2.0), replace=replace)
    assert table["act_ms"].value_counts().to_dict() == expected
    assert count == left_out
    assert not table.duplicated(EVAL_KEY).any()


@pytest.mark.parametrize(
    "other",
    [{"episode_limit": 3}, {"key_seed": 1}, {"success_timing": "pre"}, {"verifier": "min"}, {"n": 1}, {"step": 9}],
)
def test_what_an_episode_means_keeps_it_apart(folder, other) -> None:
    folder.add_evals(episodes(range(3), 1.0))
    folder.add_evals(episodes(range(3), 2.0, **other))
    assert folder.evals()["act_ms"].value_counts().to_dict() == {1.0: 6, 2.0: 6}


def test_older_tables_hold_episodes_of_full_length(folder) -> None:
    episodes(range(3), 1.0).to_parquet(folder.evals_file)
    assert folder.episodes("post") == {(10, 1, 4, "mean"): 6}
    assert folder.episodes("post", 3) == {}
    folder.add_evals(episodes(range(3), 2.0, **MEANING))
    assert set(folder.evals()["act_ms"]) == {2.0}


@pytest.mark.parametrize(
    ("asked", "found"), [(None, 1.0), (LIMIT, 1.0), (3, 2.0), (4, None)], ids=["own", "the same", "cut", "cut else"]
)
def test_a_score_is_of_episodes_of_the_length_asked_for(asked, found) -> None:
    table = pd.concat([complete(episodes(range(2), 1.0)), complete(episodes(range(2), 2.0, episode_limit=3))])
    assert set(scores(table, TASK, asked)["act_ms"]) == ({found} if found else set())


@pytest.mark.parametrize("record", [0, 1])
def test_what_is_played_to_be_filmed_measures_nothing(folder, monkeypatch, record) -> None:
    played = episodes(range(1), 9.0).drop(columns="step").to_dict("records")
    state = init_seeds(folder.spec.build_agent(), random_data().example(), folder.spec.seeds)
    state = eqx.tree_at(lambda s: s.step, state, state.step + 10)
    monkeypatch.setattr(experiments, "load_agent", lambda *_: (None, state))
    monkeypatch.setattr(experiments, "evaluate", lambda *_, into, **__: into.rows.extend(played))
    folder.add_evals(episodes(range(1), 1.0))
    experiments.evaluate_run(folder, [Cell(1, 4)], episodes=1, record=record)
    assert set(folder.evals()["act_ms"]) == {1.0 if record else 9.0}


def test_a_measurement_that_is_left_out_is_told(folder, caplog) -> None:
    folder.add_evals(episodes(range(3), 1.0))
    folder.add_evals(episodes(range(1), 2.0), replace=False)
    assert not caplog.messages
    folder.add_evals(episodes(range(1), 2.0))
    assert "keeps 2 episodes as they were measured before" in caplog.text


def job(folder: RunFolder, **asked: Any) -> Job:
    """A trained run of a sweep with what is asked of it."""
    folder.done_file.write_text("{}")
    evaluation = replace(Evaluation(episodes=3), **asked)
    schedule = experiments.Schedule()
    return Job(folder.spec, folder.path.parent, None, (Cell(1, 4),), (10,), evaluation, schedule)


@pytest.mark.parametrize(
    ("asked", "left"),
    [({"episode_limit": 3}, []), ({}, [10]), ({"episode_limit": 4}, [10]), ({"episode_limit": 3, "episodes": 4}, [10])],
    ids=["as asked", "full", "cut else", "more"],
)
def test_a_sweep_that_was_cut_short_is_not_the_real_one(folder, asked, left) -> None:
    folder.add_evals(episodes(range(3), 2.0, episode_limit=3))
    chosen = job(folder, **asked)
    assert missing_steps(chosen) == left
    assert list_runs("success is not null", folder.path.parent).empty
    (row,) = progress([chosen])
    assert bool(row["success"]) == (asked.get("episode_limit") == 3)


def test_jobs_that_ask_for_other_episodes_of_one_run_are_told_apart(folder) -> None:
    folder.add_evals(episodes(range(3), 2.0))
    few = job(folder)
    many = replace(few, evaluation=Evaluation(episodes=4))
    first = statuses([few, many])
    assert [each.state for each in first] == ["finished", "evaluating"]
    assert [each.state for each in statuses([few, many], first)] == ["finished", "evaluating"]
