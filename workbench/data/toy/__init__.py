"""Toy distributions in one and two dimensions, as datasets; Gaussian mixtures carry their exact velocity field."""

from workbench.data.toy.mixture import Mixture
from workbench.data.toy.shapes import Rings, TwoMoons
from workbench.data.toy.tasks import TOYS, Bump, Toy, make_toy, toy

__all__ = ["TOYS", "Bump", "Mixture", "Rings", "Toy", "TwoMoons", "make_toy", "toy"]
