"""Statistics of run records, in plain numpy: every number comes with its interval, its n and what its ± means."""

from workbench.stats.aggregates import estimate, iqm, mean, mean_and_sd, median, optimality_gap
from workbench.stats.comparisons import paired_difference, probability_of_improvement
from workbench.stats.correlation import rank_correlation
from workbench.stats.differences import rate_difference, student, success_difference
from workbench.stats.estimate import Estimate, ScoresError
from workbench.stats.intervals import Bootstrap, success_rate, wilson
from workbench.stats.pareto import pareto_front
from workbench.stats.profiles import Profile, performance_profile
from workbench.stats.tables import matched, run_scores, score_matrix

__all__ = [
    "Bootstrap",
    "Estimate",
    "Profile",
    "ScoresError",
    "estimate",
    "iqm",
    "matched",
    "mean",
    "mean_and_sd",
    "median",
    "optimality_gap",
    "paired_difference",
    "pareto_front",
    "performance_profile",
    "probability_of_improvement",
    "rank_correlation",
    "rate_difference",
    "run_scores",
    "score_matrix",
    "student",
    "success_difference",
    "success_rate",
    "wilson",
]
