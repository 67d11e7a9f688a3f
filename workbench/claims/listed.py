"""The nine claims, in the order of the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pandas as pd

from workbench.claims.compute import generalises, more_candidates, more_steps, recovers
from workbench.claims.standing import leads, published_standing
from workbench.claims.terms import fewer_steps_farther, self_consistency_cost
from workbench.claims.verdicts import Evidence, Finding, Verdict, decide

DIRECTION = "direction only"
"""Stands where the paper's summary gives no number."""

Test = Callable[[Evidence], Finding | None]
Published = Callable[[pd.DataFrame], str]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper's summary and its test: the claim says that a difference is more than nothing.

    With `at_least` it may be less by what the finding allows.
    `unit` names the difference: `points` of success, `times` as long (less 1), or `distance` of actions. `published`
    makes the paper's number of the published scores; `figure` asks the same question, `study` makes the table.
    """

    key: str
    text: str
    test: Test
    unit: str
    figure: str
    study: str
    at_least: bool = False
    published: Published = field(default=lambda table: DIRECTION)


@dataclass(frozen=True)
class Row:
    """A claim, what was published and found of it, and the verdict."""

    claim: Claim
    published: str
    finding: Finding | None
    verdict: Verdict

    @property
    def threshold(self) -> float:
        """What the difference must exceed."""
        return -self.finding.allowed if self.finding and self.claim.at_least else 0.0


def _standing(key: str, text: str, environments: Sequence[str], agent: str, without: Sequence[str] = ()) -> Claim:
    return Claim(
        key,
        text,
        partial(leads, environments, agent, without),
        "points",
        "main_table",
        "two_cores",
        published=partial(published_standing, environments, agent, without),
    )


def _success(key: str, text: str, test: Test, figure: str, *, at_least: bool = False) -> Claim:
    return Claim(key, text, test, "points", figure, "two_cores", at_least)


CLAIMS = (
    _standing("best_cube_single", "SORL is the best of its table on cube-single", ["cube-single"], "SORL"),
    _standing("best_scene", "SORL is the best of its table on scene", ["scene"], "SORL"),
    _standing("fql_next", "FQL is next to SORL on both", ["cube-single", "scene"], "FQL", ["SORL"]),
    _success("sequential", "Success grows with M_inf, training being the same", more_steps, "sequential_scaling"),
    _success(
        "recovers",
        "M_BTT = 1 with M_inf = 8 recovers M_BTT = 8",
        recovers,
        "training_inference",
        at_least=True,
    ),
    _success(
        "generalises",
        "Inference steps generalise beyond M_BTT: success at M_inf > M_BTT is at least that at M_inf = M_BTT",
        generalises,
        "training_inference",
        at_least=True,
    ),
    _success("best_of_n", "Best-of-N helps: N = 4 over N = 1", more_candidates, "parallel_scaling"),
    Claim(
        "cost",
        "Self-consistency costs training time over plain flow matching",
        self_consistency_cost,
        "times",
        "runtime",
        "self_consistency_cost",
    ),
    Claim(
        "w2",
        "With w_QL = 0, W2 to the data grows as M shrinks",
        fewer_steps_farther,
        "distance",
        "w2_bound",
        "mixture",
    ),
)


def rows(evidence: Evidence) -> list[Row]:
    """Every claim with its verdict; raises `ScoresError` for tables whose rows cannot be taken together."""
    return [_row(claim, evidence) for claim in CLAIMS]


def _row(claim: Claim, evidence: Evidence) -> Row:
    finding, published = claim.test(evidence), claim.published(evidence.published)
    row = Row(claim, published, finding, Verdict.UNTESTED)
    if finding is None:
        return row
    ends = finding.difference.low, finding.difference.high
    return replace(row, verdict=decide(*ends, row.threshold, whole=not finding.lacking))
