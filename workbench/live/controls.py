"""The panel that steers a trainer: dials with number boxes, buttons, guided experiments.

The page sends what a person's hand does, with the branch that was shown, and nothing else; the kernel sends what is so.
Messages write a value into the trainer's dials or ask its thread for work; nothing here computes, so the panel is right
whether they come beside a cell (subshells) or after it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.data.catalogue import has_environment
from workbench.errors import WorkbenchError
from workbench.live.branch import Branch
from workbench.live.evaluations import EVERY
from workbench.live.marks import own_marks
from workbench.live.scales import EXPERIMENTS, GROUPS, MEANINGS, STATIC, described
from workbench.live.sentences import compiling_line, numbers_line
from workbench.live.snapshot import Value, judges
from workbench.live.symbols import symbol
from workbench.live.thread import BUSY
from workbench.live.trainer import Trainer

STATUS_SECONDS = 0.5
"""Least seconds between two renewals of the numbers while training goes on."""

STATIC_FILES = Path(__file__).parent / "static"
PARTS = ("element", "scale", "dial", "rows", "panel")
"""One script, in this order: it imports nothing."""

Hand = dict[str, Any]


class Controls(anywidget.AnyWidget):
    """A panel for a trainer: `Controls(trainer)` as the last line of a cell.

    Every control of the agent has a slider and a number box, which takes any legal value exactly; both work by
    keyboard. Only what a person does changes anything, on the branch that the panel showed then: showing the panel, or
    selecting a branch, changes nothing. One movement of the hand is one mark, however long. Buttons never wait for
    training. What goes wrong is told in the status line, with the traceback where it is no plain mistake.
    """

    _esm = "".join((STATIC_FILES / f"{part}.js").read_text() for part in PARTS)
    offered = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    told = traitlets.Dict().tag(sync=True)

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.message = trainer, ""
        self._lock = threading.RLock()
        self._numbers_at = 0.0
        self._paper = cache(lambda branch: trainer.values_of("paper", branch))
        self._offer = cache(lambda branch: self._offered(trainer.branches[branch]))
        super().__init__()
        self.add_class("workbench-controls")
        self.on_msg(self._receive)
        self._unsubscribe = trainer.subscribe(self.refresh)
        self.refresh()

    def close(self) -> None:
        """Stop following the trainer and remove the panel."""
        if hasattr(self, "_unsubscribe"):
            self._unsubscribe()
        super().close()

    def refresh(self) -> None:
        """Show what the trainer has become; called in its thread, quick."""
        with self._lock:
            trainer, now = self.trainer, time.perf_counter()
            branch = trainer.branch
            values = branch.dials.read()[1].values
            self.offered, self.shown = self._offer(branch.name), self._shown(branch, values)
            state = {"status": trainer.status, "error": trainer.error or "", "message": self.message}
            calm = trainer.status in BUSY and now - self._numbers_at < STATUS_SECONDS
            if calm and state.items() <= self.told.items():
                return
            self._numbers_at = now
            self.told = state | {
                "numbers": numbers_line(trainer),
                "compiling": compiling_line(trainer.compile_seconds),
                "step": branch.step,
            }

    def _offered(self, branch: Branch) -> dict[str, Any]:
        """What can be moved in a branch; those of one trainer may differ by a term."""
        settings, values = branch.spec.settings, branch.start.values
        return {
            "groups": GROUPS,
            "dials": described(values, branch.agent.knobs, self._paper(branch.name)),
            "verifier": {"options": judges(), "meaning": MEANINGS["verifier"]},
            "experiments": [
                {"title": each.title, "watch": each.watch} for each in EXPERIMENTS if set(each.values) <= set(values)
            ],
            "static": [
                {"name": name, "symbol": symbol(name), "options": sorted({*choices, settings[name]})}
                for name, choices in STATIC.items()
                if name in settings
            ],
            "environment": has_environment(self.trainer.problem.task),
        }

    def _shown(self, branch: Branch, values: dict[str, Value]) -> dict[str, Any]:
        """The selected branch's values, as they are.

        `at` is what Rewind and Fork offer: the last change by hand or, where there is none, the last update. What a
        person typed there stays until `news` of the branch: another one, another change, or a rewind.
        """
        trainer, settings, marks = self.trainer, branch.spec.settings, own_marks(branch)
        return {
            "branch": branch.name,
            "branches": list(trainer.branches),
            "active": branch.active,
            "values": values,
            "static": {name: settings[name] for name in STATIC if name in settings},
            "at": marks[-1].step if marks else None,
            "news": [branch.name, branch.rewinds, len(marks)],
            "evaluating": trainer.evaluating is not None,
            "every": EVERY,
            "episodes": trainer.evaluations.episodes,
            "success": trainer.evaluations.note,
        }

    # What a person's hand does.

    def _receive(self, _: Any, hand: Any, buffers: Any) -> None:
        """Do what a message asks for, and tell the page that it was heard, or why it was refused."""
        work = getattr(self, f"_do_{hand.get('do')}", None) if isinstance(hand, dict) else None
        if work is None or hand.get("branch") is None:
            return
        refused = self._ask(lambda: work(hand), self._doing(hand), beside_dial=hand["do"] == "turn")
        self.send({"heard": hand.get("number"), "page": hand.get("page"), "refused": refused})

    def _doing(self, hand: Hand) -> str:
        going = hand["do"] in ("rewind", "fork") and str(hand.get("at", "")).isdecimal()
        return f"going to update {int(hand['at']):,} from the nearest state kept" if going else ""

    def _ask(self, work: Callable[[], Any], doing: str, beside_dial: bool) -> str:
        """Do what a person asked for, and tell what came of it now or, for a future, later.

        Returns why it was refused, which the page tells `beside_dial` or the status line does.
        """
        self.message, refused = doing, ""
        try:
            future = work()
            self.refresh()
            if isinstance(future, Future):
                future.add_done_callback(lambda done: self._came_of(done, doing))
        except WorkbenchError as error:
            refused = str(error)
            self.message = "" if beside_dial else refused
        self.refresh()
        return refused

    def _came_of(self, future: Future, doing: str) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self.message = str(error) or repr(error)
        elif self.message == doing:
            self.message = ""
        self.refresh()

    def _turn(self, hand: Hand, values: dict[str, Any]) -> None:
        """Move controls of the branch that was shown; without a gesture it was no hand."""
        if hand.get("gesture"):
            self.trainer.set(hand["branch"], str(hand["gesture"]), **values)

    def _do_turn(self, hand: Hand) -> None:
        self._turn(hand, hand["values"])

    def _do_reset(self, hand: Hand) -> None:
        self._turn(hand, self.trainer.values_of(None, hand["branch"]))

    def _do_paper(self, hand: Hand) -> None:
        self._turn(hand, self._paper(hand["branch"]))

    def _do_try(self, hand: Hand) -> None:
        self._turn(hand, next(each.values for each in EXPERIMENTS if each.title == hand["title"]))

    def _do_start(self, _: Hand) -> None:
        self.trainer.start()

    def _do_pause(self, _: Hand) -> None:
        self.trainer.pause(wait=False)

    def _do_stop(self, _: Hand) -> None:
        self.trainer.stop(wait=False)

    def _do_step(self, hand: Hand) -> None:
        self.trainer.step(whole(hand["count"], "updates"))

    def _do_select(self, hand: Hand) -> None:
        self.trainer.select(hand["chosen"])

    def _do_activate(self, hand: Hand) -> None:
        self.trainer.activate(hand["branch"], hand["on"])

    def _do_rewind(self, hand: Hand) -> Future:
        return self.trainer.rewind(whole(hand["at"], "at update", least=0), hand["branch"], wait=False)

    def _do_fork(self, hand: Hand) -> Future:
        at = whole(hand["at"], "at update", least=0) if "at" in hand else None
        return self.trainer.fork(at, branch=hand["branch"], wait=False)

    def _do_vary(self, hand: Hand) -> Future:
        now = self.trainer.branches[hand["branch"]].spec.settings
        changed = {name: value for name, value in hand["settings"].items() if value != now[name]}
        if not changed:
            *others, last = map(symbol, hand["settings"])
            choices = f"{', '.join(others)} or {last}" if others else last
            raise WorkbenchError(f"choose another {choices} first: a branch like this one is a fork.")
        return self.trainer.vary(branch=hand["branch"], wait=False, **changed)

    def _do_evaluating(self, hand: Hand) -> None:
        self.trainer.evaluating = EVERY if hand["on"] else None

    def _do_episodes(self, hand: Hand) -> None:
        self.trainer.evaluations.episodes = whole(hand["count"], "episodes", most=1000)

    def _do_evaluate(self, hand: Hand) -> None:
        self.trainer.evaluate(branch=hand["branch"], wait=False)  # what comes of it is told in the note


def whole(text: Any, what: str, *, least: int = 1, most: int = 10**9) -> int:
    """A whole number as a person typed it, such as 1,000; raises `WorkbenchError` for anything else."""
    digits = str(text).replace(",", "").strip()
    if not digits.isdecimal() or not least <= int(digits) <= most:
        raise WorkbenchError(f"'{what}' must be a whole number between {least:,} and {most:,}, not '{text}'.")
    return int(digits)
