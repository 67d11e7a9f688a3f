"""The W2 bound in the hand: move the modes of a mixture, and a small policy learns it anew while terms are drawn."""

import dataclasses
import html
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import ipywidgets as widgets
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from workbench.agents.base import TrainState
from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.data.dataset import Dataset, Provenance
from workbench.data.toy import Mixture
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.flow import Shortcut, euler
from workbench.live.drawing import as_png
from workbench.live.latest import Latest
from workbench.live.mixture_picture import Look, draw
from workbench.live.names import slider_names
from workbench.live.silence import Silence
from workbench.live.symbols import symbol
from workbench.theory import measure
from workbench.train import init_seeds, one_seed, train_chunk
from workbench.types import LossWeights, as_int32

MODES = 3
X = jnp.zeros(1)
CHUNK = 50
"""Updates between two looks at whether a slider has moved."""

COLUMNS = {
    "m_inf": "M",
    "w2": "W2",
    "coupled": "same-noise distance",
    "flow_matching_end": "flow matching",
    "discretisation_end": "discretisation",
    "self_consistency_end": "self-consistency",
    "bound_measured": "bound",
}
"""Columns of a report that are shown below the picture, and their headings."""

PICTURE = {"img": "samples of the data and of the policy, and the bound on W2 with its terms, as in the table below"}
"""Name of the picture for those who do not see it."""

