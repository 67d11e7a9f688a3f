"""The view as a widget: its picture without a browser, its saved state, its script."""

import base64
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from tests.browser.fake import FakeTrainer, wait_until
from workbench.live.controls import Controls
from workbench.live.panels import PANELS, palette
from workbench.live.png import draw, draw_png, power, thousands
from workbench.live.view import STATIC, LiveView
from workbench.plots.style import SERIES


def test_picture_is_drawn_beside_a_cell_without_touching_its_settings() -> None:
    import matplotlib

    trainer = FakeTrainer(("main", "fork"))
    trainer.advance(30)
    trainer.show_cloud(m=3)
    before = dict(matplotlib.rcParams)
    images = []
    threads = [threading.Thread(target=lambda: images.append(draw_png(trainer, PANELS, dpi=60))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(matplotlib.rcParams) == before
    assert images[0] == images[1]
    assert Image.open(io.BytesIO(images[0])).size[0] > 400


def test_picture_shows_the_panels_that_have_values() -> None:
    trainer = FakeTrainer()
    assert [axes.get_title(loc="left") for axes in draw(trainer, PANELS).axes] == [PANELS[0].label]
    trainer.advance(20)
    trainer.show_cloud(m=2)
    titles = [axes.get_title(loc="left") for axes in draw(trainer, PANELS, np.ones((3, 3))).axes if axes.axison]
    assert titles[:4] == [panel.label for panel in PANELS[:4]]
    assert [title.split(";")[0] for title in titles[4:]] == ["policy, M_inf = 1", "policy, M_inf = 2"]


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.01, "0.01"), (1e-3, "0.001"), (1e-4, "10⁻⁴"), (1e4, "10⁴"), (0.5, "0.5")]
)
def test_log_ticks_are_plain_text(value: float, text: str) -> None:
    assert power(value) == text


@pytest.mark.parametrize(("value", "text"), [(500.0, "500"), (1500.0, "1.5k"), (20_000.0, "20k"), (1.5e6, "1.5M")])
def test_steps_are_short(value: float, text: str) -> None:
    assert thousands(value) == text


def test_branches_have_the_colours_of_the_papers_figures() -> None:
    assert [entry["colour"] for entry in palette()] == [colour for colour, *_ in SERIES]
    assert len({json.dumps(entry["dash"]) for entry in palette()}) == len(SERIES)


@pytest.fixture
def view():
    trainer = FakeTrainer()
    trainer.advance(50)
    made = LiveView(trainer)
    yield made
    made.close()


def test_view_answers_hello(view, monkeypatch) -> None:
    sent = []
    monkeypatch.setattr(view, "send", lambda head, buffers: sent.append(head))
    view._handle_custom_msg({"kind": "hello"}, [])
    assert wait_until(lambda: len(sent) == 1)
    assert sent[0]["branches"][0]["rows"] == 50


def test_bundle_holds_the_widget_and_a_png(view) -> None:
    bundle, _ = view._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "main" in bundle["text/plain"]


def test_saved_state_holds_a_thinned_history(view) -> None:
    view._trainer.advance(2000)
    view.store_snapshot()
    part = view.snapshot["head"]["branches"][0]
    assert 600 <= part["rows"] <= 1100
    assert len(view.snapshot["buffers"][part["buffer"]]) == 4 * part["rows"] * len(part["columns"])


def test_one_script_each_without_requests_or_imports() -> None:
    scripts = [str(widget._esm) for widget in (LiveView, Controls)]
    assert all(any(part.read_text() in script for script in scripts) for part in STATIC.glob("*.js"))
    assert not any(word in "".join(scripts) for word in ("http", "import ", "import(", "fetch(", "eval("))
