"""One Chromium and at most two servers for all tests of the browser, which are skipped where there is no Chromium."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="the browser tests need playwright: pip install -e '.[dev]'")

from tests.browser.lab import Lab, NotebookPage, chromium, lab_server, notebook_page, write_notebook


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is in this folder without a browser, and say what to install."""
    if shutil.which("chromium") is None:
        missing = pytest.mark.skip(reason="no `chromium` on PATH: apt-get install chromium")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as it comes: widgets talk to the kernel on a subshell."""
    with lab_server(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def lab_without_subshells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab whose widgets wait for the cell that runs, as in other front ends."""
    with lab_server(tmp_path_factory.mktemp("plain"), subshells=False) as server:
        yield server


@pytest.fixture(params=["subshells", "no subshells"])
def any_lab(request: pytest.FixtureRequest) -> Lab:
    """Each of the two in turn."""
    return request.getfixturevalue("lab" if request.param == "subshells" else "lab_without_subshells")


OpenNotebook = Callable[..., NotebookPage]


@pytest.fixture
def open_notebook(browser: Any, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Write cells to a notebook and open it; at the end no page may have complained or asked elsewhere."""
    opened: list[NotebookPage] = []
    with ExitStack() as stack:

        def start(lab: Lab, *cells: str, **context: Any) -> NotebookPage:
            name = f"{request.node.name.split('[')[0]}-{len(opened)}"
            path = write_notebook(lab.folder, name, list(cells))
            opened.append(stack.enter_context(notebook_page(browser, lab, path, **context)))
            return opened[-1]

        yield start
        for page in opened:
            assert page.console_errors == []
            assert page.foreign_requests == []
