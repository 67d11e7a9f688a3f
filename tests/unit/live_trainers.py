"""Small trainers for tests of the live workbench."""

import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from workbench.data.toy import make_toy
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
