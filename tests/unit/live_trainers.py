"""Small trainers for tests of the live workbench."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from workbench.data.toy import make_toy
from workbench.live.controls import Controls
from workbench.live.trainer import Trainer

TASK = "toy:eight_gaussians"
DATA = make_toy("eight_gaussians", rows=600, seed=0)
SMALL = {"width": 16, "depth": 1, "m_btt": 1, "m_disc": 4}


Maker: TypeAlias = Callable[..., Trainer]


def makers() -> Iterator[Maker]:
    """Body of a fixture that makes small trainers, and ends their threads after the test."""
    made: list[Trainer] = []

    def small(**changes) -> Trainer:
        made.append(Trainer(TASK, **({"settings": SMALL, "batch_size": 16, "data": DATA} | changes)))
        return made[-1]

    yield small
    for trainer in made:
        trainer.stop()


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def hand(panel: Controls, do: str, *, branch: str | None = None, **content: Any) -> str:
    """What the page sends for a person's hand, by default on the branch that is shown; returns why it was refused."""
    replies: list[dict[str, Any]] = []
    panel.send = lambda content, buffers=None: replies.append(content)
    shown = panel.shown["branch"] if branch is None else branch
    panel._handle_custom_msg({"do": do, "branch": shown, "page": "a page", "number": 7, **content}, [])
    (reply,) = replies
    assert (reply["heard"], reply["page"]) == (7, "a page")
    return reply["refused"]


def turn(panel: Controls, gesture: str = "", /, *, branch: str | None = None, **values: Any) -> str:
    """A hand that moves controls, in a gesture of its own unless one is named; returns why it was refused."""
    return hand(panel, "turn", branch=branch, gesture=gesture or f"gesture {time.perf_counter_ns()}", values=values)


def offer(panel: Controls, name: str) -> dict[str, Any]:
    """What a panel says of a control."""
    return next(each for each in panel.offered["dials"] if each["name"] == name)
