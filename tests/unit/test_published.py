"""Published scores: whole, in [0, 1], with their source, in agreement with each other, protocols kept apart."""

import pandas as pd
import pytest

from workbench import published
from workbench.plots.style import AGENTS
from workbench.published import ENVIRONMENTS, SORL_PROTOCOL, MixedProtocolsError

ROUNDING = 0.005
"""Half a percent: as far as a printed score may be from the number it was rounded from."""


@pytest.mark.parametrize("name", ["aggregates", "per_task"])
def test_scores_are_rates_with_source_and_protocol(name: str) -> None:
    table = getattr(published, name)()
    assert table["score"].between(0, 1).all()
    assert table["score"].max() > 0.9
    assert set(table["kind"]) == {"published"}
    assert (table[["environment", "method", "protocol", "source"]] != "").all(axis=None)
    assert (
        not table.drop(columns="source").duplicated(["environment", "method", "protocol", *{"task"} & set(table)]).any()
    )


def test_main_table_is_full() -> None:
    table = published.aggregates().pivot(index="environment", columns="method", values="score")
    assert set(table) == set(AGENTS)
    assert table.loc[list(ENVIRONMENTS)].notna().all(axis=None)
    assert set(table.index) - set(table["SORL"].dropna().index) == {"puzzle-3x3-play", "puzzle-4x4-play"}
    assert table.loc["antmaze-large-navigate", "SORL"] == pytest.approx(0.89)


def test_forty_tasks_of_ten_baselines() -> None:
    table = published.per_task().pivot(index="method", columns=["environment", "task"], values="score")
    assert table.shape == (10, 40)
    assert table.notna().all(axis=None)
    assert set(table.index) == set(AGENTS) - {"SORL"}


def test_means_over_tasks_agree_with_the_aggregates_within_rounding() -> None:
    means = published.per_task().groupby(["environment", "method"], as_index=False).agg(mean=("score", "mean"))
    both = means.merge(published.aggregates(), on=["environment", "method"], validate="one_to_one")
    assert len(both) == 80
    gap = (both["mean"] - both["score"]).abs()
    assert max(gap) <= 2 * ROUNDING
    far = both.loc[gap > ROUNDING + 1e-9, ["environment", "method"]].to_numpy().tolist()
    assert {(environment.removesuffix("-navigate"), method) for environment, method in far} == {
        ("cube-double-play", "IQL"),
        ("cube-double-play", "SRPO"),
        ("humanoidmaze-large", "BC"),
        ("humanoidmaze-large", "CAC"),
        ("humanoidmaze-large", "ReBRAC"),
        ("humanoidmaze-medium", "FQL"),
    }


def test_mixed_protocols_are_refused_in_one_sentence() -> None:
    known, other = published.aggregates(), published.per_task().assign(protocol="larger data")
    assert published.same_protocol(known, published.per_task()) == SORL_PROTOCOL
    with pytest.raises(MixedProtocolsError, match=r"2 protocols cannot stand in one table.*larger data") as caught:
        published.same_protocol(known, other)
    assert "\n" not in str(caught.value)
    with pytest.raises(MixedProtocolsError, match="2 protocols"):
        published.same_protocol(pd.concat([known, other]))
    with pytest.raises(MixedProtocolsError, match="no published scores"):
        published.same_protocol(known.iloc[:0])
