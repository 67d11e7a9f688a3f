"""The mixture explorer without a browser: what sliders start, that they compile nothing, and what is drawn."""

import io
import threading
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from PIL import Image

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.live.latest import Latest
from workbench.live.mixture_explorer import MixtureExplorer, Size, controls, draws_of, mixture_of
from workbench.live.names import Names

TINY = Size(width=16, depth=1, m_disc=4, rows=64, batch=16, samples=40, marks=(4, 10), dpi=50)


@pytest.fixture(scope="module", name="explorer")
def fixture_explorer() -> Iterator[MixtureExplorer]:
    made = MixtureExplorer(TINY)
    yield made
    made.close()


def defaults() -> dict[str, float]:
    return {name: value for name, (value, *_) in controls().items()}


def test_the_picture_has_a_name(explorer):
    names = next(each.names for each in explorer.children if isinstance(each, Names))
    assert "bound on W2" in names["img"]


def test_draws_are_those_of_the_mixture():
    values = defaults()
    mixture, a = mixture_of(values), draws_of(values, 4000)
    weight = np.exp(np.asarray(mixture.log_weight))
    np.testing.assert_allclose(weight, [0.5, 0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(a.mean(axis=0), weight @ np.asarray(mixture.mean), atol=0.02)
    nearest = np.linalg.norm(a[:, None] - np.asarray(mixture.mean), axis=-1).argmin(axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / len(a), weight, atol=0.03)
    moved = draws_of(values | {"x1": -0.4}, 4000)
    assert set(np.round((moved - a)[:, 0], 6)) == {0.0, 0.1}


def test_terms_stack_up_to_a_bound_that_holds(explorer):
    table = explorer.result(600.0)
    assert table["m_inf"].tolist() == [1, 2, 4]
    assert set(table["step"]) == {10}
    terms = table[["flow_matching_end", "discretisation_end", "self_consistency_end"]].sum(axis=1)
    np.testing.assert_allclose(terms, table["bound_measured"], rtol=1e-4)
    assert (table["coupled"] <= table["bound_measured"] * (1 + 1e-4)).all()
    assert "update 10 of 10" in explorer.status.value
    assert Image.open(io.BytesIO(explorer.picture.value)).size[0] > 300
    assert explorer.numbers.value.count("<tr") == 4


def test_no_slider_compiles_anything(explorer):
    explorer.result(600.0)
    before, compiled = explorer.table, []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration_secs, **_: compiled.append(duration_secs) if "backend_compile" in event else None
    )
    for name, slider in explorer.sliders.items():
        slider.value = (slider.min + slider.max) / 2
        if name in ("w2", "sc"):
            explorer.result(600.0)
    after = explorer.result(600.0)
    assert compiled == []
    assert (after["w2"] != before["w2"]).all()


def test_sliders_move_from_code_or_not_at_all(explorer):
    explorer.set(x1=0.1, sc=0.0)
    assert (explorer.values["x1"], explorer.values["sc"]) == (0.1, 0.0)
    with pytest.raises(WorkbenchError, match=r"sigma must be between 0\.04 and 0\.2, not 2"):
        explorer.set(x1=0.3, sigma=2.0)
    with pytest.raises(UnknownNameError, match="unknown slider 'x4'"):
        explorer.set(x4=0.0)
    assert explorer.values["x1"] == 0.1
    explorer.result(600.0)


def test_the_newest_request_wins_and_errors_do_not_end_the_thread():
    begun, go, seen, told = threading.Event(), threading.Event(), [], []

    def work(request: str, wanted) -> None:
        begun.set()
        go.wait(10.0)
        seen.append((request, wanted()))
        if request == "bad":
            raise WorkbenchError("mend it.")

    latest = Latest(work, "test", told.append)
    latest.ask("first")
    assert begun.wait(10.0)
    latest.ask("skipped")
    latest.ask("last")
    assert not latest.wait(0.01)
    go.set()
    latest.result(10.0)
    assert seen == [("first", False), ("last", True)]
    latest.ask("bad")
    with pytest.raises(WorkbenchError, match="mend it"):
        latest.result(10.0)
    assert told == ["mend it."]
    latest.ask("good")
    latest.result(10.0)
    latest.close()
    assert not latest._thread.is_alive()
