"""The panel without a browser: what a person sets arrives in the dials exactly, and what the trainer does is shown.

A hand is a message, as the page sends it.
"""

import threading
from collections.abc import Iterator

import jax
import pytest

from tests.unit.live_trainers import DATA, Maker, hand, makers, offer, turn, until
from workbench.live.branch import Branch
from workbench.live.controls import Controls
from workbench.live.marks import own_marks
from workbench.live.scales import EXPERIMENTS, GROUPS, STATIC
from workbench.live.trainer import Trainer


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def values(trainer: Trainer) -> dict:
    """The dials as they stand."""
    return trainer.branch.dials.read()[1].values


def told(panel: Controls) -> str:
    """What the status line says."""
    return f"{panel.told['status']} {panel.told['message']} {panel.told['error']}"


def test_every_control_is_shown_with_its_symbol_and_meaning_where_the_branch_begins(make):
    trainer = make(weights={"ql": 3.0, "lr": 0.005})
    panel = Controls(trainer)
    assert panel.shown["values"] == values(trainer)
    assert [each["name"] for each in panel.offered["dials"]] == [name for name in values(trainer) if name != "verifier"]
    symbols = {each["name"]: each["symbol"] for each in panel.offered["dials"]}
    assert symbols | {"ql": "w_QL", "fm": "w_FM", "sc": "w_SC", "m_inf": "M_inf", "n": "N"} == symbols
    assert [each["symbol"] for each in panel.offered["static"]] == ["width", "M_disc", "M_BTT"]
    assert all(each["meaning"] and each["group"] in GROUPS for each in panel.offered["dials"])
    assert offer(panel, "sc")["meaning"] == "weight of the self-consistency loss"
    assert [offer(panel, name)["group"] for name in ("ql", "lr", "n")] == list(GROUPS)
    assert [offer(panel, name)["paper"] for name in ("sc", "lr", "tau")] == [10.0, 1e-4, 0.005]


def test_hands_neither_compute_nor_print(make, monkeypatch, capsys):
    trainer = make()
    panel = Controls(trainer)
    for name in ("jit", "device_put", "device_get"):
        monkeypatch.setattr(jax, name, None)
    monkeypatch.setattr(jax.numpy, "asarray", None)
    turn(panel, sc=1.0)
    for do in ("reset", "paper"):
        hand(panel, do, gesture=do)
    hand(panel, "try", title=EXPERIMENTS[0].title, gesture="try")
    assert values(trainer)["sc"] == EXPERIMENTS[0].values["sc"]
    assert panel.offered["experiments"][0]["watch"] == EXPERIMENTS[0].watch
    assert capsys.readouterr() == ("", "")


def test_buttons_start_step_pause_and_stop(make):
    trainer = make()
    panel = Controls(trainer)
    hand(panel, "step", count="4")
    assert trainer.wait(120.0)
    assert trainer.branch.step == 4
    assert hand(panel, "step", count="some").startswith("'updates' must be a whole number between 1 and")
    hand(panel, "start")
    until(lambda: trainer.branch.step > 20 and panel.told["status"] == "running")
    hand(panel, "pause")
    until(lambda: panel.told["status"] == "paused")
    hand(panel, "stop")
    until(lambda: panel.told["status"] == "stopped")
    assert "s last time" in panel.told["compiling"]
    assert f"main: update {trainer.branch.step}" in panel.told["numbers"]


def test_values_of_preset_and_paper(make):
    trainer = make(weights={"sc": 3.0})
    panel = Controls(trainer)
    hand(panel, "paper", gesture="paper")
    assert {"sc": 10.0, "gamma": 0.99, "tau": 0.005, "lr": 1e-4}.items() <= values(trainer).items()
    assert panel.shown["values"] == values(trainer)
    hand(panel, "reset", gesture="reset")
    assert panel.shown["values"] == values(trainer) == trainer.branch.start.values


def test_the_panel_follows_what_others_set(make):
    trainer = make()
    panel = Controls(trainer)
    trainer.set(ql=2.5, verifier="min")
    assert {"ql": 2.5, "verifier": "min"}.items() <= panel.shown["values"].items()
    trainer.step(5)
    trainer.wait(120.0)
    trainer.set(ql=7.123456)
    until(lambda: panel.shown["values"]["ql"] == 7.123456)
    panel.close()
    trainer.set(ql=1.0)
    trainer.step(1)
    trainer.wait(120.0)
    assert panel.shown["values"]["ql"] == 7.123456


