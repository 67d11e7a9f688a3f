"""The panel that steers a trainer: sliders with number boxes, buttons, guided experiments.

Callbacks write a value into the trainer's dials or ask its thread for work; nothing here computes, so the panel is
right whether callbacks run beside a cell (subshells) or after it.
"""

import html
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import ipywidgets as widgets

from workbench.data.catalogue import has_environment
from workbench.errors import WorkbenchError
from workbench.live.branch import Branch
from workbench.live.dial import DESCRIBED, Dial, slider_names
from workbench.live.evaluations import EVERY
from workbench.live.publish import own_marks
from workbench.live.scales import EXPERIMENTS, MEANINGS, STATIC
from workbench.live.sentences import compiling_line, numbers_line, status_line
from workbench.live.silence import Silence
from workbench.live.snapshot import Value
from workbench.live.thread import BUSY
from workbench.live.trainer import Trainer
from workbench.verifiers import VERIFIERS

STATUS_SECONDS = 0.5
"""Least seconds between two renewals of the numbers while training goes on."""

COLUMNS = {"grid_template_columns": "repeat(auto-fit, minmax(24em, 1fr))", "grid_gap": "0 1.5em"}
"""As many sliders side by side as the page is wide enough for."""


REWIND = "back to that update: changes made at it or later are undone, and what was learned since is lost"


