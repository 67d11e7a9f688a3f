"""The compute explorer without a browser: what it tells of a budget, and when episodes are played."""

import io
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.unit.recorded import made_up
from workbench.cost import DecisionCost
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.live import compute_explorer
from workbench.live.compute_explorer import ComputeExplorer
from workbench.live.compute_picture import Scene, draw
from workbench.live.names import Names
from workbench.live.thread import Halted
from workbench.live.trained import Judged, Played

OBS, ACT, LENGTH = 28, 5, 6


class FakeRun:
    """A trained run whose episodes are made up; `gate` holds them back, `asked` lists them."""

    name = "SORL (small) on cube"
    m_inf, n = (1, 2, 8), (1, 4)

    def __init__(self) -> None:
        rows = [(1, 1, 0.2, 0.05, 0.5), (1, 4, 0.6, 0.3, 0.8), (2, 1, 0.4, 0.2, 0.7), (2, 4, 0.8, 0.5, 0.95)]
        table = pd.DataFrame(rows, columns=["m_inf", "n", "success", "low", "high"]).assign(episodes=10)
        self.evaluated = table.assign(verifier="mean")
        self.asked: list[tuple[Cell, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.playing = False
        self.measured: list[tuple[Cell, bool]] = []

    def cost(self, cell: Cell) -> DecisionCost | None:
        return DecisionCost(cell.m_inf, cell.n, cell.m_inf * cell.n, 2 * cell.n, 1e-3 * cell.n * (cell.m_inf + 2))

    def milliseconds(self, cell: Cell) -> float:
        self.measured.append((cell, self.playing))
        return 0.1 * cell.m_inf

    def judge(self, x: np.ndarray, cell: Cell, seed: int) -> Judged:
        rng = np.random.default_rng(seed)
        candidates, q = rng.uniform(-1, 1, (4, ACT)), rng.normal(size=4)
        best = int(q[: cell.n].argmax())
        return Judged(candidates, q, cell.n, candidates[best], float(q[best]))

    def play(self, cell: Cell, episode: int, wanted: Callable[[], bool]) -> Played:
        self.asked.append((cell, episode))
        self.playing = True
        try:
            while not self.gate.wait(0.005):
                if not wanted():
                    raise Halted("given up.")
        finally:
            self.playing = False
        if episode == 13:
            raise WorkbenchError("episode 13 cannot be played.")
        return Played(made_up(LENGTH, ACT, m_inf=cell.m_inf, n=cell.n), np.zeros((LENGTH, OBS)), b"video %d" % episode)

    def video(self) -> bytes | None:
        return b"an old video"


@pytest.fixture(name="explorer")
def fixture_explorer() -> Iterator[ComputeExplorer]:
    made = ComputeExplorer(FakeRun())
    yield made
    made.close()


def fake(explorer: ComputeExplorer) -> FakeRun:
    """The made-up run that an explorer shows."""
    assert isinstance(explorer.run, FakeRun)
    return explorer.run


def test_a_budget_tells_what_it_buys_and_costs(explorer):
    explorer.set(m_inf=2, n=4)
    explorer.result(60.0)
    told = explorer.numbers.value
    assert "80 %, 49 to 94 (95 % Wilson interval over episodes, n = 10)" in told
    assert "0.20 ms a decision, here" in told
    assert "16.0 MFLOP a decision, 5.3 times M_inf 1, N 1; evaluations: 8 of the actor, 8 of the critics" in told
    assert "success in 6 steps" in told
    explorer.set(m_inf=8)
    explorer.result(60.0)
    assert "not evaluated with this budget" in explorer.numbers.value
    assert Image.open(io.BytesIO(explorer.picture.value)).size[0] > 800


def test_candidates_are_the_episodes_own_where_it_was_played_with_the_budget(explorer, monkeypatch):
    scenes: list[Scene] = []
    monkeypatch.setattr(compute_explorer, "draw", lambda scene: scenes.append(scene) or draw(scene))
    explorer.result(60.0)
    explorer.set(step=2)
    explorer.result(60.0)
    played, judged = explorer.played, scenes[-1].judged
    assert played is not None
    assert judged is not None
    np.testing.assert_array_equal(judged.candidates, played.rollout.candidates[2])
    np.testing.assert_array_equal(judged.q, played.rollout.q_candidates[2])
    assert draw(scenes[-1]).axes[1].get_title(loc="left") == "4 candidates at step 2"
    fake(explorer).gate.clear()
    explorer.set(m_inf=1)
    assert wait(lambda: scenes[-1].selected == (1, 4))
    assert draw(scenes[-1]).axes[1].get_title(loc="left") == "4 candidates, drawn anew, at step 2"
    fake(explorer).gate.set()


def test_a_decision_is_timed_while_no_episode_is_played(explorer):
    run = fake(explorer)
    explorer.result(60.0)
    run.gate.clear()
    explorer.set(m_inf=1)
    assert wait(lambda: "measured when no episode is being played" in explorer.numbers.value)
    run.gate.set()
    explorer.result(60.0)
    assert "0.10 ms a decision, here" in explorer.numbers.value
    assert run.measured == [(Cell(8, 4), False), (Cell(1, 4), False)]


def test_sliders_pictures_and_video_have_names(explorer):
    names = next(each.names for each in explorer.children if isinstance(each, Names))
    for slider in (explorer.m_inf, explorer.n, explorer.step):
        (mark,) = slider._dom_classes
        assert names[f".{mark} [role=slider]"] == slider.description
    assert {"img", "video"} <= set(names)
    assert "workbench-controls" in explorer._dom_classes


def test_the_next_episode_is_played_while_the_last_is_watched(explorer):
    run, cell = fake(explorer), Cell(8, 4)
    explorer.result(60.0)
    assert run.asked == [(cell, 0), (cell, 1)]
    assert explorer.video.value == b"video 0"
    run.gate.clear()
    explorer.next.click()
    assert wait(lambda: explorer.video.value == b"video 1")
    run.gate.set()
    explorer.result(60.0)
    assert run.asked == [(cell, 0), (cell, 1), (cell, 2)]
    assert "the next is played already" in explorer.status.value


def test_a_next_that_is_being_played_is_not_begun_again(explorer):
    run, cell = fake(explorer), Cell(8, 4)
    explorer.result(60.0)
    run.gate.clear()
    explorer.set(episode=1)
    assert wait(lambda: run.asked[-1] == (cell, 2))
    explorer.set(episode=2)
    run.gate.set()
    explorer.result(60.0)
    assert run.asked == [(cell, 0), (cell, 1), (cell, 2), (cell, 3)]
    assert explorer.video.value == b"video 2"


def test_another_budget_gives_up_what_is_being_played(explorer):
    run = fake(explorer)
    explorer.result(60.0)
    run.gate.clear()
    explorer.set(m_inf=1)
    assert wait(lambda: run.asked[-1] == (Cell(1, 4), 0))
    explorer.set(m_inf=2)
    run.gate.set()
    explorer.result(60.0)
    assert run.asked[-2:] == [(Cell(2, 4), 0), (Cell(2, 4), 1)]
    assert explorer.played is not None
    assert explorer.played.rollout.cell == Cell(2, 4)


def test_what_goes_wrong_is_shown_and_raised(explorer):
    explorer.set(episode=13)
    with pytest.raises(WorkbenchError, match="episode 13 cannot be played"):
        explorer.result(60.0)
    assert "episode 13 cannot be played." in explorer.status.value
    with pytest.raises(WorkbenchError, match="n must be one of 1, 4, not 3"):
        explorer.set(m_inf=1, n=3)
    with pytest.raises(WorkbenchError, match="unknown slider 'm_inff': did you mean m_inf"):
        explorer.set(m_inff=3)
    assert explorer.cell == Cell(8, 4)


def wait(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold."""
    ticks = threading.Event()
    return any(condition() or ticks.wait(0.005) for _ in range(12_000))
