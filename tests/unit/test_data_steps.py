"""Data that nothing forbids and that cannot be right: notes with row numbers, and agents that refuse them."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.unit.maze_files import MAZE_DATA
from workbench.agents.bc import BC
from workbench.agents.next_action import check_next_actions
from workbench.agents.presets import preset
from workbench.agents.rebrac import ReBRAC
from workbench.agents.registry import BUILT_IN
from workbench.data.arrays import from_arrays, from_transitions
from workbench.data.check import check_file
from workbench.data.dataset import Dataset
from workbench.data.findings import NOTE
from workbench.data.own_check import check_arrays
from workbench.errors import DatasetError, Note
from workbench.experiments import train_run
from workbench.live.branch import Branch
from workbench.store.spec import make_spec

EPISODES, ROWS = 20, 60
Arrays = dict[str, Any]


def rows(seed: int = 0) -> Arrays:
    """Twenty walks of small steps, each from a place of its own, as trajectories in rows."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 0.05, (EPISODES, ROWS, 3)), axis=1) + 10 * rng.normal(size=(EPISODES, 1, 3))
    count = EPISODES * ROWS
    return {
        "observations": x.reshape(count, 3).astype(np.float32),
        "actions": rng.uniform(-1, 1, (count, 2)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "terminals": np.arange(count) % ROWS == ROWS - 1,
        "masks": np.ones(count),
    }


def transitions() -> Arrays:
    """The same as transitions, with the ends as cuts."""
    arrays = rows()
    here = np.flatnonzero(~arrays["terminals"])
    taken = {key: arrays[key][here] for key in ("observations", "actions", "rewards")}
    cuts = arrays["terminals"][here + 1]
    return taken | {"next_observations": arrays["observations"][here + 1], "terminals": 0 * cuts, "timeouts": cuts}


def _no_end(a: Arrays) -> None:
    a["terminals"][[59, 659]] = False


def _no_cut(a: Arrays) -> None:
    a["timeouts"][[58, 648]] = False


def _repeated(a: Arrays) -> None:
    a["observations"][ROWS - 1 :: ROWS] = a["observations"][ROWS - 2 :: ROWS]


def _appended(a: Arrays) -> None:
    """x' made by shifting x, with the last x once more."""
    a["next_observations"] = np.append(a["observations"][1:], a["observations"][-1:], axis=0)


def _reset(a: Arrays) -> None:
    """x' of a last transition is the first x of the next episode, as environments that reset themselves give it."""
    last = np.flatnonzero(a["timeouts"])[:-1]
    a["next_observations"][last] = a["observations"][last + 1]


def _copied(a: Arrays) -> None:
    a["next_observations"] = a["observations"].copy()


def _shuffled(a: Arrays) -> None:
    order = np.random.default_rng(1).permutation(len(a["rewards"]))
    a.update({key: array[order] for key, array in a.items()})


def _rows_shuffled(a: Arrays) -> None:
    a["observations"] = a["observations"][np.random.default_rng(1).permutation(len(a["rewards"]))]


CASES: dict[str, tuple[Callable[[], Arrays], Callable[[Arrays], None], str]] = {
    "two ends not marked": (rows, _no_end, "observations, rows 59, 659: 2 steps are"),
    "two cuts not marked": (transitions, _no_cut, "next_observations, rows 58, 648: 2 rows end no episode"),
    "last row repeated": (rows, _repeated, "rows 58, 118, 178, 238, 298, …: x' is x in the last transition of 20"),
    "last x appended": (transitions, _appended, "observations, row 1,179: x' is x in the last transition of 1 "),
    "joined by shifting": (transitions, _appended, "observations, rows 58, 117, 176, 235, 294, …: 19 steps are"),
    "reset": (transitions, _reset, "observations, rows 58, 117, 176, 235, 294, …: 19 steps are"),
    "nothing moves": (transitions, _copied, "x' is x in every transition"),
    "shuffled transitions": (transitions, _shuffled, "the order is lost, and with it the next action"),
    "shuffled rows": (rows, _rows_shuffled, "as far apart as rows drawn at random: their order seems lost"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_right_is_noted_with_its_rows(case: str):
    make, change, expected = CASES[case]
    change(arrays := make())
    found = check_arrays(arrays)
    assert {each.severity for each in found} == {NOTE}
    assert any(expected in f"{each.where}: {each.what}" for each in found), found


@pytest.mark.parametrize("make", [rows, transitions])
def test_sound_walks_have_no_note(make: Callable[[], Arrays]):
    assert check_arrays(make()) == ()


def test_steps_of_a_datasets_file_are_noted_too(tmp_path):
    arrays = rows()
    arrays["terminals"][59] = False
    x = arrays["observations"][:, :2]
    np.savez(tmp_path / f"{MAZE_DATA}.npz", **arrays | {"observations": x, "qpos": x, "qvel": x})
    assert any(each.where == "observations, row 59" for each in check_file(tmp_path / f"{MAZE_DATA}.npz").findings)


def test_they_are_said_when_data_are_loaded():
    arrays = rows()
    arrays["terminals"][59] = False
    with pytest.warns(Note, match="data 'mine': observations, row 59: 1 steps are .* mark the ends of episodes there"):
        from_arrays(**arrays, name="mine")


def last_actions_zero(mask: float) -> Dataset:
    """The walks as loaders give them that know no action after the last transition."""
    arrays = rows()
    arrays["actions"][ROWS - 1 :: ROWS] = 0
    arrays["masks"][:] = mask
    return from_arrays(**arrays, name="mine")[0]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_agents_that_need_the_next_action_refuse_data_without_it(tmp_path):
    arrays = transitions()
    _shuffled(arrays)
    train, held_out = from_transitions(**arrays, name="mine")
    refused = r"agent 'rebrac' is trained on next actions, and that of 1,0\d\d of the 1,0\d\d transitions of data 'm"
    spec = make_spec("own:mine", train.provenance, agent="rebrac", steps=1, settings={"width": 8, "depth": 1})
    with pytest.raises(DatasetError, match=refused):
        train_run(spec, train, held_out, root=tmp_path, progress=False)
    with pytest.raises(DatasetError, match=refused):
        Branch.fresh("main", spec, train)
    check_next_actions(BC(), train)


def test_few_unknown_next_actions_are_noted_and_none_that_nobody_asks_for(recwarn):
    check_next_actions(ReBRAC(), from_arrays(**rows(), name="mine")[0])
    check_next_actions(ReBRAC(), last_actions_zero(0.0))
    assert not [each for each in recwarn if each.category is Note]
    with pytest.warns(Note, match=r"that of 18 of the 1,062 transitions of data 'mine' is not known"):
        check_next_actions(ReBRAC(), last_actions_zero(1.0))


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_agents_that_say_so_are_those_that_use_it(name: str):
    made = preset(name, "paper", "own").agent
    assert made.needs_next_action == ("batch.a_next" in inspect.getsource(type(made)))
