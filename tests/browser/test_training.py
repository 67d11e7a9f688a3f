"""A real training in JupyterLab: steered by keyboard, forked, restored after a reload, saved, replayed elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Lab, NotebookPage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRAINING = """
import jax
import numpy as np
from workbench.live import Controls, LiveView, Trainer
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration_secs, **_: compiled.append(event) if "backend_compile" in event else None
)
trainer = Trainer("toy:eight_gaussians", settings={"width": 64, "depth": 2})
controls, view = Controls(trainer), LiveView(trainer)
"""
CELLS = ("controls", "display(view); trainer.start()", "trainer.stop()", "trainer.save('session.json')")
LIVE = "document.querySelector('.workbench-live')"
LAST = "float(np.mean(trainer.branch.history.all()['loss_sc'][-10:]))"


def begin(page: NotebookPage) -> None:
    """Start training and wait for its first rows and the policy's first picture."""
    page.page.set_default_timeout(240_000)  # compiling takes what it takes
    for cell in range(3):
        page.run(cell)
    page.until(f"() => +{LIVE}?.dataset.rows >= 20")
    page.until("() => document.querySelector('.workbench-live figure:nth-child(5)')")


def move(page: NotebookPage, key: str, marks: int) -> None:
    """Press a key on the slider of the self-consistency weight, and wait until the move is marked on the curves."""
    page.page.locator(".workbench-dial-sc [role=slider]").focus()
    page.page.keyboard.press(key)
    page.until(f"n => {LIVE}.dataset.marks === String(n)", marks)


def lines(page: NotebookPage, count: int) -> None:
    """Wait until the legend has so many branches."""
    page.until("n => document.querySelectorAll('.workbench-live .key').length === n", count)


def test_steered_forked_saved_replayed(any_lab: Lab, open_notebook: OpenNotebook) -> None:
    page = open_notebook(any_lab, TRAINING, *CELLS)
    begin(page)
    page.until(f"() => +{LIVE}.dataset.step >= 300")
    before, programs = float(page.kernel(LAST)), page.kernel("len(compiled)")

    move(page, "Home", 1)
    assert float(page.kernel("trainer.branch.settings.values['sc']")) == 0.0
    moved = int(page.shown("step"))
    page.until(f"n => +{LIVE}.dataset.step >= n", moved + 600)
    assert float(page.kernel(LAST)) > 1.5 * before, "the curve bends"
    assert page.kernel("len(compiled)") == programs, "nothing compiled"

    page.page.get_by_role("button", name="Fork now", exact=True).click()
    lines(page, 2)
    page.reload()
    lines(page, 2)
    move(page, "End", 2)
    page.run(3)
    page.until(f"() => {LIVE}.dataset.status === 'stopped'")
    page.run(4)

    command = [
        str(Path(sys.executable).with_name("workbench")),
        "replay",
        str(any_lab.folder / "session.json"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    replayed = json.loads(done.stdout)
    assert [row["equal"] for row in replayed] == [True, True]
    assert [row["interventions"] for row in replayed] == [1, 2]
