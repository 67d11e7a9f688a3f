"""Test-time compute in the hand: choose M_inf, N and what is made of them, see what it buys and costs, watch episodes.

Two threads work for the panel. One judges candidates and draws; the other plays episodes, and when the one that was
asked for is shown, already plays the next.
"""

import html
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.live.compute_picture import Scene, draw
from workbench.live.drawing import as_png
from workbench.live.latest import Latest
from workbench.live.names import slider_names
from workbench.live.thread import Halted
from workbench.live.trained import Explorable, Played, TrainedRun
from workbench.stats import success_rate
from workbench.verifiers import offered

DPI = 110
STYLE = {"description_width": "11em"}
LABELS = {"m_inf": "Euler steps M_inf", "n": "candidates N", "step": "step of the episode"}
RULES = {
    "the best one": "mean",
    "mean of the better half": "elite:0.5",
    "mean of the best quarter": "elite:0.25",
    "the candidate nearest to the better half's mean": "nearest:0.5",
    "the densest place of the better half": "mode:0.5",
    "mean weighted by Q": "weighted:1",
    "drawn, weighted by Q": "soft:1",
    "the best one by the least of the critics": "min",
}
"""What is made of the candidates, in words, and as the text of a `Rule`."""
PICTURES = {
    "img": "success against cost of a decision, candidate actions with their Q at the step, Q along the episode",
    "video": "video of the episode",
}
"""Names of the sliders, and of pictures by CSS selector, for those who do not see them."""

Wish = tuple[Cell, int]
"""A budget and the number of an episode."""


