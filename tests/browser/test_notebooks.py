"""Every notebook in JupyterLab: run from the first cell to the last, with no error in a cell or on the console."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import ROOT, Lab, NotebookPage, lab_server, notebook_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

LISTEN = """
from sys import _getframe
from workbench.live.snapshot import Dials
_set, _by_page = Dials.set, []
def _listening(self, *gesture, **values):
    frame = _getframe()
    while frame is not None and frame.f_code.co_name != "_handle_msg":
        frame = frame.f_back
    if frame is not None:
        _by_page.append((gesture, values))
    return _set(self, *gesture, **values)
Dials.set = _listening
"""
"""Has the kernel note every control that a message of the page moves."""


@pytest.fixture(scope="module")
def smoke_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server whose kernels see the notebooks' smoke scale."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_SCALE", "smoke")
        with lab_server(tmp_path_factory.mktemp("tutorials")) as server:
            yield server


def code_cells(page: NotebookPage) -> list[dict[str, Any]]:
    """The code cells of the notebook as it stands in the page."""
    script = "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(cell => cell.toJSON())"
    return [cell for cell in page.page.evaluate(script) if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(notebook: Path, smoke_lab: Lab, browser: Any) -> None:
    path = shutil.copy(notebook, smoke_lab.folder)
    with notebook_page(browser, smoke_lab, Path(path)) as page:
        page.page.set_default_timeout(400_000)
        live = "Controls(" in notebook.read_text()
        if live:
            page.kernel(f"exec({LISTEN!r})")
        assert page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')") is not False
        page.wait_for_kernel()
        cells = code_cells(page)
        errors = [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
        assert errors == [], json.dumps(errors)[:2000]
        assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
        assert page.page.locator("canvas, img, svg").count() > 0
        if live:
            assert page.page.locator(".workbench-controls").count() > 0
            assert page.kernel("_by_page") == "[]", "nobody touched it, so nothing was changed by hand"
        assert page.page.locator(".jupyter-widgets-error, .jupyter-widget-error").count() == 0
    assert page.console_errors == []
    assert page.foreign_requests == []
