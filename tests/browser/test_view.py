"""The live view in JupyterLab: drawn, restored, operable by keyboard, readable without it, quiet."""

import base64
import io

from PIL import Image

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Lab

SETUP = """
from tests.browser.fake import FakeTrainer
from workbench.live.view import LiveView
trainer = FakeTrainer()
view = LiveView(trainer)
"""
SHOW = "view"
PAST = (
    "trainer.advance(100); trainer.change('sc', 4.0); trainer.advance(50); trainer.fork('second'); trainer.advance(50)"
)
ROWS = "n => +document.querySelector('.workbench-live')?.dataset.rows >= n"
STATUS = "s => document.querySelector('.workbench-live')?.dataset.status === s"
CANVAS = '.workbench-live canvas[role="slider"]'


def test_curves_grow_while_training_runs_and_a_reload_restores_them(any_lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(any_lab, SETUP, SHOW, PAST, "trainer.run()", "trainer.halt()")
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 250)
    drawn = page.pixels("flow-matching loss")
    assert drawn > 500
    assert page.shown("marks") == "1"
    page.run(3)
    page.until(ROWS, 300)
    assert page.pixels("flow-matching loss") != drawn
    page.reload()
    page.until(ROWS, 300)
    running = int(page.shown("rows"))
    page.until(ROWS, running + 20)
    page.run(4)
    page.until(STATUS, "paused")
    assert int(page.shown("rows")) == int(page.kernel("sum(len(b.history._rows) for b in trainer.branches.values())"))


def test_view_is_live_while_a_cell_blocks_the_kernel(any_lab: Lab, open_notebook: OpenNotebook) -> None:
    blocked = "import time; trainer.run(); time.sleep(3); trainer.halt()"
    page = open_notebook(any_lab, SETUP, SHOW, blocked)
    page.run(0)
    page.run(1)
    page.until("() => document.querySelector('.workbench-live')?.dataset.messages >= 1")
    page.run(2, wait=False)
    page.until(ROWS, 20)
    assert page.shown("status") == "running"
    page.until(STATUS, "paused")


def test_a_view_is_not_blank_while_cells_run_and_callbacks_wait(
    lab_without_subshells: Lab, open_notebook: OpenNotebook
) -> None:
    """As with Run All: the front end's `hello` waits for the cells, and what is saved meanwhile is shown."""
    busy = "import time; new = LiveView(trainer); display(new); time.sleep(3); trainer.advance(20); "
    busy += "new.store_snapshot(); time.sleep(8)"
    page = open_notebook(lab_without_subshells, SETUP, busy)
    page.run(0)
    page.run(1, wait=False)
    page.until(ROWS, 20)
    assert page.page.get_by_text("[*]:").count() == 1, "the cell still runs"


def test_a_rewind_takes_curves_away_that_have_no_value_left(lab: Lab, open_notebook: OpenNotebook) -> None:
    rewound = (
        "main = trainer.branches['main']; main.history = type(main.history)(); "
        "main.history.append(10, {'loss_fm': 1.0}); trainer._callbacks[0]()"
    )
    page = open_notebook(lab, SETUP, SHOW, "trainer.advance(50)", rewound, "trainer.advance(5)")
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 50)
    shown = page.page.locator(f"{CANVAS}:visible")
    count = shown.count()
    assert count > 2
    page.run(3)
    page.until("() => document.querySelector('.workbench-live').dataset.rows === '1'")
    assert shown.count() == 1
    page.run(4)
    page.until(ROWS, 6)
    assert shown.count() == count


def test_keyboard_moves_a_cursor_that_reads_out_values_and_changes(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW, PAST)
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 250)
    keyboard = page.page.keyboard
    page.page.get_by_role("button", name="Table", exact=True).focus()
    keyboard.press("Tab")
    canvas = page.page.locator(CANVAS).first
    assert canvas.evaluate("canvas => canvas === document.activeElement")
    keyboard.press("End")
    page.until(f"() => document.querySelector('{CANVAS}').ariaValueNow === '2000'")
    assert "main 0." in (canvas.get_attribute("aria-valuetext") or "")
    assert "second 0." in (canvas.get_attribute("aria-valuetext") or "")
    keyboard.press("ArrowLeft")
    page.until(f"() => document.querySelector('{CANVAS}').ariaValueNow === '1980'")
    keyboard.press("Home")
    keyboard.press("m")
    page.until(f"() => document.querySelector('{CANVAS}').ariaValueNow === '1000'")
    tip = page.page.locator(".workbench-live .tip:visible")
    assert tip.inner_text() == "main, update 1,000: w_SC 1 → 4"
    keyboard.press("Escape")
    tip.wait_for(state="hidden")


