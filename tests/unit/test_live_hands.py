"""Only a person's hand changes anything: on the branch that was shown, exactly as typed, and one mark a movement."""

from collections.abc import Iterator

import pytest

from tests.unit.live_trainers import Maker, hand, makers, turn, until
from workbench.live.controls import Controls
from workbench.live.marks import own_marks
from workbench.live.scales import EXPERIMENTS
from workbench.live.trainer import Trainer


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


@pytest.fixture(name="panel", scope="module")
def fixture_panel() -> Iterator[Controls]:
    """A panel whose trainer is never started."""
    for make in makers():
        yield Controls(make())


def values(trainer: Trainer) -> dict:
    """The dials as they stand."""
    return trainer.branch.dials.read()[1].values


def test_what_a_page_echoes_is_no_hand(make):
    """State of the widget that comes back, moved or not, and messages without a gesture."""
    trainer = make(weights={"ql": 3.0})
    panel = Controls(trainer)
    before = values(trainer)
    moved = panel.shown | {"values": before | {"ql": 3.16, "n": 8}}
    panel._handle_msg({"content": {"data": {"method": "update", "state": {"shown": moved}}}, "buffers": []})
    assert hand(panel, "turn", values={"ql": 3.16}) == ""
    assert hand(panel, "turn", values={"ql": 3.16}, gesture="") == ""
    assert hand(panel, "paper") == hand(panel, "reset") == hand(panel, "try", title=EXPERIMENTS[0].title) == ""
    for nonsense in (None, "hello", {}, {"do": "explode", "branch": "main"}, {"do": "turn", "values": {"ql": 1.0}}):
        panel._handle_custom_msg(nonsense, [])
    assert values(trainer) == before == panel.trainer.branch.settings.values
    assert not trainer.branch.follow_dials()
    assert trainer.branch.interventions == []
    assert panel.shown["values"] == before


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("ql", "7.5", 7.5),
        ("ql", "7.50", 7.5),
        ("ql", 0.985, 0.985),
        ("sc", "3", 3.0),
        ("sc", "0", 0.0),
        ("sc", "-1", -1.0),
        ("fm", "2e6", 2e6),
        ("fm", "1e-12", 1e-12),
        ("lr", "0.00501", 0.00501),
        ("lr", 0.1 + 0.2, 0.1 + 0.2),
        ("lr", "0", 0.0),
        ("tau", "0.005", 0.005),
        ("gamma", "0.985", 0.985),
        ("gamma", "1", 1.0),
        ("m_inf", "3", 3),
        ("n", "6", 6),
        ("n", 64, 64),
        ("verifier", "min", "min"),
    ],
)
def test_a_value_is_taken_and_shown_as_it_is(panel, name, typed, value):
    assert turn(panel, **{name: typed}) == ""
    assert values(panel.trainer)[name] == panel.shown["values"][name] == value
    assert type(panel.shown["values"][name]) is type(value)


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("ql", "abc", "ql must be one number, not 'abc'."),
        ("ql", "7,5", "ql must be one number, not '7,5'."),
        ("ql", "nan", "ql must be a number, not 'nan'."),
        ("sc", "inf", "sc must be a number, not 'inf'."),
        ("tau", "2", "tau must be a number between 0 and 1, not '2'."),
        ("gamma", "-0.1", "gamma must be a number between 0 and 1, not '-0.1'."),
        ("lr", "-1", "lr must be a number between 0 and inf, not '-1'."),
        ("n", "65", "n must be a whole number between 1 and 64, not '65'."),
        ("n", "0", "n must be a whole number between 1 and 64, not '0'."),
        ("m_inf", "2.5", "m_inf must be a whole number between 1 and 64, not '2.5'."),
        ("w", "1", "unknown control 'w'"),
    ],
)
def test_a_value_that_is_not_legal_is_refused_in_words_and_moves_nothing(panel, name, typed, words):
    before = values(panel.trainer)
    assert turn(panel, **{name: typed}).startswith(words)
    assert values(panel.trainer) == panel.shown["values"] == before


def test_a_drag_takes_effect_while_it_lasts_and_is_one_mark(make):
    """The trainer's part, between two chunks, is done here."""
    trainer = make(weights={"ql": 10.0})
    panel, branch = Controls(trainer), trainer.branch
    for k in range(19):
        turn(panel, "a drag", ql=11.0 + k)
        assert branch.follow_dials()
        assert branch.settings.values["ql"] == 11.0 + k
        branch.step += 5
    turn(panel, "a press", ql=3.0)
    branch.follow_dials()
    panel.refresh()
    assert [(each.step, each.old, each.new) for each in own_marks(branch)] == [(0, 10.0, 29.0), (95, 29.0, 3.0)]
    assert [each.new for each in branch.interventions] == [*range(11, 30), 3.0]
    assert (panel.shown["at"], panel.shown["news"][-1]) == (95, 2)


def test_what_a_hand_does_belongs_to_the_branch_that_was_shown(make):
    """Messages that were waiting for a cell, which selected another branch meanwhile."""
    trainer = make(weights={"ql": 3.0})
    panel = Controls(trainer)
    trainer.fork(name="second")
    trainer.set(ql=7.5)
    until(lambda: panel.shown["values"]["ql"] == 7.5)
    second = values(trainer)
    assert turn(panel, branch="main", sc=0.985) == ""
    assert panel.trainer.branches["main"].dials.read()[1].values["sc"] == 0.985
    assert hand(panel, "reset", branch="main", gesture="a click") == ""
    assert panel.trainer.branches["main"].dials.read()[1].values["sc"] == 10.0
    assert hand(panel, "paper", branch="main", gesture="another") == ""
    assert hand(panel, "activate", branch="main", on=False) == ""
    assert not trainer.branches["main"].active
    assert hand(panel, "fork", branch="main", at="0") == ""
    until(lambda: "main from 0" in trainer.branches)
    assert trainer.branches["second"].dials.read()[1].values == second
    assert turn(panel, branch="gone", ql=1.0).startswith("unknown branch 'gone'")
