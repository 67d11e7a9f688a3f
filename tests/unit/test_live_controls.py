"""The panel without a browser: what a person sets arrives in the dials, and what the trainer does is shown."""

import threading
from collections.abc import Iterator

import jax
import pytest

from tests.unit.live_trainers import DATA, Maker, makers, until
from workbench.live.branch import Branch
from workbench.live.controls import Controls
from workbench.live.dial import Dial
from workbench.live.scales import EXPERIMENTS, SCALES, STATIC, WEIGHT
from workbench.live.trainer import Trainer


@pytest.fixture(name="make")
def fixture_make() -> Iterator[Maker]:
    yield from makers()


def values(trainer: Trainer) -> dict:
    """The dials as they stand."""
    return trainer.branch.dials.read()[1].values


def test_every_control_has_a_label_and_starts_where_the_branch_does(make):
    trainer = make()
    panel = Controls(trainer)
    assert [*panel.dials, "verifier"] == list(values(trainer))
    for name, dial in panel.dials.items():
        assert dial.box.value == values(trainer)[name]
        assert dial.box.description
        assert dial.box.description in dial.slider.tooltip
    assert panel.dials["sc"].slider.tooltip == "w_sc: weight of the self-consistency loss"


def test_sliders_boxes_and_dials_agree(make):
    trainer = make()
    panel = Controls(trainer)
    for name, dial in panel.dials.items():
        dial.slider.value = 4.0 if name in ("m_inf", "n") else 0.02 if name in ("tau", "lr") else 10.0 / 3.0
        assert dial.box.value == values(trainer)[name]
    assert {"ql": 3.33, "gamma": 0.7, "lr": 0.02, "m_inf": 4, "n": 4}.items() <= values(trainer).items()
    version = trainer.branch.dials.read()[0]
    panel.dials["sc"].box.value = 0.0
    panel.dials["m_inf"].box.value = 3
    panel.verifier.value = "min"
    assert {"sc": 0.0, "m_inf": 3, "verifier": "min"}.items() <= values(trainer).items()
    assert trainer.branch.dials.read()[0] == version + 3
    assert panel.dials["sc"].slider.value == pytest.approx(WEIGHT.least)
    assert panel.dials["m_inf"].slider.value == 3


def test_sliders_are_even_in_the_logarithm(make):
    panel = Controls(make())
    for name, dial in panel.dials.items():
        scale = SCALES.get(name, WEIGHT)
        assert dial.slider.base**dial.slider.min == pytest.approx(scale.least)
        assert dial.slider.base**dial.slider.max == pytest.approx(scale.most)
    panel.dials["gamma"].slider.value = 100.0
    assert panel.dials["gamma"].box.value == 0.99


def test_callbacks_neither_compute_nor_print(make, monkeypatch, capsys):
    trainer = make()
    panel = Controls(trainer)
    for name in ("jit", "device_put", "device_get"):
        monkeypatch.setattr(jax, name, None)
    monkeypatch.setattr(jax.numpy, "asarray", None)
    panel.dials["sc"].slider.value = 1.0
    panel.reset.click()
    panel.paper.click()
    panel.try_it.click()
    assert values(trainer)["sc"] == EXPERIMENTS[0].values["sc"]
    assert EXPERIMENTS[0].watch[:20] in panel.watch.value
    assert capsys.readouterr() == ("", "")


def test_buttons_start_step_pause_and_stop(make):
    trainer = make()
    panel = Controls(trainer)
    panel.steps.value = 4
    panel.step.click()
    assert trainer.wait(120.0)
    assert trainer.branch.step == 4
    panel.start.click()
    until(lambda: trainer.branch.step > 20 and "running" in panel.status.value)
    panel.pause.click()
    until(lambda: "paused" in panel.status.value)
    panel.stop.click()
    until(lambda: "stopped" in panel.status.value)
    assert "s last time" in panel.compiling.value
    assert f"main: update {trainer.branch.step}" in panel.numbers.value


def test_values_of_preset_and_paper(make):
    trainer = make(weights={"sc": 3.0})
    panel = Controls(trainer)
    panel.paper.click()
    assert {"sc": 10.0, "gamma": 0.99, "tau": 0.005, "lr": 1e-4}.items() <= values(trainer).items()
    assert panel.dials["lr"].box.value == 1e-4
    panel.reset.click()
    assert values(trainer) == trainer.branch.start.values
    assert panel.dials["sc"].box.value == 3.0


def test_the_panel_follows_what_others_set(make):
    trainer = make()
    panel = Controls(trainer)
    trainer.set(ql=2.5, verifier="min")
    assert (panel.dials["ql"].box.value, panel.verifier.value) == (2.5, "min")
    trainer.step(5)
    trainer.wait(120.0)
    trainer.set(ql=7.123456)
    until(lambda: panel.dials["ql"].box.value == 7.123456)
    assert values(trainer)["ql"] == 7.123456
    panel.close()
    trainer.set(ql=1.0)
    trainer.step(1)
    trainer.wait(120.0)
    assert panel.dials["ql"].box.value == 7.123456


