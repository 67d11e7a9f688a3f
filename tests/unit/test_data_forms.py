"""The forms in which OGBench's loader gives trajectories, saved and read back: the transitions that they hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.maze_files import MAZE, MAZE_DATA, write_maze
from workbench.data.arrays import from_transitions, load_own
from workbench.data.check import check_file
from workbench.data.dataset import Dataset
from workbench.data.findings import DEFECT
from workbench.data.load import load_data
from workbench.data.summary import summarise
from workbench.errors import DatasetError, Note

EPISODES, ROWS = 2, 201
FORMS = {"regular": False, "compact": True}


@pytest.fixture(scope="module", name="files")
def fixture_files(tmp_path_factory) -> Path:
    """The same maze's data as OGBench's files, and as its loader returns them: a folder each."""
    from ogbench.utils import load_dataset

    folder = tmp_path_factory.mktemp("forms")
    write_maze(folder / "file")
    for form, compact in FORMS.items():
        (folder / form).mkdir()
        for name in (f"{MAZE_DATA}.npz", f"{MAZE_DATA}-val.npz"):
            loaded = load_dataset(str(folder / "file" / name), compact_dataset=compact, add_info=True)
            np.savez(folder / form / name, **loaded)
    return folder


def table(data: Dataset) -> np.ndarray:
    """Every transition as one row (x, a, r, x', mask)."""
    i = np.asarray(data.index)
    x, a, r, mask = (np.asarray(each) for each in (data.x, data.a, data.r, data.mask))
    return np.column_stack([x[i], a[i], r[i], x[i + 1], mask[i]])


@pytest.mark.parametrize("form", FORMS)
def test_under_a_datasets_name_all_forms_are_the_same_transitions(files: Path, form: str):
    with pytest.warns(Note, match=f"OGBench's {form} form"):
        pairs = [load_data(MAZE, files / each / f"{MAZE_DATA}.npz") for each in ("file", form)]
    for plain, other in zip(*pairs, strict=True):
        assert plain.size == other.size == EPISODES * (ROWS - 1)
        np.testing.assert_array_equal(table(plain), table(other))
        known = slice(None) if form == "compact" else np.asarray(plain.index) % ROWS != ROWS - 2
        one, two = (np.asarray(each.a)[np.asarray(each.index) + 1][known] for each in (plain, other))
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("form", FORMS)
def test_as_own_data_their_episodes_are_cut_and_a_note_says_how_they_were_read(files: Path, form: str, tmp_path: Path):
    with np.load(files / form / f"{MAZE_DATA}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    rewards = np.arange(len(arrays["terminals"]), dtype=np.float32)
    np.savez(tmp_path / "mine.npz", **arrays, rewards=rewards)
    with pytest.warns(Note, match=f"OGBench's {form} form"):
        train, held_out = load_own("mine", tmp_path / "mine.npz")
    assert train.size == held_out.size == ROWS - 1
    plain, _ = load_data(MAZE, files / "file" / f"{MAZE_DATA}.npz")
    both = np.concatenate([table(train), table(held_out)])
    np.testing.assert_array_equal(
        both[np.argsort(both[:, 4])][:, [0, 1, 2, 3, 5, 6]], table(plain)[:, [0, 1, 2, 3, 5, 6]]
    )
    assert (both[:, -1] == 1).all()
    report = check_file(tmp_path / "mine.npz")
    assert report.ok
    assert any(f"OGBench's {form} form" in each.what for each in report.findings)


@pytest.mark.parametrize("form", FORMS)
def test_they_are_checked_and_described_as_what_they_are(files: Path, form: str):
    path = files / form / f"{MAZE_DATA}.npz"
    report = check_file(path)
    assert [each for each in report.findings if each.severity == DEFECT] == []
    assert any(f"OGBench's {form} form" in each.what for each in report.findings)
    assert not any("do not have the 201 rows" in each.what for each in report.findings)
    assert summarise(path)["episodes"] == EPISODES


def test_masks_beside_the_regular_form_say_what_ended_for_good(tmp_path: Path):
    """As the loader's single tasks have them."""
    x = np.arange(40, dtype=np.float32)[:, None]
    ends, masks = np.arange(40) % 10 == 9, (np.arange(40) % 4 != 1).astype(np.float32)
    arrays = {"observations": x, "next_observations": x + 1, "actions": np.zeros((40, 1)), "rewards": masks - 1}
    np.savez(tmp_path / "mine.npz", **arrays, terminals=ends.astype(np.float32), masks=masks)
    np.savez(tmp_path / "mine-val.npz", **arrays, terminals=ends.astype(np.float32), masks=masks)
    np.testing.assert_array_equal(table(load_own("mine", tmp_path / "mine.npz")[0])[:, -1], masks)


def _regular(**changes: Any) -> dict[str, Any]:
    x = np.arange(40, dtype=np.float32)[:, None]
    ends = (np.arange(40) % 10 == 9).astype(np.float32)
    arrays = {"observations": x, "next_observations": x + 1, "actions": x / 40, "rewards": x[:, 0], "terminals": ends}
    return arrays | changes


READINGS = {
    "numbers at the ends of equal episodes": ({}, 0),
    "flags": ({"terminals": np.arange(40) % 10 == 9}, 4),
    "cut elsewhere too": ({"timeouts": np.arange(40) == 4}, 4),
    "episodes of different length": ({"terminals": np.isin(np.arange(40), (4, 19, 39)).astype(np.float32)}, 3),
    "one transition an episode": ({"terminals": np.ones(40, np.float32)}, 40),
    "an open end": ({"terminals": (np.arange(40) % 10 == 3).astype(np.float32)}, 4),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", READINGS)
def test_which_terminals_of_transitions_in_a_file_ended_for_good(case: str, tmp_path: Path):
    changes, for_good = READINGS[case]
    for name in ("mine.npz", "mine-val.npz"):
        np.savez(tmp_path / name, **_regular(**changes))
    assert (table(load_own("mine", tmp_path / "mine.npz")[0])[:, -1] == 0).sum() == for_good


def test_from_transitions_takes_terminals_at_their_word_and_says_so():
    with pytest.warns(Note, match="each counts as ended for good; .* what OGBench's loader returns"):
        pair = from_transitions(**_regular())
    assert sum((table(each)[:, -1] == 0).sum() for each in pair) == 4


VALIDS = {
    "row that ends nothing": (3, 0, "valids, first in row 3: 'valids' is 0 and 'terminals' is 0"),
    "end in the middle": (5, 1, "valids, first in row 5: 'terminals' is 1 and 'valids' is 1, here and in the next row"),
}


@pytest.mark.parametrize("case", VALIDS)
def test_valids_that_contradict_terminals_are_refused_with_their_row(files: Path, case: str, tmp_path: Path):
    row, value, expected = VALIDS[case]
    for name in (f"{MAZE_DATA}.npz", f"{MAZE_DATA}-val.npz"):
        with np.load(files / "compact" / name) as archive:
            arrays = {key: archive[key].copy() for key in archive.files}
        arrays["valids"][row], arrays["terminals"][row] = value, value
        np.savez(tmp_path / name, **arrays)
        np.savez(tmp_path / name.replace(MAZE_DATA, "mine"), **arrays, rewards=arrays["valids"])
    for task, name in ((MAZE, MAZE_DATA), ("own:mine", "mine")):
        with pytest.raises(DatasetError, match=expected.replace("(", r"\(")):
            load_data(task, tmp_path / f"{name}.npz")


def test_two_ends_an_episode_without_valids_are_refused(files: Path, tmp_path: Path):
    """The compact form whose `valids` were not saved: 999 of 1000 transitions, if nobody looked."""
    for name in (f"{MAZE_DATA}.npz", f"{MAZE_DATA}-val.npz"):
        with np.load(files / "compact" / name) as archive:
            np.savez(tmp_path / name, **{key: archive[key] for key in archive.files if key != "valids"})
    with pytest.raises(DatasetError, match="2 episodes have a single row"):
        load_data(MAZE, tmp_path / f"{MAZE_DATA}.npz")


def test_a_task_that_the_data_never_solve_is_said(files: Path, tmp_path: Path):
    with pytest.warns(Note, match="no transition starts where pointmaze-medium-stitch-singletask-task1-v0 is solved"):
        load_data(MAZE, files / "file" / f"{MAZE_DATA}.npz")
