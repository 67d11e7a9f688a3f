"""The Pareto front: by its definition, on ties, and under changes that must not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench.stats.estimate import ScoresError
from workbench.stats.pareto import pareto_front

LEVELS = st.integers(0, 5).map(float)
"""Few values, so that ties in one coordinate and in both happen often."""


@st.composite
def rows(draw):
    """Costs and values of as many rows."""
    size = draw(st.integers(0, 12))
    return tuple(draw(hnp.arrays(float, size, elements=LEVELS)) for _ in range(2))


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """The definition, for two (cost, value)."""
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@given(rows())
def test_front_is_what_no_row_dominates(table):
    points = [(float(c), float(v)) for c, v in zip(*table, strict=True)]
    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert pareto_front(*table).tolist() == expected


@given(rows())
def test_every_row_off_the_front_has_one_on_it_that_dominates(table):
    front = pareto_front(*table)
    points = [(float(c), float(v)) for c, v in zip(*table, strict=True)]
    on = [point for point, kept in zip(points, front, strict=True) if kept]
    assert not points or on
    for point, kept in zip(points, front, strict=True):
        assert kept or any(dominates(other, point) for other in on)


@given(rows())
def test_along_the_front_a_higher_cost_is_a_higher_value(table):
    cost, value = table
    front = pareto_front(cost, value)
    kept = sorted(set(zip(cost[front].tolist(), value[front].tolist(), strict=True)))
    costs, values = [c for c, _ in kept], [v for _, v in kept]
    assert costs == sorted(set(costs))
    assert values == sorted(set(values))


@given(rows(), st.randoms(use_true_random=False))
def test_order_and_units_do_not_matter(table, random):
    cost, value = table
    order = list(range(len(cost)))
    random.shuffle(order)
    front = pareto_front(cost, value)
    assert (pareto_front(2 * cost[order] + 1, value[order] ** 3) == front[order]).all()


def test_ties():
    """Of equal cost the better value, of equal value the lower cost, and twins together."""
    cost = np.array([1.0, 1.0, 2.0, 3.0, 3.0, 4.0])
    value = np.array([0.2, 0.5, 0.5, 0.9, 0.9, 0.9])
    assert pareto_front(cost, value).tolist() == [False, True, False, True, True, False]


@pytest.mark.parametrize(("cost", "value"), [([np.nan], [1.0]), ([1.0], [np.inf])])
def test_what_is_not_finite_is_refused(cost, value):
    with pytest.raises(ScoresError, match="not finite"):
        pareto_front(np.array(cost), np.array(value))
