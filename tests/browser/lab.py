"""JupyterLab and Chromium for tests: a server of our own on a free port, and a page that holds one notebook."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
STEP_MS = 30_000
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")

QUIET: dict[str, Any] = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
"""Settings without which Lab asks about news, which would be a request to outside."""


@dataclass
class Lab:
    """A running server; `folder` holds its notebooks."""

    url: str
    folder: Path


@contextmanager
def lab_server(folder: Path, *, subshells: bool = True, theme: str = "JupyterLab Light") -> Iterator[Lab]:
    """JupyterLab on a free port of the loopback, every folder and setting its own; ended on leaving."""
    env = dict(os.environ) | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu")}
    for name in FOLDERS:
        (folder / name.lower()).mkdir(parents=True)
        env[name] = str(folder / name.lower())
    settings = QUIET | {"@jupyterlab/apputils-extension/themes": {"theme": theme}}
    if not subshells:
        settings["@jupyterlab/apputils-extension/kernels-settings"] = {"commsOverSubshells": "disabled"}
    env["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    for plugin, values in settings.items():
        file = folder / "settings" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0"]
    command += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={notebooks}"]
    command += ["--allow-root"]
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        yield Lab(_address(process, log), notebooks)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def _address(process: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()):
            return found.group()
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium under Playwright."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def write_notebook(folder: Path, name: str, cells: list[str]) -> Path:
    """A notebook of code cells, with the kernel named, else Lab opens a dialog."""
    code = [
        {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
        for i, cell in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@dataclass
class NotebookPage:
    """One notebook in one tab, with everything the tab complained of or asked elsewhere for."""

    page: Page
    lab: Lab
    path: Path
    console_errors: list[str] = field(default_factory=list)
    foreign_requests: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors on the console and requests that leave the server."""
        self.page.set_default_timeout(STEP_MS)
        self.page.on("console", lambda m: self.console_errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        self.page.on("request", lambda request: self._request(request.url))

    def _request(self, url: str) -> None:
        if not url.startswith((self.lab.url, "data:", "blob:", self.lab.url.replace("http", "ws", 1))):
            self.foreign_requests.append(url)

    def open(self) -> None:
        """Open the notebook in a fresh workspace and wait until its kernel is idle."""
        self.page.goto(f"{self.lab.url}lab/tree/{self.path.name}?reset")
        self.wait_for_kernel()

    def reload(self) -> None:
        """Save and reload: what is not in the file has no outputs to restore."""
        self.save()
        self.page.reload()
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the notebook is shown and its kernel connected and idle."""
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp?.shell.currentWidget?.context;
                return context?.isReady && context.sessionContext.session?.kernel?.status === 'idle'
                    && context.sessionContext.session.kernel.connectionStatus === 'connected';
            }"""
        )

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run a cell; without `wait`, return while it runs."""
        self.page.evaluate("i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", cell)
        call = "() => window.jupyterapp.commands.execute('notebook:run-cell')"
        self.page.evaluate(call if wait else call.replace("=>", "=> {") + "; }")

    def save(self) -> dict[str, Any]:
        """Save the notebook and read the file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return json.loads(self.path.read_text())

    def kernel(self, expression: str) -> str:
        """Evaluate an expression in the kernel, beside what runs there only if the kernel is idle; its repr."""
        return self.page.evaluate(
            """async code => {
                const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
                const future = kernel.requestExecute({code: '', user_expressions: {x: code}, store_history: false});
                const {content} = await future.done;
                const {x} = content.user_expressions;
                if (x.status !== 'ok') throw new Error(`${x.ename}: ${x.evalue}`);
                return x.data['text/plain'];
            }""",
            expression,
        )

    def restart_kernel(self) -> None:
        """Restart the kernel without the dialog."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()")
        self.wait_for_kernel()

    def until(self, script: str, argument: Any = None) -> None:
        """Wait for a JavaScript condition."""
        self.page.wait_for_function(script, arg=argument)

    @property
    def view(self) -> Locator:
        """The live view."""
        return self.page.locator(".workbench-live").first

    def shown(self, name: str) -> str:
        """One of the view's data attributes: step, rows, marks, status, messages."""
        return self.view.get_attribute(f"data-{name}") or ""

    def pixels(self, panel: str) -> int:
        """How many pixels of a panel's canvas are coloured, and neither paper nor grey ink."""
        return self.page.locator(f'.workbench-live figure:has-text("{panel}") canvas').evaluate(
            """canvas => {
                const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                let count = 0;
                for (let i = 0; i < data.length; i += 4) {
                    const [r, g, b, a] = data.slice(i, i + 4);
                    if (a > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 60) count++;
                }
                return count;
            }"""
        )


@contextmanager
def notebook_page(browser: Browser, lab: Lab, path: Path, **context: Any) -> Iterator[NotebookPage]:
    """A notebook opened in a fresh browser context; its kernels are shut down on leaving."""
    options: dict[str, Any] = {"viewport": {"width": 1300, "height": 1000}} | context
    with browser.new_context(**options) as made:
        notebook = NotebookPage(made.new_page(), lab, path)
        notebook.watch()
        notebook.open()
        try:
            yield notebook
        finally:
            notebook.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
