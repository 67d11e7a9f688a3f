"""Screenshots of the notebooks' main views for the README: `python -m tests.browser.screens FOLDER [NOTEBOOK …]`.

Notebooks run at full scale with the runs that `WORKBENCH_RUNS` names. What is shown of each is in `VIEWS`.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.browser.lab import ROOT, chromium, lab_server, notebook_page


@dataclass(frozen=True)
class View:
    """Run `notebook` up to and with the code cell that has `until` in it, then show the output that holds `element`."""

    notebook: str
    until: str
    element: str
    settle_s: float = 3.0


VIEWS = {
    "tuned_live": View("03_the_three_losses_tuned_live", "view.png", ".workbench-controls"),
    "compute_explorer": View("05_test_time_scaling", "display(explorer)", "video", settle_s=5),
    "mixture_explorer": View("06_the_w2_bound_measured", "display(explorer)", ".widget-image", settle_s=30),
    "scrubber": View("07_watch_the_policy", "display(scrubber)", ".workbench-scrubber", settle_s=10),
}
WIDTH, HEIGHT = 1280, 1250
READY = "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'"


def shoot(view: View, target: Path) -> None:
    """Take one screenshot, in 128 colours."""
    with (
        tempfile.TemporaryDirectory() as own,
        lab_server(Path(own)) as lab,
        chromium() as browser,
    ):
        path = Path(shutil.copy(ROOT / "notebooks" / f"{view.notebook}.ipynb", lab.folder))
        size = {"width": WIDTH, "height": HEIGHT}
        with notebook_page(browser, lab, path, viewport=size, device_scale_factor=1.0) as page:
            page.page.set_default_timeout(600_000)
            page.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
            sources = page.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.type === 'code'"
                " ? cell.model.sharedModel.getSource() : '')"
            )
            last = next(i for i, source in enumerate(sources) if view.until in source)
            for i in [i for i, source in enumerate(sources[: last + 1]) if source]:
                page.run(i)
            page.until(READY)
            outputs = page.page.locator(f".jp-OutputArea:has({view.element})").first
            page.page.wait_for_timeout(1000 * view.settle_s)
            outputs.scroll_into_view_if_needed()
            page.page.wait_for_timeout(1000)
            picture = Image.open(BytesIO(outputs.screenshot())).convert("RGB")
            picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> None:
    """Command line."""
    folder, chosen = Path(sys.argv[1]), sys.argv[2:] or list(VIEWS)
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        shoot(VIEWS[name], folder / f"{name}.png")
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main()
