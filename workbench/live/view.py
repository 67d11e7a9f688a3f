"""A live view of training: curves and policy on a canvas in the browser, and a picture where no browser runs it."""

import base64
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.live.panels import PANELS, Panel, palette
from workbench.live.png import MOST_ROWS, draw_png
from workbench.live.publish import Changes, Publisher, Watched

STATIC = Path(__file__).parent / "static"
PARTS = ("element", "state", "curves", "samples", "view", "module")
"""One script, in this order: it imports nothing, so that a saved notebook and a page without a network have it all."""


class LiveView(anywidget.AnyWidget):
    """Watches a trainer: losses, values, interventions and, for two-dimensional actions, samples of its policy.

    Updates arrive at most 20 times a second and cost the kernel well under a millisecond each. A page that is reloaded
    asks for everything again. Under a notebook cell the view comes with a PNG, renewed when training halts and once a
    minute, so that a saved notebook shows a picture in any viewer; JupyterLab hides it below a view that is live.

    The trainer's `reward_grid`, where it has one, is drawn as contours under the samples.
    """

    _esm = "".join((STATIC / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)
    panels = traitlets.List().tag(sync=True)
    palette = traitlets.List().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, trainer: Watched, *, panels: tuple[Panel, ...] = PANELS) -> None:
        described = [{"label": panel.label, **vars(panel)} for panel in panels]
        super().__init__(panels=described, palette=palette())
        self._trainer, self._panels, self._reward = trainer, panels, trainer.reward_grid
        self._picture: Any = None
        self.on_msg(self._receive)
        self.publisher = Publisher(trainer, self._send_message, reward=self._reward, keep=self._keep)

    def png(self, dpi: int = 150) -> bytes:
        """The view as a PNG, drawn now."""
        return draw_png(self._trainer, self._panels, self._reward, dpi)

    def store_snapshot(self) -> None:
        """Put a thinned copy of everything into the widget's saved state, for pages that have no kernel."""
        message = Changes(self._trainer, self._reward).message(full=True, most_rows=MOST_ROWS)
        assert message is not None
        self.snapshot = {"head": message.head, "buffers": message.buffers}

    def close(self) -> None:
        """Stop watching and remove the view from the page."""
        if hasattr(self, "publisher"):
            self.publisher.close()
        super().close()

    def _send_message(self, head: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(head, buffers)

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        if content == {"kind": "hello"}:
            self.publisher.hello()

    def _keep(self) -> None:
        """Renew the picture and the saved state; runs in the publisher's thread."""
        self.store_snapshot()
        if self._picture is not None:
            self._picture.update(self._picture_bundle(), raw=True)

    def _picture_bundle(self) -> dict[str, str]:
        return {"image/png": base64.b64encode(self.png()).decode(), "text/plain": "picture of the live view"}

    def _widget_bundle(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return bundle | {"text/plain": f"LiveView of {', '.join(self._trainer.branches)}"}, metadata

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle, metadata = self._widget_bundle(**kwargs)
        return self._picture_bundle() | bundle, metadata

    def _ipython_display_(self) -> None:
        """The view and the picture as two outputs: JupyterLab shows no picture of a widget whose kernel is gone."""
        from IPython.display import display

        self.store_snapshot()
        bundle, metadata = self._widget_bundle()
        display(bundle, metadata=metadata, raw=True)
        self._picture = display(self._picture_bundle(), raw=True, display_id=True)
