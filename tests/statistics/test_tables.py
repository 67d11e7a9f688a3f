"""From episodes to arrays: hand-made tables, and the sentences for tables that cannot be used."""

import numpy as np
import pandas as pd
import pytest

from tests.statistics.tables import episodes, scores_table
from workbench.stats import ScoresError, estimate, matched, mean, paired_difference, run_scores, score_matrix

STEPS = (700_000, 800_000, 900_000, 1_000_000)
TWO_SEEDS = {
    **{("cube", 0, step): outcome for step, outcome in zip(STEPS, ([1, 1], [1, 0], [1, 1], [0, 0]), strict=True)},
    **{("cube", 1, step): outcome for step, outcome in zip(STEPS, ([0], [1], [1, 1, 0, 1], [0, 1]), strict=True)},
}
SCORES = {("cube", 0): 0.5, ("cube", 1): 0.25, ("maze", 0): 1.0, ("maze", 1): 0.75}


def test_last_three_checkpoints_are_averaged():
    """The 700k evaluation is left out, and checkpoints count the same whatever their number of episodes."""
    table = run_scores(episodes(TWO_SEEDS, agent="sorl", m_inf=8, n=1))
    assert table["score"].tolist() == pytest.approx([(0.5 + 1 + 0) / 3, (1 + 0.75 + 0.5) / 3])
    assert table["steps"].unique().tolist() == ["800000/900000/1000000"]
    assert table["episodes"].tolist() == [6, 7]
    assert table[["task", "seed", "agent", "m_inf", "n"]].values.tolist() == [
        ["cube", 0, "sorl", 8, 1],
        ["cube", 1, "sorl", 8, 1],
    ]


def test_order_of_episodes_is_nothing():
    evals = episodes(TWO_SEEDS)
    pd.testing.assert_frame_equal(run_scores(evals), run_scores(evals.sample(frac=1, random_state=0)))


def test_only_the_last_checkpoint_on_demand():
    assert run_scores(episodes(TWO_SEEDS), last=1)["score"].tolist() == [0.0, 0.5]


def test_budgets_are_kept_apart():
    evals = pd.concat([episodes({("cube", 0, 10): [m_inf > 1]}, m_inf=m_inf, n=1) for m_inf in (1, 8)])
    table = run_scores(evals, last=1)
    assert dict(zip(table["m_inf"], table["score"], strict=True)) == {1: 0.0, 8: 1.0}


def test_any_column_can_be_the_score():
    evals = episodes(TWO_SEEDS).assign(**{"return": lambda table: -10.0 * table["success"]})
    np.testing.assert_allclose(run_scores(evals, "return")["score"], -10 * run_scores(evals)["score"])


@pytest.mark.parametrize(
    ("evals", "options", "sentence"),
    [
        (episodes(TWO_SEEDS).drop(columns="seed"), {}, "no column seed"),
        (episodes(TWO_SEEDS), {"value": "return"}, "no column return; it has task, seed, step, episode, success"),
        (episodes(TWO_SEEDS).head(0), {}, "no rows"),
        (episodes(TWO_SEEDS), {"last": 0}, "average one or more"),
        (episodes(TWO_SEEDS), {"last": 5}, "such as task cube, seed 0 at 700000/800000/900000/1000000: .* last=4"),
        (
            episodes({("cube", 3, 10): [1]}),
            {},
            "1 runs were evaluated at fewer than 3 steps, such as task cube, seed 3",
        ),
        (episodes(TWO_SEEDS).assign(success=np.nan), {}, "16 episodes have no success"),
    ],
)
def test_episodes_that_give_no_score(evals, options, sentence):
    with pytest.raises(ScoresError, match=sentence):
        run_scores(evals, **options)


def test_matrix_has_seeds_in_rows_and_tasks_in_columns():
    matrix = score_matrix(scores_table(SCORES))
    assert (matrix.index.tolist(), matrix.columns.tolist()) == ([0, 1], ["cube", "maze"])
    np.testing.assert_array_equal(matrix.to_numpy(), [[0.5, 1.0], [0.25, 0.75]])


def test_ragged_seeds_are_refused_by_name():
    ragged = scores_table(SCORES | {("cube", 5): 0.5, ("maze", 7): 0.1, ("maze", 8): 0.1})
    sentence = r"cube lacks seed 7, 8; maze lacks seed 5\): run those, or keep the 2 common seeds"
    with pytest.raises(ScoresError, match=sentence):
        score_matrix(ragged)
    pd.testing.assert_frame_equal(score_matrix(ragged, common_seeds=True), score_matrix(scores_table(SCORES)))


def test_no_common_seed_is_refused():
    with pytest.raises(ScoresError, match="no seed has a score in every task"):
        score_matrix(scores_table({("cube", 0): 0.5, ("maze", 1): 0.5}), common_seeds=True)


@pytest.mark.parametrize("column", ["agent", "preset", "data", "m_inf", "n", "verifier", "success_timing", "steps"])
def test_protocols_are_never_mixed(column):
    one, other = scores_table(SCORES, **{column: 1}), scores_table(SCORES, **{column: 2}).assign(seed=[2, 3, 2, 3])
    with pytest.raises(ScoresError, match=f"mix {column} 1, 2: choose one"):
        score_matrix(pd.concat([one, other]))


def test_two_runs_of_one_seed_are_refused():
    twice = pd.concat([scores_table(SCORES, hash="aaa"), scores_table({("cube", 1): 0.9}, hash="bbb")])
    with pytest.raises(ScoresError, match="two runs of cube have seed 1"):
        score_matrix(twice)


def test_matched_keeps_common_seeds():
    a = score_matrix(scores_table(SCORES))
    b = score_matrix(scores_table({("cube", 1): 0.0, ("maze", 1): 0.5, ("cube", 9): 1.0, ("maze", 9): 1.0}))
    ours, theirs = matched(a, b.reindex(columns=["maze", "cube"]))
    assert (ours.index.tolist(), theirs.index.tolist()) == ([1], [1])
    assert paired_difference(ours.to_numpy(), theirs.to_numpy()).value == 0.25


def test_unlike_tables_cannot_be_matched():
    a = score_matrix(scores_table(SCORES))
    with pytest.raises(ScoresError, match="only one of the two agents has maze"):
        matched(a, a.drop(columns="maze"))
    with pytest.raises(ScoresError, match="no seed in common"):
        matched(a, a.set_axis([5, 6]))


def test_from_episodes_to_an_estimate():
    outcomes = {
        (task, seed, step): [1] * (seed + 1) + [0] * (3 - seed)
        for task in ("cube", "maze")
        for seed in range(3)
        for step in STEPS
    }
    found = estimate(score_matrix(run_scores(episodes(outcomes, agent="sorl"))).to_numpy(), mean)
    assert (found.value, found.n) == (0.5, 6)
    assert 0.25 <= found.low < 0.5 < found.high <= 0.75