class ComputeExplorer(widgets.VBox):
    """Sliders for the inference budget of a trained run: `ComputeExplorer("62c578ac535f")`.

    Shown of the chosen budget: success at the newest checkpoint with its Wilson interval, the counted work and the
    milliseconds of a decision (measured once no episode is being played), what the critic chose from at a step of the
    episode, and the episode's video. While the episode shown is of another budget, candidates of the chosen one are
    drawn anew, and the picture says so. Another budget plays the same start again with the same noise; **Next
    episode** goes on to another start, which has been played already while the last was watched.

    `set(m_inf=1, n=16)` moves sliders from code; `result()` waits until all is shown. Raises as `TrainedRun` does.
    """

    def __init__(self, run: Explorable | str | Path, *, root: Path | None = None, play: bool = True) -> None:
        self.run: Explorable = TrainedRun(run, root=root) if isinstance(run, str | Path) else run
        self.played: Played | None = None
        self._ahead: dict[Wish, Played] = {}
        self._wish: Wish | None = None
        self._ms: dict[Cell, float] = {}
        self._machine = threading.Lock()
        m_inf, n = self.run.m_inf, self.run.n
        self.m_inf = _choice(LABELS["m_inf"], m_inf, 8 if 8 in m_inf else m_inf[-1])
        self.n = _choice(LABELS["n"], n, 4 if 4 in n else n[-1])
        self.step = widgets.IntSlider(
            value=0, min=0, max=0, description=LABELS["step"], style=STYLE, layout={"width": "34em"}
        )
        evaluated = offered(self.run.evaluated["verifier"])
        rules = RULES | {text: text for text in evaluated if text not in RULES.values()}
        self.rule = widgets.Dropdown(
            options=rules, value="mean", description="action made of them", style=STYLE, layout={"width": "34em"}
        )
        for name in LABELS:
            getattr(self, name).add_class(f"workbench-dial-{name}")
        self.episode = widgets.BoundedIntText(
            value=0, min=0, max=10**6, description="episode", style=STYLE, layout={"width": "18em"}
        )
        self.next = widgets.Button(description="Next episode", tooltip="the next start, played already")
        self.next.on_click(lambda _: self.set(episode=self.episode.value + 1))
        self.status, self.numbers = widgets.HTML(), widgets.HTML()
        self.picture = widgets.Image(format="png", layout={"max_width": "100%"})
        self.video = widgets.Video(autoplay=False, layout={"width": "100%"})
        self.beside = widgets.Box(layout={"flex": "0 1 340px"})
        where = widgets.HBox([self.episode, self.next], layout={"flex_flow": "row wrap"})
        title = widgets.HTML(f"<b>{html.escape(self.run.name)}</b>")
        asked = [title, self.m_inf, self.n, self.rule, where, self.step, self.status, self.numbers]
        chosen = widgets.VBox(asked, layout={"flex": "1 1 34em"})
        above = widgets.HBox([chosen, self.beside], layout={"flex_flow": "row wrap"})
        super().__init__([above, self.picture, slider_names(LABELS, PICTURES)])
        self.add_class("workbench-controls")
        self._film(self.run.video())
        self._judge = Latest(self._show, "judge", self._failed)
        self._player = Latest(self._play, "player", self._failed)
        for slider in (self.m_inf, self.n, self.rule, self.episode):
            slider.observe(self._chosen, "value")
        self.step.observe(lambda _: self._judge.ask(self.cell), "value")
        self._plays = play
        self._chosen()

    @property
    def cell(self) -> Cell:
        """The budget that the sliders show."""
        return Cell(int(self.m_inf.value), int(self.n.value), str(self.rule.value))

    def set(self, **values: int | str) -> None:
        """Move `m_inf`, `n`, `rule`, `episode` or `step`; raises `WorkbenchError` for a value that is not offered."""
        controls = {"m_inf": self.m_inf, "n": self.n, "rule": self.rule, "episode": self.episode, "step": self.step}
        for name, value in values.items():
            control = controls.get(name)
            if control is None:
                raise UnknownNameError("slider", name, controls)
            options = getattr(control, "options", None)
            options = list(options.values()) if isinstance(options, dict) else options
            if value not in options if options else not control.min <= value <= control.max:
                what = f"one of {', '.join(map(str, options))}" if options else f"{control.min} to {control.max}"
                raise WorkbenchError(f"{name} must be {what}, not {value}.")
        for name, value in values.items():
            controls[name].value = value

    def result(self, timeout: float | None = None) -> Played | None:
        """Wait until what was asked for is shown and the next episode is played; raises what went wrong."""
        self._player.result(timeout)
        self._judge.result(timeout)
        return self.played

    def close(self) -> None:
        """End the threads and remove the panel."""
        for thread in (getattr(self, name, None) for name in ("_player", "_judge")):
            if thread is not None:
                thread.close()
        super().close()

    def _chosen(self, _: Any = None) -> None:
        """A budget or an episode was chosen; called by widgets, so nothing is computed here."""
        cell = self.cell
        self._judge.ask(cell)
        if self._plays:
            self._wish = (cell, int(self.episode.value))
            self._player.ask(self._wish)

    def _play(self, wish: Wish, wanted: Callable[[], bool]) -> None:
        """Show the episode that was asked for, then play the one after it; runs in the player's thread."""
        try:
            with suppress(Halted), self._machine:
                self._play_both(wish, wanted)
        finally:
            if self.cell not in self._ms:
                self._judge.ask(self.cell)

    def _play_both(self, wish: Wish, wanted: Callable[[], bool]) -> None:
        coming, what = (wish[0], wish[1] + 1), f"episode {wish[1]} with {wish[0]}"
        played = self._ahead.get(wish)
        if played is None:
            self._say("playing", what)
            played = self.run.play(*wish, wanted)
        self._ahead = {wish: played}
        if wanted():
            self._watch(played)
            self._say("ready", f"{what}; the next is being played")
            self._ahead[coming] = self.run.play(*coming, lambda: wanted() or self._wish == coming)
            self._say("ready", f"{what}; the next is played already")

    def _watch(self, played: Played) -> None:
        self.played = played
        self.step.max = max(0, played.rollout.length - 1)
        self._film(played.video)
        self._judge.ask(self.cell)

    def _film(self, video: bytes | None) -> None:
        """Show a video beside the sliders; until there is one there is no player, which a browser would complain of."""
        if video:
            self.video.value = video
            self.beside.children = (self.video,)

    def _show(self, cell: Cell, wanted: Callable[[], bool]) -> None:
        """Draw and tell all about a budget; runs in the judge's thread."""
        played, step = self.played, int(self.step.value)
        judged = None
        if played is not None:
            step = min(step, played.rollout.length - 1)
            same = played.rollout.cell == cell
            judged = played.judged(step) if same else self.run.judge(played.observations[step], cell, seed=step)
        selected = (cell.m_inf, cell.n)
        scene = Scene(self._budgets(cell.verifier), selected, judged, played.rollout if played else None, step)
        self.picture.value = as_png(draw(scene), DPI)
        if wanted():
            self.numbers.value = self._table(cell, played)

    def _budgets(self, verifier: str) -> pd.DataFrame:
        """Budgets evaluated with this verifier, and those of one candidate, with the counted work of each.

        Empty for agents whose work is not counted.
        """
        rows, table = [], self.run.evaluated
        shown = table.loc[(table["verifier"] == verifier) | ((table["n"] == 1) & (table["verifier"] == "mean"))]
        for row in shown.to_dict("records"):
            cost = self.run.cost(Cell(int(row["m_inf"]), int(row["n"])))
            if cost is not None:
                rows.append(row | {"mflop": 1e3 * cost.gflop})
        return pd.DataFrame(rows)

    def _table(self, cell: Cell, played: Played | None) -> str:
        """What a budget buys and costs, as a table of words."""
        cost, base = self.run.cost(cell), self.run.cost(Cell(1, 1))
        rows = {"success": self._success(cell), "latency": self._latency(cell)}
        if cost is not None and base is not None:
            times = f"{cost.gflop / base.gflop:.1f} times M_inf 1, N 1"
            networks = f"{cost.actor_evaluations} of the actor, {cost.critic_evaluations} of the critics"
            rows["work"] = f"{1e3 * cost.gflop:.1f} MFLOP a decision, {times}; evaluations: {networks}"
        if played is not None:
            outcome = "success" if played.rollout.succeeded else "no success"
            rows["episode"] = f"{outcome} in {played.rollout.length} steps. {played.note}"
        cells = (f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in rows.items())
        return f"<table aria-label='what {html.escape(str(cell))} buys and costs'>{''.join(cells)}</table>"

    def _latency(self, cell: Cell) -> str:
        """Of a decision, measured while the player leaves the machine alone."""
        if cell not in self._ms:
            if not self._machine.acquire(blocking=False):
                return "measured when no episode is being played"
            try:
                self._ms[cell] = self.run.milliseconds(cell)
            finally:
                self._machine.release()
        return f"{self._ms[cell]:.2f} ms a decision, here"

    def _success(self, cell: Cell) -> str:
        table, verifier = self.run.evaluated, "mean" if cell.n == 1 else cell.verifier
        keys = zip(table["m_inf"], table["n"], table["verifier"], strict=True)
        found = table.loc[[key == (cell.m_inf, cell.n, verifier) for key in keys]]
        if not len(found):
            return "not evaluated with this budget; `workbench evaluate` does"
        row = found.iloc[0]
        rate = success_rate(round(row["success"] * row["episodes"]), int(row["episodes"]))
        low, high = 100 * rate.low, 100 * rate.high
        return f"{100 * rate.value:.0f} %, {low:.0f} to {high:.0f} ({rate.kind}, n = {rate.n})"

    def _say(self, state: str, text: str) -> None:
        self.status.value = f"<span role='status'><b>{html.escape(state)}</b> {html.escape(text)}</span>"

    def _failed(self, error: str) -> None:
        self.status.value = f"<span role='status'><b>failed</b></span><pre>{html.escape(error)}</pre>"


def _choice(label: str, options: tuple[int, ...], value: int) -> widgets.SelectionSlider:
    return widgets.SelectionSlider(
        options=options, value=value, description=label, style=STYLE, layout={"width": "34em"}
    )
