"""Measurements against theory: the three-term W2 bound on mixtures, and the errors of a sampler on any data."""

from workbench.theory.bound import measure
from workbench.theory.coverage import Coverage, mode_coverage, saturation
from workbench.theory.neighbours import ActionDistance, ActionSets, action_sets, compare
from workbench.theory.report import W2Report, prefactor
from workbench.theory.sampler import flow_matching_profile, self_consistency_grid, step_gap, straightness
from workbench.theory.wasserstein import wasserstein_2

__all__ = [
    "ActionDistance",
    "ActionSets",
    "Coverage",
    "W2Report",
    "action_sets",
    "compare",
    "flow_matching_profile",
    "measure",
    "mode_coverage",
    "prefactor",
    "saturation",
    "self_consistency_grid",
    "step_gap",
    "straightness",
    "wasserstein_2",
]
