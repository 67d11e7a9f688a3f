"""Data of a user's own: from arrays and files to trained runs, and every defect said before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.live_trainers import SMALL
from workbench.cli.main import main
from workbench.data.arrays import from_arrays, from_transitions, load_own
from workbench.data.check import check_file
from workbench.data.dataset import Dataset
from workbench.data.findings import DEFECT, NOTE
from workbench.data.load import load_data
from workbench.data.own_check import check_arrays
from workbench.errors import DatasetError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.experiments import evaluate_run
from workbench.live.trainer import Trainer
from workbench.store.folder import RunFolder

EPISODES, ROWS = 10, 6
Arrays = dict[str, Any]


def sound() -> Arrays:
    """Ten episodes of five transitions; the first coordinate of an observation is its row."""
    rng, rows = np.random.default_rng(0), EPISODES * ROWS
    x = np.stack([np.arange(rows), rng.normal(size=rows)], axis=-1).astype(np.float32)
    ends = np.arange(rows) % ROWS == ROWS - 1
    return {
        "observations": x,
        "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": ends,
        "masks": 1.0 - np.roll(ends, -1),
    }


def transitions(dataset: Dataset) -> np.ndarray:
    """Every transition as one row (x, a, r, x', mask), in the order of x."""
    index = np.asarray(dataset.index)
    x, a, r, mask = (np.asarray(each) for each in (dataset.x, dataset.a, dataset.r, dataset.mask))
    table = np.column_stack([x[index], a[index], r[index], x[index + 1], mask[index]])
    return table[np.argsort(table[:, 0])]


def as_transitions(arrays: Arrays) -> Arrays:
    """The same data as replay buffers have it."""
    here = np.flatnonzero(~arrays["terminals"])
    taken = {key: arrays[key][here] for key in ("observations", "actions", "rewards")}
    done = arrays["masks"][here] == 0
    return taken | {"next_observations": arrays["observations"][here + 1], "terminals": done}


def test_rows_become_the_transitions_they_are_and_episodes_stay_whole():
    arrays = sound()
    train, held_out = from_arrays(**arrays, name="mine")
    assert (train.size, held_out.size) == (45, 5)
    both = np.concatenate([transitions(train), transitions(held_out)])
    here = np.flatnonzero(~arrays["terminals"])
    np.testing.assert_allclose(np.sort(both[:, 0]), here)
    np.testing.assert_allclose(both[:, 5], both[:, 0] + 1)
    np.testing.assert_array_equal(both[:, 7] == 0, both[:, 5] % ROWS == ROWS - 1)
    assert len(set(transitions(held_out)[:, 0] // ROWS)) == 1
    assert train.provenance.kind == "arrays"
    assert train.provenance.name == "mine"
    assert "9 of 10 episodes" in train.provenance.detail


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(order=st.permutations(range(EPISODES * (ROWS - 1))), seed=st.integers(0, 3))
def test_transitions_in_any_order_are_the_same_transitions(order: list[int], seed: int):
    ordered = as_transitions(sound())
    shuffled = {key: array[order] for key, array in ordered.items()}
    pairs = [from_transitions(**each, seed=seed, val_fraction=0.3) for each in (ordered, shuffled)]
    tables = [np.concatenate([transitions(part) for part in pair]) for pair in pairs]
    one, other = (table[np.argsort(table[:, 0])] for table in tables)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one[:, 0], ordered["observations"][:, 0])
    np.testing.assert_array_equal(one[:, 5:7], ordered["next_observations"])
    np.testing.assert_array_equal(one[:, 7], 1.0 - ordered["terminals"])


def test_ordered_transitions_are_stored_as_trajectories():
    train, held_out = from_transitions(**as_transitions(sound()))
    assert len(train.x) + len(held_out.x) == EPISODES * ROWS
    arrays = as_transitions(sound())
    cut = from_transitions(**arrays, timeouts=np.ones(len(arrays["rewards"]), bool))
    assert sum(len(part.x) for part in cut) == 2 * len(arrays["rewards"])


def test_the_hash_is_of_the_values(tmp_path):
    arrays = sound()
    np.savez_compressed(tmp_path / "mine.npz", **arrays)
    hashes = [pair[0].provenance.sha256 for pair in (from_arrays(**arrays), load_own("mine", tmp_path / "mine.npz"))]
    arrays["rewards"][3] += 1
    assert hashes[0] == hashes[1] != from_arrays(**arrays)[0].provenance.sha256
    assert from_arrays(**arrays, seed=1)[0].provenance.sha256 != from_arrays(**arrays)[0].provenance.sha256


def _set(key: str, index: Any, value: Any):
    def change(arrays: Arrays) -> None:
        arrays[key][index] = value

    return change


CASES = {
    "one axis": (lambda a: a.update(actions=a["actions"][:, 0]), "actions: has 1 axes (60,), not 2"),
    "two axes": (lambda a: a.update(rewards=a["rewards"][:, None]), "rewards: has 2 axes (60, 1), not 1"),
    "nan": (_set("observations", np.s_[7:9, 1], np.nan), "observations, first in row 7: 2 values are NaN"),
    "inf": (_set("rewards", 4, np.inf), "rewards, first in row 4: 1 values are NaN or infinite"),
    "large": (_set("actions", (9, 1), -3.0), "actions, first in row 9: 1 values lie outside [-1, 1], up to 3"),
    "missing": (lambda a: a.pop("rewards"), "rewards: 'rewards' is missing"),
    "unequal": (lambda a: a.update(rewards=a["rewards"][:-2]), "the numbers of rows differ: observations 60"),
    "text": (lambda a: a.update(rewards=np.full(60, "one")), "rewards: dtype is <U3, not a real number"),
    "complex": (lambda a: a.update(rewards=a["rewards"] * 1j), "rewards: dtype is complex64, not a real number"),
    "no columns": (lambda a: a.update(actions=a["actions"][:, :0]), "actions: has no columns"),
    "cuts": (lambda a: a.update(timeouts=np.arange(60) == 3), "timeouts, first in row 3: 1 rows are cut by 'timeouts'"),
    "no flag": (_set("masks", 3, 0.5), "masks, first in row 3: holds 0.5, not only 0 and 1"),
    "no end": (_set("terminals", np.s_[:], False), "terminals: no row is the end of an episode"),
    "cut": (_set("terminals", -1, False), "terminals, row 59: the last row is not the end of an episode"),
    "doubled": (_set("terminals", np.s_[4::6], True), "10 episodes have a single row"),
    "empty": (lambda a: a.update({key: each[:0] for key, each in a.items()}), "observations: has no rows"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_defect_is_found_in_arrays_and_in_their_file(tmp_path, case):
    change, expected = CASES[case]
    change(arrays := sound())
    found = [f"{each.where}: {each.what}" for each in check_arrays(arrays) if each.severity == DEFECT]
    assert any(expected in line for line in found), found
    np.savez(tmp_path / "mine.npz", **arrays)
    report = check_file(tmp_path / "mine.npz")
    assert [f"{each.where}: {each.what}" for each in report.findings if each.severity == DEFECT] == found
    with pytest.raises(DatasetError, match="data 'mine' cannot be used: "):
        load_own("mine", tmp_path / "mine.npz")


def test_sound_arrays_have_notes_at_most():
    assert check_arrays(sound()) == ()
    assert check_arrays(as_transitions(sound())) == ()
    arrays = sound() | {"rewards": np.full(60, -1.0), "info": np.zeros(3)}
    del arrays["masks"]
    notes = [each.what for each in check_arrays(arrays)]
    assert {each.severity for each in check_arrays(arrays)} == {NOTE}
    assert "every episode counts as cut" in notes[0]
    assert "every reward is -1" in notes[1]
    lists = {key: array.tolist() for key, array in sound().items()}
    assert from_arrays(**lists)[0].size == 45


def test_timeouts_that_are_ends_of_episodes_too_are_nothing_to_mend():
    assert check_arrays(sound() | {"timeouts": sound()["terminals"]}) == ()


def test_masks_beside_next_observations_say_what_is_bootstrapped_and_terminals_only_where_episodes_end(tmp_path):
    """As a goal environment that goes on behind its goal has them."""
    arrays: Arrays = as_transitions(sound()) | {"masks": np.ones(50)}
    arrays["terminals"] = np.arange(50) % 5 == 4
    arrays["masks"][[2, 12]] = 0
    np.savez(tmp_path / "mine.npz", **arrays)
    np.savez(tmp_path / "mine-val.npz", **arrays)
    train, _ = load_own("mine", tmp_path / "mine.npz")
    taken = transitions(train)
    np.testing.assert_array_equal(taken[:, -1], arrays["masks"])
    np.testing.assert_array_equal(taken[:, 5:7], arrays["next_observations"])


def test_held_out_data_of_other_widths_are_said(tmp_path):
    np.savez(tmp_path / "mine.npz", **sound())
    wider: Arrays = sound() | {"observations": np.zeros((60, 3))}
    np.savez(tmp_path / "mine-val.npz", **wider)
    with pytest.raises(DatasetError, match=r"of widths \(2, 2\), but mine-val.npz has \(3, 2\)"):
        load_own("mine", tmp_path / "mine.npz")


def test_too_few_episodes_are_said():
    one = {key: array[:ROWS] for key, array in sound().items()}
    with pytest.raises(DatasetError, match=r"has 1 episode\(s\), of which a share of 0.1 cannot be held out"):
        from_arrays(**one)
    wide = as_transitions(sound())
    wide["next_observations"] = np.zeros((50, 3))
    with pytest.raises(DatasetError, match="next_observations: width is 3, but observations have 2; save the same"):
        from_transitions(**wide)


def test_files_are_found_and_twins_are_taken_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match=r"there is no file .*mine.npz: give one with --data FILE.npz"):
        load_data("own:mine")
    (tmp_path / "own").mkdir()
    np.savez(tmp_path / "own" / "mine.npz", **sound())
    assert [each.size for each in load_data("own:mine")] == [45, 5]
    np.savez(tmp_path / "own" / "mine-val.npz", **{key: array[: 2 * ROWS] for key, array in sound().items()})
    assert [each.size for each in load_data("own:mine")] == [50, 10]


@pytest.mark.parametrize("task", ["toy:grid", "minari:D4RL/pen/human-v2"])
def test_a_file_is_refused_where_none_is_read(task, tmp_path):
    np.savez(tmp_path / "mine.npz", **sound())
    with pytest.raises(DatasetError, match=rf"{task} takes no training file: .* leave .*mine\.npz out, or .* own:NAME"):
        load_data(task, tmp_path / "mine.npz")


def test_a_live_training_of_own_arrays_is_a_run_without_an_environment(tmp_path):
    trainer = Trainer("own:mine", data=from_arrays(**sound(), name="mine"), settings=SMALL, batch_size=8)
    trainer.start(3)
    trainer.result()
    assert trainer.cloud is None
    assert {"val_fm", "val_critic"} <= set(trainer.probe)
    folder = RunFolder(trainer.record(root=tmp_path))
    trainer.stop()
    assert (folder.spec.task, folder.spec.data.kind) == ("own:mine", "arrays")
    with pytest.raises(WorkbenchError, match="own:mine has no environment to play in: only OGBench tasks"):
        evaluate_run(folder, [Cell(1, 1)], episodes=1)


def test_the_command_line_checks_describes_and_trains(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    file = str(tmp_path / "mine.npz")
    np.savez(file, **sound())
    assert main(["data", "check", file]) == 0
    assert "no defect" in (printed := capsys.readouterr().out)
    assert "checked as data of your own" in printed
    assert main(["data", "info", file, "--json"]) == 0
    (described,) = json.loads(capsys.readouterr().out)
    assert (described["episodes"], set(described["rewards"])) == (10, {"min", "mean", "max"})
    train = ["train", "own:mine", "--data", file, "--preset", "small", "--steps", "2", "--json"]
    assert main([*train, "--set", "width=8", "depth=1", "m_btt=1", "m_disc=2"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["step"] == 2
    assert main([*train, "--eval-every", "1"]) == 2
    assert "own:mine has no environment to play in" in capsys.readouterr().err
    Path(file).write_bytes(Path(file).read_bytes()[:300])
    assert main(["data", "check", file]) == 1
    assert "cut short or damaged" in capsys.readouterr().out
