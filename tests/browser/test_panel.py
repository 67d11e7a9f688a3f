"""The panel in Chromium: shown without changing anything, exact, by mouse and keyboard, one mark a movement."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Lab, NotebookPage
from workbench.live.controls import STATIC_FILES

SETUP = """
import threading, time
from workbench.live import Controls, Trainer
from workbench.live.marks import own_marks
values = {"ql": 3.0, "fm": 0.985, "sc": -1.0, "lr": 0.005, "tau": 2e-5, "gamma": 0.9999}
trainer = Trainer("toy:eight_gaussians", settings={"width": 16, "depth": 1}, weights=values)
main, controls = trainer.branch, Controls(trainer)
dials = lambda: {**main.dials.read()[1].values}
moves = lambda: [[each.name, each.old, each.new] for each in main.interventions]
marks = lambda: [[each.name, each.old, each.new] for each in own_marks(main)]

def follow():  # what a training does between its updates
    while True:
        main.follow_dials()
        main.step += 1
        time.sleep(0.01)

threading.Thread(target=follow, daemon=True).start()
"""
SHOW = "controls"


def shown(page: NotebookPage) -> None:
    """Run the first cells and wait for the panel."""
    for cell in range(2):
        page.run(cell)
    page.until("() => document.querySelectorAll('.workbench-panel .dial').length > 5")


def told(page: NotebookPage, expression: str) -> list:
    """A list of the kernel, once no message is on its way."""
    page.page.wait_for_timeout(300)
    return json.loads(page.kernel(f"__import__('json').dumps({expression})").strip("'"))


def box(page: NotebookPage, symbol: str) -> str:
    """What stands in a number box."""
    return page.page.get_by_label(f"{symbol}, number").input_value()


def type_in(page: NotebookPage, symbol: str, text: str) -> None:
    """Type a number and press Enter."""
    page.page.get_by_label(f"{symbol}, number").fill(text)
    page.page.keyboard.press("Enter")


def test_showing_and_selecting_change_nothing_and_values_are_shown_as_they_are(
    lab: Lab, open_notebook: OpenNotebook
) -> None:
    page = open_notebook(lab, SETUP, SHOW, "controls", "trainer.set(ql=7.5, fm=2e6, n=6, m_inf=3)")
    shown(page)
    page.run(2)
    expected = {"w_QL": "3", "w_FM": "0.985", "w_SC": "-1", "lr": "0.005", "τ": "0.00002", "γ": "0.9999"}
    first = page.page.locator(".workbench-panel").first
    assert {name: first.get_by_label(f"{name}, number").input_value() for name in expected} == expected
    assert told(page, "moves()") == []
    page.run(3)
    page.until("() => document.querySelector('.workbench-dial-ql input').value === '7.5'")
    expected = {"w_FM": "2000000", "N": "6", "M_inf": "3"}
    assert {name: first.get_by_label(f"{name}, number").input_value() for name in expected} == expected
    assert told(page, "moves()") == [["ql", 3.0, 7.5], ["fm", 0.985, 2e6], ["m_inf", 8, 3], ["n", 1, 6]]
    assert first.get_by_label("w_FM, weight").get_attribute("aria-valuetext") == "2000000, beyond the slider"


@pytest.mark.slow
def test_typed_numbers_hold_and_what_is_not_legal_is_refused_in_words(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW)
    shown(page)
    for symbol, name, text in (("w_QL", "ql", "7.5"), ("w_FM", "fm", "2e6"), ("w_SC", "sc", "0.9851"), ("N", "n", "6")):
        type_in(page, symbol, text)
        assert told(page, f"[dials()['{name}']]") == [float(text)]
    assert box(page, "w_FM") == "2000000"
    before = told(page, "dials()")
    type_in(page, "τ", "2")
    alert = page.page.locator(".workbench-dial-tau [role=alert]")
    alert.wait_for()
    assert alert.inner_text() == "τ must be a number between 0 and 1, not '2'. It stays 0.00002."
    assert box(page, "τ") == "2"
    page.page.keyboard.press("Escape")
    assert (box(page, "τ"), alert.is_visible()) == ("0.00002", False)
    assert told(page, "dials()") == before


@pytest.mark.slow
def test_a_drag_is_one_mark_and_a_double_click_is_the_papers_value(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW)
    shown(page)
    place = page.page.locator(".workbench-dial-ql [role=slider]").bounding_box()
    assert place is not None
    mouse, y = page.page.mouse, place["y"] + place["height"] / 2
    mouse.move(place["x"] + 0.2 * place["width"], y)
    mouse.down()
    for share in range(21, 81):
        mouse.move(place["x"] + 0.01 * share * place["width"], y)
        page.page.wait_for_timeout(10)
    mouse.up()
    (mark,) = told(page, "marks()")
    assert (mark[:2], mark[2] > 50) == (["ql", 3.0], True)
    assert len(told(page, "moves()")) > 5, "it takes effect on the way"
    mouse.click(place["x"] + 0.8 * place["width"], y)
    assert told(page, "marks()") == [mark], "a thumb that is touched stays"
    page.page.wait_for_timeout(500)
    mouse.dblclick(place["x"] + 0.5 * place["width"], y)
    paper = float(page.kernel("trainer.values_of('paper')['ql']"))
    assert told(page, "marks()") == [mark, ["ql", mark[2], paper]]
    assert page.page.locator(".workbench-dial-ql .paper").is_disabled()


@pytest.mark.slow
def test_keyboard_moves_a_dial_that_tells_its_value(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW)
    shown(page)
    slider = page.page.locator(".workbench-dial-ql [role=slider]")
    assert slider.get_attribute("aria-label") == "w_QL, weight of the Q loss"
    slider.focus()
    texts = []
    for key in ("ArrowRight", "ArrowLeft", "PageUp", "Home", "ArrowRight", "End", "Backspace"):
        page.page.keyboard.press(key)
        texts.append(slider.get_attribute("aria-valuetext"))
        assert told(page, "[len(marks())]") == [len(texts)], "each press is a movement, once an update has followed"
    assert texts == ["3.4", "3", "9.5", "0, off", "0.01", "1000", "5, the paper's value"]
    page.page.keyboard.down("ArrowRight")
    for _ in range(10):
        page.page.keyboard.down("ArrowRight")
    page.page.keyboard.up("ArrowRight")
    assert len(told(page, "marks()")) == len(texts) + 1, "a key that is held down is one"
    switch = page.page.get_by_role("switch", name="w_QL on")
    last = box(page, "w_QL")
    switch.press("Space")
    assert (box(page, "w_QL"), switch.get_attribute("aria-checked")) == ("0", "false")
    switch.press("Space")
    assert (box(page, "w_QL"), switch.get_attribute("aria-checked")) == (last, "true")
    assert told(page, "[dials()['ql']]") == [float(last)]


@pytest.mark.slow
def test_what_waits_for_a_cell_belongs_to_the_branch_that_was_shown(
    lab_without_subshells: Lab, open_notebook: OpenNotebook
) -> None:
    busy = "import time; time.sleep(4); trainer.fork(name='second')"
    page = open_notebook(lab_without_subshells, SETUP, SHOW, busy)
    shown(page)
    page.run(2, wait=False)
    page.page.wait_for_timeout(500)
    type_in(page, "w_FM", "7.5")
    page.page.get_by_text("The kernel has not answered yet").wait_for()
    assert box(page, "w_FM") == "7.5"
    page.until("() => document.querySelector('.workbench-panel').dataset.branch === 'second'")
    both = "[branch.dials.read()[1].values['fm'] for branch in trainer.branches.values()]"
    assert told(page, both) == [7.5, 0.985]
    page.until("() => document.querySelector('.workbench-dial-fm input').value === '0.985'")


@pytest.fixture(name="blank", scope="module")
def fixture_blank(browser: Any) -> Iterator[Page]:
    """A page that holds nothing but the scales."""
    page = browser.new_page()
    page.add_script_tag(content=(STATIC_FILES / "scale.js").read_text())
    yield page
    page.close()


SCALES = """specs => specs.map(([spec, value, key]) => {
    const scale = new Scale({least: 0.01, most: 1000, kind: "log", zero: true, ...spec});
    return key ? scale.keyed(value, key) : [scale.at(scale.share(value)), scale.beyond(value)];
})"""
HORIZON = {"least": 1, "most": 1000, "kind": "horizon", "zero": False}
POWERS = {"least": 1, "most": 64, "kind": "powers", "zero": False}
RATE = {"least": 1e-5, "most": 0.1, "zero": False}


@pytest.mark.parametrize(
    ("spec", "value", "key", "expected"),
    [
        ({}, 0, None, [0, 0]),
        ({}, 3, None, [3, 0]),
        ({}, 0.01, None, [0.01, 0]),
        ({}, 1000, None, [1000, 0]),
        ({}, 1e-7, None, [0.01, -1]),
        ({}, -1, None, [0, -1]),
        ({}, 2e6, None, [1000, 1]),
        (HORIZON, 0.99, None, [0.99, 0]),
        (HORIZON, 0, None, [0, 0]),
        (HORIZON, 1, None, [0.999, 1]),
        (HORIZON, 0.99999, None, [0.999, 1]),
        (POWERS, 6, None, [8, 0]),
        (RATE, 0, None, [1e-5, -1]),
        ({}, 0, "ArrowRight", 0.01),
        ({}, 0, "ArrowLeft", 0),
        ({}, 0.01, "ArrowLeft", 0),
        ({}, 1e-7, "ArrowLeft", 0),
        ({}, 3, "ArrowUp", 3.4),
        ({}, 1000, "ArrowUp", 1000),
        ({}, 2e6, "ArrowUp", 2e6),
        ({}, 2e6, "ArrowDown", 1.8e6),
        ({}, -1, "ArrowDown", -1),
        ({}, -1, "ArrowUp", 0),
        ({}, 3, "Home", 0),
        (POWERS, 6, "ArrowUp", 8),
        (POWERS, 6, "ArrowDown", 4),
        (POWERS, 8, "PageDown", 2),
        (HORIZON, 0.99, "End", 0.999),
        (HORIZON, 1, "ArrowDown", 0.999),
        (HORIZON, 0, "ArrowDown", 0),
        (RATE, 0, "ArrowUp", 1e-5),
        (RATE, 0, "ArrowDown", 0),
        (RATE, 0.00501, "ArrowUp", 0.0056),
        ({}, 3, "x", None),
    ],
)
def test_where_values_stand_and_keys_lead(blank: Page, spec, value, key, expected) -> None:
    assert blank.evaluate(SCALES, [[spec, value, key]]) == [expected]
