"""Claims on tables whose truth is known: each holds, is reversed, is not decided, or is not tested."""

from math import nan

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.claim_tables import EMPTY, RIVALS, bound, cost, evidence, run, sorl, table
from workbench.claims import CLAIMS, Evidence, Row, Verdict, decide, rows
from workbench.stats.differences import ONE_SEED
from workbench.stats.estimate import ScoresError

H, R, U = Verdict.HOLDS, Verdict.REVERSED, Verdict.UNDECIDED
ALL = dict.fromkeys(RIVALS, 0.3)


def row(key: str, tables: Evidence) -> Row:
    return next(each for each in rows(tables) if each.claim.key == key)


def both(rates: dict[str, float]) -> pd.DataFrame:
    return pd.concat([table(rates), table(rates, "scene")])


CASES = [
    ("best_cube_single", evidence(table(ALL | {"sorl": 0.6})), H),
    ("best_cube_single", evidence(table(ALL | {"sorl": 0.6, "idql": 0.9})), R),
    ("best_cube_single", evidence(table(ALL | {"sorl": 0.6, "fql": 0.59})), U),
    ("best_cube_single", evidence(table({"sorl": 0.6, "fql": 0.3})), U),
    ("best_cube_single", evidence(table({"sorl": 0.3, "fql": 0.6})), R),
    ("best_scene", evidence(table(ALL | {"sorl": 0.6}, "scene")), H),
    ("best_scene", evidence(table(ALL | {"sorl": 0.1}, "scene")), R),
    ("best_scene", evidence(table(ALL | {"sorl": 0.32}, "scene")), U),
    ("fql_next", evidence(both(ALL | {"fql": 0.6})), H),
    ("fql_next", evidence(both(ALL | {"fql": 0.6, "sorl": 0.9})), H),
    ("fql_next", evidence(pd.concat([table(ALL | {"fql": 0.6}), table(ALL | {"fql": 0.1}, "scene")])), R),
    ("fql_next", evidence(table(ALL | {"fql": 0.6})), U),
    ("sequential", evidence(sorl({(8, 1, 1): 0.3, (8, 2, 1): 0.4, (8, 8, 1): 0.6})), H),
    ("sequential", evidence(sorl({(8, 1, 1): 0.6, (8, 8, 1): 0.3})), R),
    ("sequential", evidence(sorl({(8, 1, 1): 0.5, (8, 8, 1): 0.52})), U),
    ("recovers", evidence(sorl({(1, 1, 1): 0.2, (1, 8, 1): 0.6, (8, 8, 1): 0.55})), H),
    ("recovers", evidence(sorl({(1, 8, 1): 0.2, (8, 8, 1): 0.6, (1, 8, 4): 1.0})), R),
    ("recovers", evidence(sorl({(1, 8, 1): 0.56, (8, 8, 1): 0.6})), U),
    ("generalises", evidence(sorl({(8, 8, 1): 0.5, (8, 16, 1): 0.56})), H),
    ("generalises", evidence(sorl({(1, 1, 1): 0.6, (1, 8, 1): 0.2, (8, 8, 1): 0.5, (8, 16, 1): 0.5})), R),
    ("generalises", evidence(sorl({(8, 8, 1): 0.5, (8, 16, 1): 0.48})), U),
    ("generalises", evidence(sorl({(8, 8, 1): 0.02, (8, 16, 1): 0.02})), U),
    ("best_of_n", evidence(sorl({(8, 8, 1): 0.3, (8, 8, 4): 0.6, (8, 8, 32): 0.0})), H),
    ("best_of_n", evidence(sorl({(8, 8, 1): 0.3, (8, 8, 8): 0.1})), R),
    ("best_of_n", evidence(sorl({(8, 8, 1): 0.3, (8, 8, 4): 0.32})), U),
    ("cost", evidence(cost=cost(1.2)), H),
    ("cost", evidence(cost=cost(0.8)), R),
    ("cost", evidence(cost=cost(1.0)), U),
    ("w2", evidence(bound=bound([0.20, 0.21, 0.22], [0.10, 0.11, 0.12])), H),
    ("w2", evidence(bound=bound([0.10, 0.11, 0.12], [0.20, 0.21, 0.22])), R),
    ("w2", evidence(bound=bound([0.20, 0.11, 0.12], [0.10, 0.10, 0.12])), U),
    ("w2", evidence(bound=bound([0.20], [0.10])), U),
]


@pytest.mark.parametrize(("key", "tables", "verdict"), CASES, ids=[f"{key}-{v}" for key, _, v in CASES])
def test_the_verdict_is_the_truth(key, tables, verdict):
    assert row(key, tables).verdict is verdict


def test_every_claim_was_tried_with_every_truth():
    assert {(key, verdict) for key, _, verdict in CASES} == {(c.key, v) for c in CLAIMS for v in (H, R, U)}


LACKING = [
    evidence(),
    evidence(pd.DataFrame(columns=table({"bc": 0.0}).columns)),
    evidence(run("bc", 0.5, 1)),
    evidence(sorl({(4, 2, 1): 0.5})),
]


@pytest.mark.parametrize("tables", LACKING)
def test_without_its_rows_a_claim_is_not_tested(tables):
    assert {each.verdict for each in rows(tables)} == {Verdict.UNTESTED}


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-0.5, 0.5), st.booleans())
def test_the_rule(low, width, threshold, whole):
    """One verdict each; mirrored tables swap the first two; what is not whole never holds; wider decides no more."""
    high = low + width
    found = decide(low, high, threshold, whole=whole)
    assert (found is H) == (low > threshold and whole)
    assert (found is R) == (high < threshold)
    swapped = {H: R, R: H, U: U}
    assert decide(-high, -low, -threshold) is swapped[decide(low, high, threshold)]
    assert decide(low - 0.1, high + 0.1, threshold) in (decide(low, high, threshold), U)


