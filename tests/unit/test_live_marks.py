"""One movement of a hand is one mark, whatever it did in between."""

import pytest

from tests.browser.fake import FakeBranch, FakeIntervention, FakeTrainer
from workbench.live.interventions import Intervention, from_records, to_records
from workbench.live.marks import joined, own_marks
from workbench.live.publish import Changes
from workbench.live.snapshot import Dials, Settings

DRAG = [Intervention(40 + k, "sc", 1.0 + k, 2.0 + k, "drag") for k in range(19)]


def move(step: int, old: float, new: float, gesture: str = "", name: str = "sc") -> Intervention:
    return Intervention(step, name, old, new, gesture)


@pytest.mark.parametrize(
    ("moves", "marks"),
    [
        ([], []),
        (DRAG, [(40, "sc", 1.0, 20.0)]),
        ([move(1, 1, 2), move(1, 2, 3)], [(1, "sc", 1, 2), (1, "sc", 2, 3)]),
        ([move(1, 1, 2, "a"), move(2, 1, 2, "a", "ql")], [(1, "sc", 1, 2), (2, "ql", 1, 2)]),
        ([move(1, 1, 2, "a"), move(1, 2, 1, "a")], []),
        ([move(1, 1, 2, "a"), move(5, 2, 1, "a")], [(1, "sc", 1, 1)]),
        ([move(1, 1, 2, "a"), move(5, 2, 1, "b")], [(1, "sc", 1, 2), (5, "sc", 2, 1)]),
        (
            [move(1, 1, 2, "a"), move(1, 1, 2, "", "lr"), move(3, 2, 3, "a"), move(60, 3, 1)],
            [(1, "sc", 1, 3), (1, "lr", 1, 2), (60, "sc", 3, 1)],
        ),
    ],
)
def test_what_a_gesture_did_to_a_control_is_one_mark(moves, marks):
    assert [(each.step, each.name, each.old, each.new) for each in joined(moves)] == marks


def test_a_fork_in_the_midst_of_a_drag_shows_its_own_part():
    branch = FakeBranch("main", "other", 50, interventions=[FakeIntervention(**vars(each)) for each in DRAG])
    assert [(each.step, each.old, each.new) for each in own_marks(branch)] == [(50, 11.0, 20.0)]


def test_a_mark_that_a_drag_changes_is_sent_again_and_no_other():
    trainer = FakeTrainer()
    changes, marks = Changes(trainer), []
    trainer.advance()
    for value, gesture in ((2.0, ""), (3.0, "drag"), (4.0, "drag"), (4.5, "drag"), (5.0, "next")):
        trainer.change("sc", value, gesture)
        message = changes.message()
        assert message is not None
        (part,) = message.head["branches"]
        assert len(part["marks"]) == 1
        marks = marks[: part["marks_stay"]] + part["marks"]
    assert marks == [[10, "w_SC", 1.0, 2.0], [10, "w_SC", 2.0, 4.5], [10, "w_SC", 4.5, 5.0]]
    trainer.advance()
    message = changes.message()
    assert message is not None
    assert (message.head["branches"][0]["marks_stay"], message.head["branches"][0]["marks"]) == (3, [])


def test_a_mark_that_comes_to_nothing_is_taken_back():
    trainer = FakeTrainer()
    changes = Changes(trainer)
    trainer.change("sc", 2.0, "drag")
    changes.message()
    trainer.change("sc", 1.0, "drag")
    message = changes.message()
    assert message is not None
    assert (message.head["branches"][0]["marks_stay"], message.head["branches"][0]["marks"]) == (0, [])


def test_dials_remember_the_gesture_of_what_it_changed():
    dials = Dials(Settings((("sc", 1.0), ("ql", 2.0))))
    dials.set("drag", sc=3.0, ql=2.0)
    assert dials.asked()[1] == {"sc": "drag"}
    dials.set(sc=4.0)
    assert dials.asked()[1]["sc"] == ""


def test_gestures_are_kept_in_records_and_records_without_one_are_as_they_were():
    moves = [Intervention(1, "sc", 1.0, 2.0), Intervention(2, "sc", 2.0, 3.0, "drag")]
    records = to_records(moves)
    assert records[0] == {"step": 1, "name": "sc", "old": 1.0, "new": 2.0}
    assert records[1] == {"step": 2, "name": "sc", "old": 2.0, "new": 3.0, "gesture": "drag"}
    assert from_records(records) == moves