DATA = Provenance("arrays", "explored mixture")
Values = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything: measured after each of `marks` updates, on `samples` draws."""

    width: int = 64
    depth: int = 3
    m_disc: int = 8
    rows: int = 8192
    batch: int = 128
    samples: int = 400
    marks: tuple[int, ...] = (250, 500, 1000, 2000)
    dpi: int = 110


def controls() -> dict[str, tuple[float, float, float, str]]:
    """Value, least, most and label of every slider."""
    places = ((-0.5, -0.3, 1.0), (0.5, -0.3, 0.5), (0.0, 0.5, 0.5))
    found = {}
    for k, (a_1, a_2, weight) in enumerate(places, start=1):
        found[f"x{k}"] = (a_1, -0.7, 0.7, f"mode {k}: action 1")
        found[f"y{k}"] = (a_2, -0.7, 0.7, f"mode {k}: action 2")
        found[f"w{k}"] = (weight, 0.05, 1.0, f"mode {k}: weight")
    return found | {"sigma": (0.08, 0.04, 0.2, "width of modes"), "sc": (10.0, 0.0, 30.0, symbol("sc"))}


def mixture_of(values: Values) -> Mixture:
    """The mixture that the sliders describe; its weights are divided by their sum."""
    each = range(1, MODES + 1)
    mean = np.array([[values[f"x{k}"], values[f"y{k}"]] for k in each])
    cov = np.tile(values["sigma"] ** 2 * np.eye(2), (MODES, 1, 1))
    return Mixture.build(mean, cov, np.array([values[f"w{k}"] for k in each]))


def draws_of(values: Values, rows: int) -> Float[np.ndarray, "row 2"]:
    """Actions of the mixture from the same random numbers each time, so that they move as the sliders do."""
    rng, each = np.random.default_rng(0), range(1, MODES + 1)
    share = np.cumsum([values[f"w{k}"] for k in each])
    mode = np.searchsorted(share / share[-1], rng.random(rows)).clip(max=MODES - 1)
    mean = np.array([[values[f"x{k}"], values[f"y{k}"]] for k in each])
    return mean[mode] + values["sigma"] * rng.normal(size=(rows, 2))


class MixtureExplorer(widgets.VBox):
    """Sliders for a mixture of three Gaussians; each move trains a small policy on it, from scratch, in seconds.

    Drawn are samples of the data and of the policy, and for every number of steps M the three terms of the bound on
    W2, each as far as its errors move the end of the sampler, stacked up to the bound; and W2 itself. Nothing that a
    slider does compiles anything: mixture, data and weights are arguments. Training, measuring and drawing are done in
    a thread; a slider that moves meanwhile begins them again.

    `set(x1=0.2, sc=0.0)` moves sliders from code; `result()` waits for the last measurement and returns its table.
    """

    def __init__(self, size: Size = Size()) -> None:
        self._size, self._silent = size, Silence()
        self.agent = dataclasses.replace(
            _sorl(), width=size.width, depth=size.depth, m_disc=size.m_disc, m_btt=1, ensemble=1
        )
        self.table = pd.DataFrame()
        self._untrained: TrainState | None = None
        self.sliders = {name: self._slider(name, *rest) for name, rest in controls().items()}
        self.status, self.numbers = widgets.HTML(), widgets.HTML()
        self.picture = widgets.Image(format="png", layout={"max_width": "100%"})
        rows = [[self.sliders[f"{axis}{k}"] for axis in "xyw"] for k in range(1, MODES + 1)]
        rows.append([self.sliders["sigma"], self.sliders["sc"]])
        lines = [widgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in rows]
        names = slider_names({name: label for name, (*_, label) in controls().items()}, PICTURE)
        super().__init__([*lines, self.status, self.picture, self.numbers, names])
        self.add_class("workbench-controls")
        self._latest = Latest(self._learn, "mixture", lambda error: self._say("failed", error))
        self._latest.ask(self.values)

    @property
    def values(self) -> Values:
        """Where the sliders stand, by name."""
        return {name: float(slider.value) for name, slider in self.sliders.items()}

    def set(self, **values: float) -> None:
        """Move sliders, and train once; raises `WorkbenchError` for a name or a value that there is not."""
        for name, value in values.items():
            if name not in self.sliders:
                raise UnknownNameError("slider", name, self.sliders)
            least, most = self.sliders[name].min, self.sliders[name].max
            if not least <= value <= most:
                raise WorkbenchError(f"{name} must be between {least:g} and {most:g}, not {value:g}.")
        with self._silent:
            for name, value in values.items():
                self.sliders[name].value = value
        self._latest.ask(self.values)

    def result(self, timeout: float | None = None) -> pd.DataFrame:
        """The rows of `W2Report.table` after the last update, `m_inf` for M; raises what training raised."""
        self._latest.result(timeout)
        return self.table

    def close(self) -> None:
        """End the thread and remove the panel."""
        if hasattr(self, "_latest"):
            self._latest.close()
        super().close()

    def _slider(self, name: str, value: float, least: float, most: float, label: str) -> widgets.FloatSlider:
        slider = widgets.FloatSlider(
            value=value,
            min=least,
            max=most,
            step=0.5 if name == "sc" else 0.01,
            description=label,
            style={"description_width": "9em"},
            layout={"width": "22em"},
        )
        slider.add_class(f"workbench-dial-{name}")
        slider.observe(self._moved, "value")
        return slider

    def _moved(self, _: Any) -> None:
        if not self._silent:
            self._latest.ask(self.values)

    def _learn(self, values: Values, wanted: Callable[[], bool]) -> None:
        """Train from scratch and show what comes of it after each mark; runs in the thread."""
        size, start = self._size, time.perf_counter()
        self._say("training", f"update 0 of {size.marks[-1]:,}")
        data = _dataset(draws_of(values, size.rows))
        weights = LossWeights(ql=0.0, fm=10.0, sc=values["sc"], lr=2e-3)
        if self._untrained is None:
            self._untrained = init_seeds(self.agent, data.example(), (0,))
        state, done = self._untrained, 0
        for mark in size.marks:
            while done < mark:
                if not wanted():
                    return
                steps = min(CHUNK, mark - done)
                state, _ = jax.block_until_ready(train_chunk(self.agent, data, weights, state, steps, size.batch))
                done += steps
            self._show(values, one_seed(state.nets["actor"]), done)
            took = f"update {done:,} of {size.marks[-1]:,}, {time.perf_counter() - start:.1f} s"
            self._say("done" if done == size.marks[-1] else "training", took)

    def _show(self, values: Values, actor: Shortcut, done: int) -> None:
        size, mixture = self._size, mixture_of(values)
        report = measure(actor, mixture, X, m_disc=size.m_disc, samples=size.samples, key=jax.random.key(0))
        table = pd.DataFrame(report.table()).rename(columns={"M": "m_inf", "n": "draws"})
        few, many = (np.asarray(_sample(actor, size.samples, as_int32(m))) for m in (1, size.m_disc))
        clouds = {"data": draws_of(values, size.samples), "1 step": few, f"{size.m_disc} steps": many}
        self.picture.value = as_png(draw(Look(clouds, table, done)), size.dpi)
        self.table = table.assign(step=done)
        numbers = table[list(COLUMNS)].set_axis(list(COLUMNS.values()), axis=1)
        self.numbers.value = numbers.to_html(index=False, float_format="%.3f", border=0)

    def _say(self, state: str, text: str) -> None:
        mark, lines = html.escape(state), html.escape(text)
        self.status.value = (
            f"<span role='status'><b>{mark}</b> <span style='white-space:pre-wrap'>{lines}</span></span>"
        )


def _sorl() -> SORL:
    agent = preset("sorl", "small", "toy").agent
    assert isinstance(agent, SORL)
    return agent


def _dataset(a: Float[np.ndarray, "row 2"]) -> Dataset:
    """One decision an episode, without reward; always the same shapes and provenance, so it compiles once."""
    rows = len(a)
    a = np.concatenate([a, np.zeros((1, 2))])
    return Dataset.build(
        np.zeros((rows + 1, 1)), a, np.zeros(rows + 1), np.zeros(rows + 1), np.arange(rows + 1) < rows, DATA
    )


@eqx.filter_jit
def _sample(actor: Shortcut, count: int, m: Array) -> Float[Array, "row act"]:
    keys = jax.random.split(jax.random.key(1), count)
    return jax.vmap(lambda key: euler(actor, jax.random.normal(key, (2,)), X, m))(keys)
