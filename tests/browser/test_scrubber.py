"""The rollout scrubber in JupyterLab: moved by keyboard it changes scene, plots and numbers, and a picture is saved."""

import base64
import io

import numpy as np
from PIL import Image

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Lab, NotebookPage
from tests.unit.films import shade

SETUP = """
from pathlib import Path
from tests.unit.films import write_film
from workbench.live import RolloutScrubber
scrubber = RolloutScrubber(write_film(Path.cwd()))
"""
SHOW = "scrubber"
STEP = ".workbench-scrubber [role=slider]"
SCENE = "img.workbench-scene"
TELLS = "text => document.querySelector('.workbench-scrubber table')?.innerText.includes(text)"
GREY = """() => {
    const image = document.querySelector('img.workbench-scene');
    if (!image?.complete || !image.naturalWidth) return -1;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const brush = canvas.getContext('2d');
    brush.drawImage(image, 0, 0);
    return brush.getImageData(32, 24, 1, 1).data[0];
}"""
IS_GREY = f"level => Math.abs(({GREY})() - level) <= 3"


def opened(lab: Lab, open_notebook: OpenNotebook) -> NotebookPage:
    """A notebook that shows the first step of the film."""
    page = open_notebook(lab, SETUP, SHOW)
    page.run(0)
    page.run(1)
    page.until(IS_GREY, shade(0, 0))
    return page


def test_arrow_keys_change_scene_plots_and_numbers(any_lab: Lab, open_notebook: OpenNotebook) -> None:
    page = opened(any_lab, open_notebook)
    plots = "() => document.querySelector('img.workbench-plots').src"
    first = page.page.evaluate(plots)
    slider = page.page.get_by_role("slider", name="step of the episode")
    slider.focus()
    for _ in range(4):
        page.page.keyboard.press("ArrowRight")
    page.until(TELLS, "4 (0.20 s)")
    page.until(IS_GREY, shade(0, 4))
    assert page.page.evaluate(plots) != first
    assert page.page.evaluate("() => document.querySelector('img.workbench-plots').naturalWidth") > 600
    page.page.keyboard.press("End")
    page.until(TELLS, "no success in 12 steps, return −12")
    page.until(IS_GREY, shade(0, 12))


def test_another_panel_keeps_the_step(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = opened(lab, open_notebook)
    page.page.locator(STEP).focus()
    for _ in range(6):
        page.page.keyboard.press("ArrowRight")
    page.until(IS_GREY, shade(0, 6))
    page.page.get_by_role("combobox", name="panel").select_option(index=1)
    page.until(IS_GREY, shade(1, 6))
    assert page.page.locator(STEP).get_attribute("aria-valuenow") == "6.0"


def test_it_plays_to_the_end_and_stops(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = opened(lab, open_notebook)
    page.page.get_by_role("button", name="play or pause", exact=True).click()
    page.until(TELLS, "no success in 12 steps")
    page.page.get_by_role("button", name="stop, and back to step 0", exact=True).click()
    page.until(IS_GREY, shade(0, 0))


def test_saved_notebook_has_the_picture_of_where_the_slider_rested(lab: Lab, open_notebook: OpenNotebook) -> None:
    page = opened(lab, open_notebook)
    picture = page.page.locator(".jp-OutputArea-output img:not(.workbench-scrubber img)")
    picture.wait_for(state="attached")
    assert picture.is_hidden()
    before = picture.get_attribute("src")
    page.page.locator(STEP).focus()
    page.page.keyboard.press("End")
    page.until("old => document.querySelector('.jp-RenderedImage img').src !== old", before)
    outputs = page.save()["cells"][1]["outputs"]
    pngs = [output["data"]["image/png"] for output in outputs if "image/png" in output["data"]]
    assert len(pngs) == 1
    scene = np.asarray(Image.open(io.BytesIO(base64.b64decode(pngs[0]))).convert("L"))[200, 200]
    assert abs(int(scene) - shade(0, 12)) <= 3
    page.restart_kernel()
    page.reload()
    picture.wait_for(state="visible")
