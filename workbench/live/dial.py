"""One control of the panel: a slider on a log scale and a number box, kept equal, with accessible names."""

import math
from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from workbench.live.scales import LABELS, SCALES, WEIGHT
from workbench.live.silence import Silence
from workbench.live.snapshot import MOST, Value

DESCRIBED = {"description_width": "5em"}
"""Style of everything whose description stands before it."""


class Names(anywidget.AnyWidget):
    """Gives what matches CSS selectors in the panel of class `panel` around it the names that ipywidgets leaves out."""

    panel = traitlets.Unicode("workbench-controls").tag(sync=True)
    names = traitlets.Dict().tag(sync=True)
    _esm = """
    function render({ model, el }) {
      el.style.display = "none";
      const name = () => {
        const panel = el.closest(`.${model.get("panel")}`);
        for (const [selector, label] of Object.entries(model.get("names")))
          for (const each of panel?.querySelectorAll(selector) ?? [])
            if (each.ariaLabel !== label) each.ariaLabel = label;
        return panel;
      };
      const observer = new MutationObserver(name);
      const begin = () => {
        const panel = name();
        if (panel) observer.observe(panel, { childList: true, subtree: true });
        else if (!ended) requestAnimationFrame(begin);
      };
      let ended = false;
      begin();
      return () => { ended = true; observer.disconnect(); };
    }
    export default { render };
    """


def slider_names(labels: dict[str, str], others: dict[str, str] | None = None) -> Names:
    """Names of the sliders that have the class `workbench-dial-NAME`, and of `others` by their CSS selectors."""
    sliders = {f".workbench-dial-{name} [role=slider]": label for name, label in labels.items()}
    return Names(names=sliders | (others or {}))


class Dial:
    """A number box and a slider; `write` gets what a person sets in either."""

    def __init__(self, name: str, value: float, meaning: str, write: Callable[[str, Value], None]) -> None:
        self.name, self._write, self._scale = name, write, SCALES.get(name, WEIGHT)
        self._whole, self._silent = name in MOST, Silence()
        scale, label = self._scale, LABELS.get(name, name)
        self.title = tooltip = f"{label}: {meaning}" + (f"; {scale.tooltip}" if scale.tooltip else "")
        self.box = (widgets.BoundedIntText if self._whole else widgets.BoundedFloatText)(
            value=value,
            min=1 if self._whole else 0,
            max=MOST.get(name, 1.0 if name in ("gamma", "tau") else 1e6),
            step=1 if self._whole else None,
            description=label,
            tooltip=tooltip,
            style=DESCRIBED,
            layout={"width": "12em"},
        )
        self.slider = widgets.FloatLogSlider(
            value=self._position(value),
            base=scale.base,
            min=math.log(scale.least, scale.base),
            max=math.log(scale.most, scale.base),
            step=scale.step,
            readout=False,
            tooltip=tooltip,
            layout={"flex": "1 1 12em", "min_width": "8em"},
        )
        self.slider.add_class(f"workbench-dial-{name}")
        self.slider.observe(self._slid, "value")
        self.box.observe(self._typed, "value")
        self.row = widgets.HBox([self.box, self.slider])

    def show(self, value: float) -> None:
        """Show a value without writing it."""
        with self._silent:
            self.box.value = value
            self.slider.value = self._position(value)

    def _position(self, value: float) -> float:
        return min(max(self._scale.to_slider(value), self._scale.least), self._scale.most)

    def _slid(self, change: Any) -> None:
        if not self._silent:
            value = self._scale.from_slider(change["new"])
            with self._silent:
                self.box.value = value
            self._write(self.name, value)

    def _typed(self, change: Any) -> None:
        if not self._silent:
            with self._silent:
                self.slider.value = self._position(float(change["new"]))
            self._write(self.name, change["new"])
