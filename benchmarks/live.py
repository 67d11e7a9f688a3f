"""How soon is a moved slider felt, what does watching cost, and does anything recompile? Measured in Chromium.

Starts JupyterLab and Chromium, trains a toy in a kernel, and drives its controls by keyboard. Clocks are
those of one machine: a key press and a drawn frame are stamped by the page, the arrival of a value by the kernel.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring import Number, main, median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.lab import NotebookPage, chromium, lab_server, notebook_page, write_notebook

SETUP = """
import json, time
import jax
from workbench.live import Controls, LiveView, Trainer

compiled, arrivals = [], []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration_secs, **_: compiled.append(duration_secs) if "backend_compile" in event else None
)
trainer = Trainer("toy:eight_gaussians")
view, controls = LiveView(trainer), Controls(trainer)
ask = trainer.set

def stamped(*args, **values):
    arrivals.append(time.time())
    return ask(*args, **values)

trainer.set = stamped
"""
MOVES = """
import numpy as np
rng, before = np.random.default_rng(0), len(compiled)
for number in range({moves}):
    dial = controls.offered["dials"][rng.integers(len(controls.offered["dials"]))]
    value = dial["least"] * (dial["most"] / dial["least"]) ** rng.uniform()
    value = {{"horizon": 1 - 1 / value, "powers": round(value), "log": value}}[dial["kind"]]
    hand = {{"do": "turn", "branch": "main", "gesture": str(number), "values": {{dial["name"]: value}}}}
    controls._handle_custom_msg(hand, [])
    time.sleep(0.005)
trainer.reset()
"""
WATCH = """() => {
    const now = () => (performance.timeOrigin + performance.now()) / 1000;
    const root = document.querySelector('.workbench-live');
    window.pressed = [];
    window.drawn = [];
    addEventListener('keydown', () => window.pressed.push(now()), {capture: true});
    let marks = +root.dataset.marks;
    new MutationObserver(() => {
        for (; marks < +root.dataset.marks; marks++) window.drawn.push(now());
    }).observe(root, {attributes: true, attributeFilter: ['data-marks']});
}"""


def delays(page: NotebookPage, presses: int) -> Iterator[Number]:
    """Milliseconds from a key press on a slider to the kernel, and to the frame that shows its marker.

    The next key is pressed when the last one's marker is seen, so what follows a press is its effect.
    """
    page.until("() => document.querySelectorAll('.workbench-dial-sc [role=slider]').length")
    page.page.evaluate(WATCH)
    page.page.locator(".workbench-dial-sc [role=slider]").focus()
    already = int(page.kernel("len(arrivals)"))
    for number in range(presses):
        page.page.keyboard.press("ArrowRight" if number % 2 else "ArrowLeft")
        page.until("n => window.drawn.length > n", number)
        page.page.wait_for_timeout(100 + 37 * (number % 5))
    pressed, drawn = (np.array(page.page.evaluate(f"() => window.{name}")) for name in ("pressed", "drawn"))
    arrived = np.array(json.loads(page.kernel(f"json.dumps(arrivals[{already}:])").strip("'")))
    yield from at_95("slider to kernel", 1e3 * (arrived[np.searchsorted(arrived, pressed)] - pressed), 40)
    yield from at_95("slider to visible marker", 1e3 * (drawn[np.searchsorted(drawn, pressed)] - pressed), 120)


def at_95(case: str, values: np.ndarray, limit: float) -> Iterator[Number]:
    """Median and 95th percentile, of which the latter has a limit."""
    middle, most = (round(float(np.quantile(values, level)), 1) for level in (0.5, 0.95))
    yield Number(f"{case}, median of {len(values)}", middle, "ms")
    yield Number(f"{case}, 95th percentile of {len(values)}", most, "ms", at_most=limit)


def updates_in(page: NotebookPage, seconds: float) -> float:
    """Updates a second of the trainer over some time, by the kernel's own clock."""
    first_step, first = json.loads(page.kernel("json.dumps([trainer.branch.step, time.time()])").strip("'"))
    time.sleep(seconds)
    last_step, last = json.loads(page.kernel("json.dumps([trainer.branch.step, time.time()])").strip("'"))
    return (last_step - first_step) / (last - first)


def slowed(page: NotebookPage, rounds: int, seconds: float) -> Iterator[Number]:
    """Percent of the updates lost by watching: turns with a view and without one, in pairs of changing order."""
    lost, rates = [], {True: [], False: []}
    for number in range(rounds):
        for watched in (True, False) if number % 2 else (False, True):
            page.kernel("view.publisher.hello()" if watched else "setattr(view.publisher, 'listening', False)")
            time.sleep(0.3)
            rates[watched].append(updates_in(page, seconds))
        lost.append(100 * (1 - rates[True][-1] / rates[False][-1]))
    page.kernel("view.publisher.hello()")
    yield median("updates a second, watched", rates[True], "1/s")
    yield median("updates a second, not watched", rates[False], "1/s")
    yield median("updates lost by watching, in pairs of turns", lost, "%", at_most=5)


def measure(page: NotebookPage, presses: int, moves: int, rounds: int, seconds: float) -> Iterator[Number]:
    """All numbers, in one notebook; raises `AssertionError` for an error on the page or a request elsewhere."""
    for cell in range(3):
        page.run(cell)
    page.until("() => document.querySelector('.workbench-live')?.dataset.status === 'running'")
    page.until("() => +document.querySelector('.workbench-live').dataset.rows > 100")
    yield from delays(page, presses)
    yield from slowed(page, rounds, seconds)
    page.run(3)
    recompiled = int(page.kernel("len(compiled) - before"))
    yield Number(f"programs compiled by {moves:,} random moves of controls", recompiled, "programs", at_most=0)
    cost = json.loads(page.kernel("json.dumps(dict(view.publisher.cost))").strip("'"))
    yield Number(f"kernel time of a view update, {cost['sent']} updates", round(cost["ms"], 3), "ms", at_most=1)
    page.run(4)
    assert (page.console_errors, page.foreign_requests) == ([], [])


def start(smoke: bool) -> Iterator[Number]:
    """All of it in a JupyterLab and a Chromium of its own: ten minutes, mostly turns with and without a view."""
    presses, moves, rounds, seconds = (5, 20, 2, 0.3) if smoke else (100, 1000, 30, 1.5)
    cells = [SETUP, "controls", "display(view); trainer.start()", MOVES.format(moves=moves), "trainer.stop()"]
    with (
        tempfile.TemporaryDirectory() as folder,
        lab_server(Path(folder)) as lab,
        chromium() as browser,
        notebook_page(browser, lab, write_notebook(lab.folder, "live", cells)) as page,
    ):
        page.page.set_default_timeout(120_000)
        yield from measure(page, presses, moves, rounds, seconds)


if __name__ == "__main__":
    main(__doc__ or "", start)