class Controls(widgets.VBox):
    """A panel for a trainer: `Controls(trainer)` as the last line of a cell.

    Every control of the agent has a labelled number box and a slider; both work by keyboard. Buttons never wait for
    training. What goes wrong is told in the status line, with the traceback where it is no plain mistake.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.message = trainer, ""
        self._lock, self._silent = threading.RLock(), Silence()
        self._shown: tuple[Any, ...] = ()
        self._numbers_at = 0.0
        self._followed: tuple[Any, int] = ((), 0)
        self._paper = trainer.values_of("paper")
        values, meanings = trainer.branch.dials.read()[1].values, trainer.branch.agent.knobs | MEANINGS
        self.dials = {
            name: Dial(name, float(value), meanings[name], self._write)
            for name, value in values.items()
            if name != "verifier"
        }
        self.verifier = widgets.Dropdown(
            options=list(VERIFIERS),
            value=values["verifier"],
            description="verifier",
            tooltip=f"verifier: {MEANINGS['verifier']}",
            style=DESCRIBED,
            layout={"width": "12em"},
        )
        self.verifier.observe(self._heard(lambda value: self._write("verifier", value)), "value")
        self.status, self.numbers = widgets.HTML(), widgets.HTML()
        names = slider_names({name: dial.title for name, dial in self.dials.items()})
        dials = widgets.GridBox([*(dial.row for dial in self.dials.values()), self.verifier], layout=COLUMNS)
        rows = [self._training_row(), self.status, self.numbers, dials]
        below = [self._evaluation_row(), self._guide_row(), self._past_row(), self._static_row(), names]
        super().__init__([*rows, *below])
        self.add_class("workbench-controls")
        self._unsubscribe = trainer.subscribe(self.refresh)
        self.refresh()

    def close(self) -> None:
        """Stop following the trainer and remove the panel."""
        if hasattr(self, "_unsubscribe"):
            self._unsubscribe()
        super().close()

    def refresh(self) -> None:
        """Show what the trainer has become; called in its thread, quick."""
        with self._lock, self._silent:
            trainer, now = self.trainer, time.perf_counter()
            names, state = tuple(trainer.branches), (trainer.status, trainer.error, self.message)
            if self.branch.options != names:
                self.branch.options, self._shown = names, ()
            version, settings = trainer.branch.dials.read()
            if (trainer.selected, version) != self._shown:
                self._shown = (trainer.selected, version)
                self._show(settings.values)
            self.evaluating.value = trainer.evaluating is not None
            self.success.value = f"<span role='status'>{html.escape(trainer.evaluations.note)}</span>"
            text = status_line(*state)
            calm = trainer.status in BUSY and now - self._numbers_at < STATUS_SECONDS
            due = text != self.status.value or not calm
            self._follow(trainer.branch, due)
            if due:
                self._numbers_at, self.status.value = now, text
                self.numbers.value = numbers_line(trainer)
                self.compiling.value = compiling_line(trainer.compile_seconds)

    def _show(self, values: dict[str, Value]) -> None:
        """Show the selected branch's values; dials that it lacks are hidden, for agents may differ by a term."""
        for name, dial in self.dials.items():
            dial.row.layout.display = None if name in values else "none"
            if name in values:
                dial.show(float(values[name]))
        branch = self.trainer.branch
        self.verifier.value, self.branch.value, self.active.value = values["verifier"], branch.name, branch.active
        for name, choice in self.static.items():
            value = branch.spec.settings[name]
            if value not in choice.options:
                choice.options = sorted({*choice.options, value})
            choice.value = value

    def _follow(self, branch: Branch, due: bool) -> None:
        """Have the box of Rewind and Fork show a branch's last change by hand or, without one, its last update.

        The latter is renewed where that is `due`. A number that a person typed stays until there is another change, or
        another branch is chosen.
        """
        marks = own_marks(branch)
        news = (branch.name, branch.rewinds, len(marks))
        former, shown = self._followed
        if news != former or (due and not marks and self.at.value == shown):
            self.at.value = marks[-1].step if marks else branch.step
            self._followed = (news, self.at.value)

    def _training_row(self) -> widgets.HBox:
        trainer = self.trainer
        self.steps = widgets.BoundedIntText(value=1, min=1, max=10**9, description="updates", layout={"width": "11em"})
        self.start = self._button("Start", lambda: trainer.start(), "train without end")
        self.pause = self._button("Pause", lambda: trainer.pause(wait=False), "halt after this chunk")
        self.step = self._button("Step", lambda: trainer.step(self.steps.value), "train this many updates, then pause")
        self.stop = self._button("Stop", lambda: trainer.stop(wait=False), "halt, and end the thread")
        self.reset = self._button("Reset", trainer.reset, "all controls back to the values this branch began with")
        self.paper = self._button("Paper values", lambda: trainer.set(**self._paper), "the values of the paper")
        buttons = [self.start, self.pause, self.step, self.steps, self.stop, self.reset, self.paper]
        return widgets.HBox(buttons, layout={"flex_flow": "row wrap"})

    def _evaluation_row(self) -> widgets.VBox:
        """Success in the task's environment; not shown where there is none."""
        trainer = self.trainer
        self.evaluating = widgets.Checkbox(
            description="evaluate while training",
            tooltip=f"play episodes with every branch that trains, every {EVERY:.0f} s",
            indent=False,
            layout={"width": "14em"},
        )
        self.evaluating.observe(self._heard(lambda on: setattr(trainer, "evaluating", EVERY if on else None)), "value")
        self.episodes = widgets.BoundedIntText(
            value=trainer.evaluations.episodes, min=1, max=1000, description="episodes", layout={"width": "11em"}
        )
        self.episodes.observe(self._heard(lambda count: setattr(trainer.evaluations, "episodes", count)), "value")

        def evaluate() -> None:
            trainer.evaluate(wait=False)  # what comes of it is told in the note

        self.evaluate = self._button("Evaluate now", evaluate, "play this many episodes with the selected branch")
        self.success = widgets.HTML()
        row = widgets.HBox([self.evaluating, self.episodes, self.evaluate], layout={"flex_flow": "row wrap"})
        shown = None if has_environment(trainer.problem.task) else "none"
        return widgets.VBox([row, self.success], layout={"display": shown})

    def _guide_row(self) -> widgets.VBox:
        offered = {each.title: each for each in EXPERIMENTS if set(each.values) <= {*self.dials, "verifier"}}
        self.experiment = widgets.Dropdown(
            options=list(offered),
            description="experiment",
            style={"description_width": "6em"},
            layout={"width": "32em", "max_width": "100%"},
        )
        self.watch = widgets.HTML()

        def try_it() -> None:
            chosen = offered[str(self.experiment.value)]
            self.trainer.set(**chosen.values)
            self.watch.value = html.escape(f"Watch: {chosen.watch}")

        self.try_it = self._button("Try it", try_it, "set the experiment's values; Rewind undoes it")
        return widgets.VBox([widgets.HBox([self.experiment, self.try_it]), self.watch])

    def _past_row(self) -> widgets.HBox:
        trainer = self.trainer
        self.branch = widgets.Dropdown(options=tuple(trainer.branches), description="branch", style=DESCRIBED)
        self.branch.observe(self._heard(trainer.select), "value")
        self.active = widgets.Checkbox(value=True, description="trains", indent=False, layout={"width": "6em"})
        self.active.observe(self._heard(lambda on: trainer.activate(trainer.selected, on)), "value")
        self.at = widgets.BoundedIntText(
            value=trainer.branch.step,
            min=0,
            max=10**9,
            description="at update",
            tooltip="follows the last change by hand; where there is none, the last update",
            layout={"width": "13em"},
        )
        self.rewind = self._button("Rewind", lambda: trainer.rewind(self.at.value, wait=False), REWIND, self._going)
        self.fork = self._button(
            "Fork", lambda: trainer.fork(self.at.value, wait=False), "a second branch from that update", self._going
        )
        self.fork_now = self._button("Fork now", lambda: trainer.fork(wait=False), "a second branch from here")
        row = [self.branch, self.active, self.at, self.rewind, self.fork, self.fork_now]
        return widgets.HBox(row, layout={"flex_flow": "row wrap"})

    def _static_row(self) -> widgets.VBox:
        settings = self.trainer.branch.spec.settings
        self.static = {
            name: widgets.Dropdown(
                options=sorted({*choices, settings[name]}),
                value=settings[name],
                description=name,
                style=DESCRIBED,
                layout={"width": "11em"},
            )
            for name, choices in STATIC.items()
            if name in settings
        }
        self.vary = self._button("New branch (recompiles)", self._vary, "train with these choices from update 0")
        self.compiling = widgets.HTML()
        return widgets.VBox([widgets.HBox([*self.static.values(), self.vary]), self.compiling])

    def _vary(self) -> Future | None:
        now = self.trainer.branch.spec.settings
        changed = {name: choice.value for name, choice in self.static.items() if choice.value != now[name]}
        if not changed:
            raise WorkbenchError("choose another width, m_disc or m_btt first: a branch like this one is a fork.")
        return self.trainer.vary(wait=False, **changed)

    def _going(self) -> str:
        return f"going to update {self.at.value:,} from the nearest state kept"

    def _button(
        self, label: str, work: Callable[[], Any], tooltip: str, doing: Callable[[], str] = str
    ) -> widgets.Button:
        """A button; `doing` says what `work` is at until its future is done."""
        button = widgets.Button(description=label, tooltip=tooltip, layout={"width": "auto"})
        button.on_click(lambda _: self._ask(work, doing()))
        return button

    def _ask(self, work: Callable[[], Any], doing: str = "") -> None:
        """Do what a person asked for, and tell what came of it now or, for a future, later."""
        self.message = doing
        try:
            future = work()
            self.refresh()
            if isinstance(future, Future):
                future.add_done_callback(lambda done: self._came_of(done, doing))
        except WorkbenchError as error:
            self.message = str(error)
        self.refresh()

    def _came_of(self, future: Future, doing: str) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self.message = str(error) or repr(error)
        elif self.message == doing:
            self.message = ""
        self.refresh()

    def _write(self, name: str, value: Value) -> None:
        def work() -> None:
            with self._lock:
                self._shown = (self.trainer.selected, self.trainer.set(**{name: value}))

        self._ask(work)

    def _heard(self, work: Callable[[Any], Any]) -> Callable[[Any], None]:
        """A callback for what a person chooses; what this thread sets while it is silent is not."""

        def changed(change: Any) -> None:
            if not self._silent:
                self._ask(lambda: work(change["new"]))

        return changed