def test_pointer_over_a_marker_tells_what_was_changed(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW, "trainer.advance(100); trainer.change('sc', 4.0); trainer.advance(100)")
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 200)
    box = page.page.locator(CANVAS).nth(1).bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + 46 + (box["width"] - 56) / 2, box["y"] + 60)
    assert page.page.locator(".workbench-live .tip:visible").inner_text() == "update 1,000: w_SC 1 → 4"


def test_table_holds_the_curves_and_the_changes(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW, PAST)
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 250)
    button = page.page.get_by_role("button", name="Table", exact=True)
    button.focus()
    page.page.keyboard.press("Enter")
    tables = page.page.locator(".workbench-live table")
    tables.first.wait_for()
    assert button.get_attribute("aria-pressed") == "true"
    assert tables.locator("caption").all_inner_texts() == ["main", "second", "Changes by hand"]
    assert tables.nth(0).locator("tr").count() == 13
    assert tables.nth(2).locator("td").all_inner_texts() == ["main", "1,000", "w_SC", "1", "4"]
    assert page.page.locator(CANVAS).first.is_hidden()
    page.page.keyboard.press("Enter")
    page.page.locator(CANVAS).first.wait_for()


def test_saved_notebook_has_a_picture_that_a_live_view_hides(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW, "trainer.run()", "trainer.halt()")
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 20)
    page.run(3)
    page.until(STATUS, "paused")
    picture = page.page.locator(".jp-OutputArea-output img")
    picture.wait_for(state="attached")
    assert picture.is_hidden()
    page.until("() => document.querySelector('.jp-OutputArea-output img').naturalHeight > 300")
    outputs = page.save()["cells"][1]["outputs"]
    pngs = [output["data"]["image/png"] for output in outputs if "image/png" in output["data"]]
    assert len(pngs) == 1
    colours = Image.open(io.BytesIO(base64.b64decode(pngs[0]))).convert("RGB").getcolors(1 << 20)
    assert colours is not None
    assert len(colours) > 50
    page.restart_kernel()
    page.reload()
    picture.wait_for(state="visible")


def test_two_notebooks_at_once(lab: Lab, open_notebook: OpenNotebook) -> None:
    pages = [open_notebook(lab, SETUP, SHOW, f"trainer.advance({chunks})") for chunks in (30, 70)]
    for page in pages:
        for cell in range(3):
            page.run(cell)
    for page, rows in zip(pages, (30, 70), strict=True):
        page.until(ROWS, rows)
        assert page.shown("rows") == str(rows)


def test_error_of_the_training_thread_is_shown(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW, "trainer.run()", "trainer.halt('failed', 'DivergedError: at update 40')")
    for cell in range(4):
        page.run(cell)
    page.until(STATUS, "failed")
    assert page.page.get_by_role("alert").inner_text() == "DivergedError: at update 40"


def test_policy_panel_and_a_dark_page(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(lab, SETUP, SHOW, PAST + "; trainer.show_cloud(m=2); trainer.advance()")
    for cell in range(3):
        page.run(cell)
    page.until(ROWS, 252)
    assert page.pixels("M_inf = 2") > 300
    light = page.view.evaluate("root => getComputedStyle(root).backgroundColor")
    theme = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    page.page.evaluate(theme)
    page.until("light => getComputedStyle(document.querySelector('.workbench-live')).backgroundColor !== light", light)
    assert page.view.evaluate("root => getComputedStyle(root).backgroundColor") == "rgb(17, 17, 17)"
    corner = "canvas => [...canvas.getContext('2d').getImageData(60, 100, 1, 1).data]"
    assert page.page.locator(CANVAS).first.evaluate(corner)[3] < 255
