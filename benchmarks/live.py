"""How soon is a moved slider felt, what does watching cost, and does anything recompile? Measured in Chromium.

Prints JSON. Starts JupyterLab and Chromium, trains a toy in a kernel, and drives its controls by keyboard. Clocks are
those of one machine: a key press and a drawn frame are stamped by the page, the arrival of a value by the kernel.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.lab import NotebookPage, chromium, lab_server, notebook_page, write_notebook
from workbench.store.folder import environment

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
for _ in range({moves}):
    dial = controls.dials[str(rng.choice(list(controls.dials)))]
    dial.slider.value = dial.slider.base ** rng.uniform(dial.slider.min, dial.slider.max)
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


def delays(page: NotebookPage, presses: int) -> dict[str, Any]:
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
    return {
        "presses": len(pressed),
        "slider_to_kernel_ms": quantiles(1e3 * (arrived[np.searchsorted(arrived, pressed)] - pressed)),
        "slider_to_visible_ms": quantiles(1e3 * (drawn[np.searchsorted(drawn, pressed)] - pressed)),
    }


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median": round(float(np.median(values)), 1), "p95": round(float(np.quantile(values, 0.95)), 1)}


def updates_in(page: NotebookPage, seconds: float) -> float:
    """Updates a second of the trainer over some time, by the kernel's own clock."""
    first_step, first = json.loads(page.kernel("json.dumps([trainer.branch.step, time.time()])").strip("'"))
    time.sleep(seconds)
    last_step, last = json.loads(page.kernel("json.dumps([trainer.branch.step, time.time()])").strip("'"))
    return (last_step - first_step) / (last - first)


def slowed(page: NotebookPage, rounds: int, seconds: float) -> dict[str, Any]:
    """Percent of the updates lost by watching: turns with a view and without one, in pairs of changing order."""
    lost, rates = [], {True: [], False: []}
    for number in range(rounds):
        for watched in (True, False) if number % 2 else (False, True):
            page.kernel("view.publisher.hello()" if watched else "setattr(view.publisher, 'listening', False)")
            time.sleep(0.3)
            rates[watched].append(updates_in(page, seconds))
        lost.append(100 * (1 - rates[True][-1] / rates[False][-1]))
    page.kernel("view.publisher.hello()")
    return {
        "rounds": rounds,
        "updates_per_second_watched": round(statistics.median(rates[True])),
        "updates_per_second_alone": round(statistics.median(rates[False])),
        "lost_percent_median": round(statistics.median(lost), 1),
        "lost_percent_quartiles": [round(float(each), 1) for each in np.quantile(lost, (0.25, 0.75))],
    }


def measure(page: NotebookPage, presses: int, moves: int, rounds: int, seconds: float) -> dict[str, Any]:
    """All numbers, in one notebook."""
    for cell in range(3):
        page.run(cell)
    page.until("() => document.querySelector('.workbench-live')?.dataset.status === 'running'")
    page.until("() => +document.querySelector('.workbench-live').dataset.rows > 100")
    results = delays(page, presses) | {"watching": slowed(page, rounds, seconds)}
    results |= {"control_moves": moves, "programs_compiled_before": int(page.kernel("len(compiled)"))}
    page.run(3)
    results["recompiled"] = int(page.kernel("len(compiled) - before"))
    cost = page.kernel("json.dumps(dict(view.publisher.cost))").strip("'")
    results["kernel_ms_per_view_update"] = round(json.loads(cost)["ms"], 3)
    results["view_updates"] = json.loads(cost)["sent"]
    page.run(4)
    return results | {"console_errors": page.console_errors, "foreign_requests": page.foreign_requests}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=100, help="key presses on a slider")
    parser.add_argument("--moves", type=int, default=1000, help="random moves of all controls")
    parser.add_argument("--rounds", type=int, default=30, help="pairs of turns with and without a view")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a turn")
    options = parser.parse_args()
    cells = [SETUP, "controls", "display(view); trainer.start()", MOVES.format(moves=options.moves), "trainer.stop()"]
    with (
        tempfile.TemporaryDirectory() as folder,
        lab_server(Path(folder)) as lab,
        chromium() as browser,
        notebook_page(browser, lab, write_notebook(lab.folder, "live", cells)) as page,
    ):
        page.page.set_default_timeout(120_000)
        found = measure(page, options.presses, options.moves, options.rounds, options.seconds)
        print(json.dumps({"environment": environment(), "live": found}, indent=2))


if __name__ == "__main__":
    main()
