"""The page and curves of the pilot: what is compared with what, and what may be said of it."""

import numpy as np
import pandas as pd
import pytest

from workbench.plots.pilot import BUDGETS, pilot, pilot_text, settings

CENTRE = {"preset": "paper", "rows": 10**6, "width": 128, "depth": 4, "m_btt": 2, "w_ql": 10.0, "steps": 200_000}
CENTRE |= {"lr": 3e-4, "gamma": 0.99, "tau": 0.005}
SMALL = CENTRE | {"preset": "small", "rows": 3 * 10**5, "steps": 20_000, "lr": 1e-3}


def run(name: str, rate: float, **changed: object) -> pd.DataFrame:
    """Five evaluated checkpoints of one run; one for a short one."""
    fixed = (
        CENTRE | changed | {"hash": name, "task": "cube-single-play-singletask-task2-v0", "agent": "sorl", "seed": 0}
    )
    steps = int(str(fixed["steps"]))
    at = [steps] if steps == 20_000 else range(steps // 5, steps + 1, steps // 5)
    fixed |= {"episodes": 50, "successes": round(50 * rate), "verifier": "mean"}
    return pd.DataFrame([fixed | {"step": step, "m_inf": m, "n": n} for step in at for m, n in BUDGETS])


CELLS = pd.concat(
    [
        run("s2", 0.2, **SMALL | {"w_ql": 3.0}),
        run("s1", 0.2, **SMALL | {"w_ql": 0.2}),
        run("c", 0.8),
        run("low", 0.3, w_ql=1.0),
        run("same", 0.82, rows=3 * 10**5),
        run("size", 0.98, width=256, depth=2),
    ],
    ignore_index=True,
)


def test_each_length_has_a_centre_and_a_longer_one_is_compared_with_the_shorter():
    found = settings(CELLS)
    assert [set(each.rows["hash"]) for each in found] == [{"s1"}, {"s2"}, {"c"}, {"low"}, {"same"}, {"size"}]
    against = [None if each.against is None else set(each.against.rows["hash"]) for each in found]
    assert against == [None, {"s1"}, {"s1"}, {"c"}, {"c"}, {"c"}]
    assert [each.words for each in found[3:]] == ["w_QL 1", "300,000 rows", "width 256, depth 2"]


def test_only_what_its_interval_allows_is_said():
    lines = {line.split(" | ")[0].strip("| "): line for line in pilot_text(CELLS)["md"].splitlines() if " | " in line}
    assert "**worse** at M_inf 8, N 1: −50 points" in lines["w_QL 1"]
    assert "**better** at M_inf 8, N 4: +18 points" in lines["width 256, depth 2"]
    assert "nothing at 50 episodes" in lines["300,000 rows"]
    assert "30 % [23, 38]" in lines["w_QL 1"]  # Wilson's of 45 in 150: three checkpoints
    assert "20 % [11, 33]" in lines["w_QL 3"]  # of 10 in 50: it has one


def test_a_run_that_is_not_finished_is_not_on_the_page():
    begun = run("begun", 0.5, lr=1e-4).query("step <= 80_000")
    text = pilot_text(pd.concat([CELLS, begun], ignore_index=True))["md"]
    assert "0.0001" not in text
    assert "6 runs" in text


def test_five_panels_leave_no_empty_place():
    more = [run("lr", 0.5, lr=1e-4), run("btt", 0.5, m_btt=8)]
    figure = pilot(pd.concat([CELLS, *more], ignore_index=True))
    assert len(figure.axes) == 5
    assert all(axes.lines for axes in figure.axes)


@pytest.mark.parametrize("cells", [CELLS, CELLS.loc[CELLS["hash"] == "c"].reset_index(drop=True)])
def test_curves_are_of_the_longest_training(cells):
    figure = pilot(cells)
    titles = [axes.get_title() for axes in figure.axes]
    assert all(axes.lines for axes in figure.axes)
    assert titles == (["$w_{QL}$", "rows of data", "network"] if len(cells) > 30 else [""])
    for axes in figure.axes:
        assert np.asarray(axes.lines[0].get_ydata()).tolist() == [80.0] * 5