def test_no_interval_is_not_decided():
    assert decide(nan, nan) is U


def test_one_training_seed_says_so_and_two_are_reached():
    alone = row("sequential", evidence(sorl({(8, 1, 1): 0.3, (8, 8, 1): 0.6}, seeds=(0,)))).finding
    assert alone is not None
    assert alone.difference.kind == ONE_SEED
    apart = pd.concat(
        [sorl({(8, 1, 1): 0.1, (8, 8, 1): 0.9}, seeds=(0,)), sorl({(8, 1, 1): 0.4, (8, 8, 1): 0.3}, seeds=(1,))]
    )
    assert row("sequential", evidence(apart)).verdict is U


def test_agents_are_scored_by_the_last_three_checkpoints_at_their_own_budget():
    early = table({"sorl": 0.0, "fql": 1.0}, steps=(10_000, 50_000))
    other_budget = pd.concat([run("sorl", 0.0, 1, m_btt=8.0), run("idql", 1.0, 5, 1)])
    few_steps = run("sorl", 0.0, 8, m_btt=1.0)
    found = row(
        "best_cube_single", evidence(pd.concat([table({"sorl": 0.7, "fql": 0.4}), early, other_budget, few_steps]))
    )
    assert found.finding is not None
    assert found.finding.ours == "SORL 70.0 %; best other FQL 40.0 %"
    assert found.finding.n == "2 seeds × 3 checkpoints × 100 episodes"
    assert found.finding.scale == "4×128, 200k updates, 1M rows of regenerated data, cube-single task 2, 2 seeds"
    assert "IDQL" in found.finding.lacking
    assert "FQL" not in found.finding.lacking.replace("IFQL", "")


def test_a_run_that_did_not_end_is_left_out():
    unfinished = run("fql", 1.0, 1, steps=(50_000, 100_000))
    assert row("best_cube_single", evidence(pd.concat([table({"sorl": 0.5}), unfinished]))).verdict is Verdict.UNTESTED


def test_a_rival_of_other_seeds_is_not_compared():
    other = table({"fql": 0.9}, seeds=(7,))
    assert row("best_cube_single", evidence(pd.concat([table({"sorl": 0.5}), other]))).verdict is Verdict.UNTESTED


def test_at_least_as_good_allows_a_tenth_and_at_most_five_points():
    found = {rate: row("generalises", evidence(sorl({(8, 8, 1): rate, (8, 16, 1): rate}))) for rate in (0.8, 0.2)}
    assert {rate: each.threshold for rate, each in found.items()} == {0.8: -0.05, 0.2: pytest.approx(-0.02)}


def test_half_a_campaign_is_compared_where_the_most_rivals_are():
    """The second seed of SORL and another task have no rival yet: neither moves a number."""
    first = table({"sorl": 0.6, "fql": 0.4, "iql": 0.3}, seeds=(0,))
    task = "cube-single-play-singletask-task5-v0"
    more = [table({"sorl": 0.1}, seeds=(1,)), table({"sorl": 0.0, "iql": 0.9}).assign(task=task)]
    whole, alone = (row("best_cube_single", evidence(cells)) for cells in (pd.concat([first, *more]), first))
    assert whole == alone
    assert whole.finding is not None
    assert whole.finding.difference.kind == ONE_SEED


def test_candidates_are_those_of_the_protocols_verifier():
    """Judged by the minimum the same candidates fail; on cube-single the protocol's verifier is the mean."""
    cells = pd.concat([sorl({(8, 8, 1): 0.3, (8, 8, 4): 0.6}), sorl({(8, 8, 4): 0.0}, verifier="min")])
    assert row("best_of_n", evidence(cells)).verdict is H


def test_budgets_are_compared_at_common_checkpoints():
    """The curve is played at M_inf = 8 alone; M_inf = 1 at the last checkpoint alone."""
    cells = pd.concat([sorl({(8, 8, 1): 0.6}), sorl({(8, 1, 1): 0.3}, steps=(200_000,))])
    found = row("sequential", evidence(cells))
    assert found.finding is not None
    assert found.verdict is H
    assert found.finding.n == "2 seeds × 1 checkpoint × 100 episodes"
    assert found.finding.ours == "M_inf 1: 30.0 %, 8: 60.0 %"


def test_runs_of_several_settings_are_refused_by_name():
    cells = pd.concat([table({"sorl": 0.5, "fql": 0.4}), table({"sorl": 0.5}, w_ql=1.0)])
    with pytest.raises(ScoresError, match=r"sorl on cube-single.* differ in w_ql \(10.0, 1.0\)"):
        rows(evidence(cells))
    twice = pd.concat([table({"sorl": 0.5, "fql": 0.4}), table({"fql": 0.4}, hash="other")])
    with pytest.raises(ScoresError, match="two runs of fql"):
        rows(evidence(twice))


def test_the_published_numbers_are_those_of_the_package():
    found = {each.claim.key: each.published for each in rows(evidence(EMPTY))}
    assert found["best_cube_single"] == "SORL 97 ± 1 %; next FQL 96 ± 1 %"
    assert found["best_scene"] == "SORL 57 ± 2 %; next FQL 56 ± 2 %"
    assert found["fql_next"] == "cube-single: FQL 96 ± 1 %; next IDQL 95 ± 2 %; scene: FQL 56 ± 2 %; next IDQL 46 ± 3 %"
    assert set(found.values()) - {found[key] for key in ("best_cube_single", "best_scene", "fql_next")} == {
        "direction only"
    }