def test_forking_and_rewinding_by_button(make):
    trainer = make()
    panel = Controls(trainer)
    trainer.step(30)
    trainer.wait(120.0)
    panel.at.value = 10
    panel.dials["sc"].box.value = 5.0
    panel.fork.click()
    until(lambda: panel.branch.value == "main from 10")
    assert panel.branch.options == ("main", "main from 10")
    assert panel.dials["sc"].box.value == 10.0
    panel.dials["sc"].box.value = 1.0
    panel.active.value = False
    assert not trainer.branch.active
    panel.branch.value = "main"
    assert (trainer.selected, panel.dials["sc"].box.value, panel.active.value) == ("main", 5.0, True)
    panel.at.value = 10
    panel.rewind.click()
    until(lambda: trainer.branch.step == 10)
    until(lambda: panel.at.value == 10 and "going to" not in panel.status.value)
    panel.at.value = 25
    panel.rewind.click()
    until(lambda: "cannot go to 25" in panel.status.value)
    panel.fork_now.click()
    until(lambda: len(trainer.branches) == 3)


def test_static_choices_make_a_new_branch_and_say_what_compiling_cost(make):
    trainer = make()
    panel = Controls(trainer)
    assert set(panel.static) == set(STATIC)
    assert "recompiles: not compiled yet" in panel.compiling.value
    panel.vary.click()
    assert "choose another width" in panel.status.value
    panel.static["m_btt"].value = 2
    panel.vary.click()
    until(lambda: trainer.selected == "m_btt=2" and panel.branch.value == "m_btt=2")
    assert panel.static["width"].value == 16
    panel.static["m_disc"].value = 2
    panel.branch.value = "main"
    assert (panel.static["m_btt"].value, panel.static["m_disc"].value) == (1, 4)


def test_a_branch_that_was_varied_from_code_is_shown(make):
    """With a width that is not offered, and without a term that the first branch has."""
    trainer = make()
    panel = Controls(trainer)
    panel.dials["own"] = Dial("own", 1.0, "weight of a term that no branch here has", lambda name, value: None)
    trainer.vary(width=24)
    until(lambda: (panel.branch.value, panel.static["width"].value) == ("width=24", 24))
    assert panel.dials["own"].row.layout.display == "none"
    trainer.select("main")
    until(lambda: panel.at.value == trainer.branch.step)
    until(lambda: (panel.branch.value, panel.static["width"].value) == ("main", 16))
    trainer.set(sc=4.0)
    until(lambda: panel.dials["sc"].box.value == 4.0)


def test_rewinding_as_offered_takes_back_the_last_change_and_no_more(make):
    trainer = make()
    panel = Controls(trainer)
    trainer.step(20)
    trainer.wait(120.0)
    until(lambda: panel.at.value == 20)
    panel.rewind.click()
    until(lambda: trainer.branch.rewinds == 1 and "going to" not in panel.status.value)
    assert trainer.branch.step == 20
    for sc in (5.0, 6.0):
        trainer.set(sc=sc)
        trainer.step(10)
        trainer.wait(120.0)
    until(lambda: panel.at.value == 30)
    panel.rewind.click()
    until(lambda: trainer.branch.step == 30 and panel.at.value == 20)
    assert values(trainer)["sc"] == 5.0
    panel.at.value = 7
    trainer.step(10)
    trainer.wait(120.0)
    until(lambda: "update 40" in panel.numbers.value)
    assert panel.at.value == 7, "what a person typed stays"


def test_a_long_way_back_is_told(make, monkeypatch):
    trainer = make()
    panel = Controls(trainer)
    trainer.step(30)
    trainer.wait(120.0)
    gate, told = threading.Event(), Branch.state_at
    monkeypatch.setattr(Branch, "state_at", lambda *args: gate.wait(60.0) and told(*args))
    panel.at.value = 10
    panel.rewind.click()
    until(lambda: "going to update 10 from the nearest state kept" in panel.status.value)
    gate.set()
    until(lambda: trainer.branch.step == 10 and "going to" not in panel.status.value)


def test_what_the_thread_raises_appears_with_its_traceback(make, monkeypatch):
    trainer = make()
    panel = Controls(trainer)
    monkeypatch.setattr(Branch, "advance", lambda *args: {}["<no such key>"])
    panel.start.click()
    until(lambda: "failed" in panel.status.value)
    assert "KeyError: &#x27;&lt;no such key&gt;&#x27;" in panel.status.value


def test_callbacks_on_several_threads_while_a_cell_waits(make):
    """As with subshells: sliders move in other threads, while training runs and the main thread is busy."""
    trainer = make()
    panel = Controls(trainer)
    trainer.start()
    until(lambda: trainer.branch.step)

    def drag(name: str) -> None:
        for position in range(1, 60):
            panel.dials[name].slider.value = 0.1 * position

    threads = [threading.Thread(target=drag, args=(name,)) for name in ("ql", "fm", "sc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trainer.pause()
    assert trainer.error is None
    for name in ("ql", "fm", "sc"):
        assert values(trainer)[name] == panel.dials[name].box.value == 5.9


def test_agents_get_their_own_panel(make):
    panel = Controls(make(agent="iql", settings={"width": 16, "depth": 1}, data=DATA))
    assert "alpha" in panel.dials
    assert "sc" not in panel.dials
    assert panel.dials["alpha"].slider.tooltip.startswith("alpha: inverse temperature")
    assert list(panel.static) == ["width"]
