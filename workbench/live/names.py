"""Accessible names of what ipywidgets shows without one."""

import anywidget
import traitlets


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
