"""Ways of playing the same starts: the test against its closed form, and Holm's correction against its definition."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.stats.estimate import ScoresError
from workbench.stats.paired import holm, mcnemar, success_gain


def outcomes(won: int, lost: int, both: int = 3, neither: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Successes of two sides that differ on `won` + `lost` starts."""
    a = np.repeat([True, False, True, False], [won, lost, both, neither])
    b = np.repeat([False, True, True, False], [won, lost, both, neither])
    return a, b


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (5, 0), (8, 2), (3, 3), (2, 9)])
def test_the_test_counts_coin_tosses(won, lost):
    k = won + lost
    tail = sum(comb(k, i) for i in range(min(won, lost) + 1)) / 2**k
    assert mcnemar(*outcomes(won, lost)) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(*outcomes(lost, won)) == pytest.approx(min(1.0, 2 * tail))


def test_what_both_share_does_not_widen_a_difference():
    narrow, wide = (success_gain(*outcomes(10, 0, both, neither)) for both, neither in ((90, 0), (45, 45)))
    assert (narrow.value, wide.value) == pytest.approx((0.1, 0.1))
    assert (narrow.low, narrow.high) == pytest.approx((wide.low, wide.high), abs=0.01)
    assert narrow.low > 0


def test_unequal_or_no_starts_are_refused():
    for a, b in (([True], [True, False]), ([], [])):
        with pytest.raises(ScoresError, match="cannot be paired"):
            success_gain(np.array(a, bool), np.array(b, bool))


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_values_and_bonferroni(p):
    found, values = holm(p), np.array(p)
    assert np.all(found >= values)
    assert np.all(found <= np.minimum(1, len(p) * values) + 1e-12)
    assert np.all(np.diff(found[np.argsort(values, kind="stable")]) >= 0)