def test_forking_and_rewinding_by_button(make):
    trainer = make()
    panel = Controls(trainer)
    trainer.step(30)
    trainer.wait(120.0)
    turn(panel, sc=5.0)
    hand(panel, "fork", at="10")
    until(lambda: panel.shown["branch"] == "main from 10")
    assert panel.shown["branches"] == ["main", "main from 10"]
    assert panel.shown["values"]["sc"] == 10.0
    turn(panel, sc=1.0)
    hand(panel, "activate", on=False)
    assert not trainer.branch.active
    hand(panel, "select", chosen="main")
    assert (trainer.selected, panel.shown["values"]["sc"], panel.shown["active"]) == ("main", 5.0, True)
    hand(panel, "rewind", at="10")
    until(lambda: trainer.branch.step == 10)
    until(lambda: panel.told["step"] == 10 and "going to" not in told(panel))
    hand(panel, "rewind", at="25")
    until(lambda: "cannot go to 25" in told(panel))
    assert hand(panel, "rewind", at="ten").startswith("'at update' must be a whole number between 0 and")
    hand(panel, "fork")
    until(lambda: len(trainer.branches) == 3)


def test_static_choices_make_a_new_branch_and_say_what_compiling_cost(make):
    trainer = make()
    panel = Controls(trainer)
    assert [each["name"] for each in panel.offered["static"]] == list(STATIC)
    assert "recompiles: not compiled yet" in panel.told["compiling"]
    same = dict(panel.shown["static"])
    refused = hand(panel, "vary", settings=same)
    assert refused == "choose another width, M_disc or M_BTT first: a branch like this one is a fork."
    assert refused in told(panel)
    hand(panel, "vary", settings=same | {"m_btt": 2})
    until(lambda: panel.shown["branch"] == "m_btt=2")
    assert panel.shown["static"] == same | {"m_btt": 2}
    hand(panel, "select", chosen="main")
    assert panel.shown["static"] == same


def test_a_branch_that_was_varied_from_code_is_shown(make):
    """With a width that is not offered for others."""
    trainer = make()
    panel = Controls(trainer)
    trainer.vary(width=24)
    until(lambda: (panel.shown["branch"], panel.shown["static"]["width"]) == ("width=24", 24))
    assert 24 in panel.offered["static"][0]["options"]
    trainer.select("main")
    until(lambda: (panel.shown["branch"], panel.shown["static"]["width"]) == ("main", 16))
    assert 24 not in panel.offered["static"][0]["options"]
    trainer.set(sc=4.0)
    until(lambda: panel.shown["values"]["sc"] == 4.0)


def test_rewinding_as_offered_takes_back_the_last_change_and_no_more(make):
    trainer = make()
    panel = Controls(trainer)
    trainer.step(20)
    trainer.wait(120.0)
    until(lambda: panel.told["step"] == 20)
    assert panel.shown["at"] is None
    for sc in (5.0, 6.0):
        trainer.set(sc=sc)
        trainer.step(10)
        trainer.wait(120.0)
    until(lambda: panel.shown["at"] == 30)
    news = panel.shown["news"]
    hand(panel, "rewind", at=str(panel.shown["at"]))
    until(lambda: trainer.branch.step == 30 and panel.shown["at"] == 20)
    assert values(trainer)["sc"] == 5.0
    assert panel.shown["news"] != news


def test_a_long_way_back_is_told(make, monkeypatch):
    trainer = make()
    panel = Controls(trainer)
    trainer.step(30)
    trainer.wait(120.0)
    gate, back = threading.Event(), Branch.state_at
    monkeypatch.setattr(Branch, "state_at", lambda *args: gate.wait(60.0) and back(*args))
    hand(panel, "rewind", at="10")
    until(lambda: "going to update 10 from the nearest state kept" in told(panel))
    gate.set()
    until(lambda: trainer.branch.step == 10 and "going to" not in told(panel))


def test_what_the_thread_raises_appears_with_its_traceback(make, monkeypatch):
    trainer = make()
    panel = Controls(trainer)
    monkeypatch.setattr(Branch, "advance", lambda *args: {}["<no such key>"])
    hand(panel, "start")
    until(lambda: panel.told["status"] == "failed")
    assert "KeyError: '<no such key>'" in panel.told["error"]


def test_hands_on_several_threads_while_a_cell_waits(make):
    """As with subshells: messages come in other threads, while training runs and the main thread is busy."""
    trainer = make()
    panel = Controls(trainer)
    panel.send = lambda content, buffers=None: None
    trainer.start()
    until(lambda: trainer.branch.step)

    def drag(name: str) -> None:
        for k in range(1, 60):
            message = {"do": "turn", "branch": "main", "gesture": name, "values": {name: 0.1 * k}}
            panel._handle_custom_msg(message, [])

    threads = [threading.Thread(target=drag, args=(name,)) for name in ("ql", "fm", "sc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trainer.pause()
    assert trainer.error is None
    for name in ("ql", "fm", "sc"):
        assert values(trainer)[name] == panel.shown["values"][name] == 0.1 * 59
    assert len(own_marks(trainer.branch)) <= 3


def test_agents_get_their_own_panel(make):
    panel = Controls(make(agent="iql", settings={"width": 16, "depth": 1}, data=DATA))
    assert offer(panel, "alpha")["symbol"] == "α"
    assert offer(panel, "alpha")["meaning"].startswith("inverse temperature")
    assert "sc" not in panel.shown["values"]
    assert [each["name"] for each in panel.offered["static"]] == ["width"]
