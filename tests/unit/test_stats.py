"""Statistics against scipy and closed forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from workbench.stats import wilson


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_equals_scipy(n, share):
    k = round(share * n)
    low, high = wilson(k, n)
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert low == pytest.approx(expected.low, abs=1e-7)
    assert high == pytest.approx(expected.high, abs=1e-7)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_what_is_no_rate(k, n):
    with pytest.raises(ValueError, match="no rate"):
        wilson(k, n)
