"""`check_file` against files with known defects: all of them in one report, and nothing about a sound file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.check import Report, check_file
from workbench.data.findings import ACTION_TOLERANCE, NOTE
from workbench.data.npz import file_record

NAME = "scene-play-v0"
EPISODES, ROWS = 20, 11
Arrays = dict[str, np.ndarray]


def sound(episodes: int = EPISODES) -> Arrays:
    rng, rows = np.random.default_rng(0), episodes * ROWS
    return {
        "observations": rng.standard_normal((rows, 40)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (rows, 5)).astype(np.float32),
        "terminals": np.arange(rows) % ROWS == ROWS - 1,
        "qpos": rng.standard_normal((rows, 25)).astype(np.float32),
        "qvel": rng.standard_normal((rows, 24)).astype(np.float32),
        "button_states": rng.integers(0, 2, (rows, 2)),
    }


def write(folder: Path, arrays: Arrays, name: str = NAME, **sidecar: Any) -> Path:
    """Write a pair and a sidecar that fits it; returns the training file."""
    train, val = folder / f"{name}.npz", folder / f"{name}-val.npz"
    np.savez(train, **arrays)  # type: ignore[arg-type]
    np.savez(val, **sound(2))  # type: ignore[arg-type]
    value = {
        "name": name,
        "kind": "regenerated",
        "files": {path.name: file_record(path) for path in (train, val)},
        "episodes": EPISODES,
        "request": {"rows": ROWS, "val_episodes": 2},
    }
    (folder / f"{name}.json").write_text(json.dumps(value | sidecar))
    return train


def defects(report: Report) -> list[str]:
    return [f"{finding.where}: {finding.what}" for finding in report.findings if finding.severity != NOTE]


def test_a_sound_pair_has_no_finding(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    for file in (path, path.with_name(f"{NAME}-val.npz")):
        assert check_file(file) == Report(file, ())


def _set(key: str, index: Any, value: float) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[key][index] = value

    return change


def _replace(key: str, function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[key] = function(arrays[key])

    return change


CASES: dict[str, tuple[Callable[[Arrays], Any], str]] = {
    "missing key": (lambda arrays: arrays.pop("qvel"), "qvel: 'qvel' is missing"),
    "missing buttons": (lambda arrays: arrays.pop("button_states"), "'button_states' is missing"),
    "float64": (_replace("actions", lambda a: a.astype(np.float64)), "actions: dtype is float64, not float32"),
    "float terminals": (_replace("terminals", lambda a: a.astype(np.float32)), "dtype is float32, not bool"),
    "float buttons": (_replace("button_states", lambda a: a * 0.5), "dtype is float64, not an integer type"),
    "width": (_replace("observations", lambda a: a[:, :37]), "observations: width is 37, but scene has 40"),
    "action width": (_replace("actions", lambda a: a[:, :4]), "actions: width is 4, but scene has 5"),
    "axes": (_replace("actions", lambda a: a[:, 0]), "actions: has 1 axes (220,), not 2"),
    "scalar": (_replace("observations", lambda a: a[0, 0]), "observations: has 0 axes"),
    "nan": (_set("observations", np.s_[7:9, 3], np.nan), "observations, first in row 7: 2 values are NaN"),
    "inf": (_set("qpos", (5, 0), -np.inf), "qpos, first in row 5: 1 values are NaN or infinite"),
    "nan action": (_set("actions", (6, 1), np.nan), "actions, first in row 6: 1 values are NaN"),
    "large action": (_set("actions", (9, 2), -1.5), "actions, first in row 9: 1 values lie outside [-1, 1], up to 1.5"),
    "unequal": (_replace("qpos", lambda a: a[:-3]), "the numbers of rows differ: observations 220, actions 220"),
    "no end": (_set("terminals", np.s_[:], False), "no row is the end of an episode"),
    "open end": (_set("terminals", -1, False), "terminals, row 219: the last row is not the end"),
    "doubled ends": (_set("terminals", np.s_[ROWS - 2 :: ROWS], True), "20 episodes have a single row"),
    "lengths": (_set("terminals", 4, True), "first episode 0 with 5 rows: 2 of 21 episodes do not have the 11 rows"),
    "count": (lambda arrays: arrays.update(sound(EPISODES - 1)), "19 episodes, but its sidecar has 20"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_defect_is_found(tmp_path: Path, case: str) -> None:
    change, expected = CASES[case]
    arrays = sound()
    change(arrays)
    report = check_file(write(tmp_path, arrays))
    assert not report.ok
    assert any(expected in line for line in defects(report)), defects(report)
    assert all(finding.fix for finding in report.findings)


def test_all_defects_are_in_one_report(tmp_path: Path) -> None:
    arrays = sound()
    for case in ("missing buttons", "width", "nan", "inf", "large action", "open end", "float64"):
        CASES[case][0](arrays)
    found = " | ".join(defects(check_file(write(tmp_path, arrays))))
    for case in ("missing buttons", "width", "nan", "inf", "large action", "open end", "float64"):
        assert CASES[case][1] in found


def test_rounding_beyond_one_is_no_defect(tmp_path: Path) -> None:
    arrays = sound()
    arrays["actions"][0, 0] = 1 + ACTION_TOLERANCE / 2
    assert check_file(write(tmp_path, arrays)).ok


def test_a_truncated_file(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    path.write_bytes(path.read_bytes()[:5000])
    found = defects(check_file(path))
    assert any("cut short" in line for line in found)
    assert any("5,000 bytes" in line and "are recorded" in line for line in found)


def test_pickled_and_damaged_arrays_leave_the_rest_to_be_checked(tmp_path: Path) -> None:
    arrays = sound()
    arrays["actions"][3, 3] = 2
    path = write(tmp_path, arrays | {"qpos": np.array([{}] * 220, dtype=object)})
    content = bytearray(path.read_bytes())
    content[2000] ^= 255  # inside observations
    path.write_bytes(content)
    found = " | ".join(defects(check_file(path)))
    for expected in ("qpos: ", "pickled Python objects", "damaged in 'observations'", "outside [-1, 1]", "sha256"):
        assert expected in found
    assert "missing" not in found


def test_a_changed_file_differs_from_its_sidecar(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    arrays = sound()
    arrays["qvel"][0, 0] += 1
    np.savez(path, **arrays)  # type: ignore[arg-type]
    (finding,) = check_file(path).findings
    assert finding.where == f"{NAME}.json"
    assert file_record(path)["sha256"][:12] in finding.what


def test_missing_twins(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    val = path.with_name(f"{NAME}-val.npz")
    val.unlink()
    assert defects(check_file(path)) == [f"{tmp_path}: the validation file {val.name} is missing"]
    path.rename(val)
    assert any(f"the training file {path.name} is missing" in line for line in defects(check_file(val)))


def test_an_official_file_must_have_the_official_episodes(tmp_path: Path) -> None:
    report = check_file(write(tmp_path, sound(), kind="official", episodes=None, request={}))
    found = " | ".join(defects(report))
    assert "20 of 20 episodes do not have the 1,001 rows the official file has" in found
    assert "20 episodes, but the official file has 1,000" in found


def test_without_a_sidecar_other_episodes_are_only_noted(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    path.with_suffix(".json").unlink()
    report = check_file(path)
    assert report.ok
    assert any("origin unknown" in finding.what for finding in report.findings)
    assert any("the official file has" in finding.what for finding in report.findings)


def test_an_unreadable_sidecar_is_a_defect(tmp_path: Path) -> None:
    path = write(tmp_path, sound())
    path.with_suffix(".json").write_text("{")
    assert any("cannot be read" in line for line in defects(check_file(path)))


def test_an_unknown_name_is_checked_without_widths(tmp_path: Path) -> None:
    arrays = sound()
    arrays.pop("button_states")
    path = write(tmp_path, arrays, name="my-robot-v0")
    report = check_file(path)
    assert report.ok
    assert "no name of the catalogue" in report.findings[0].what
    arrays["actions"][0] = np.nan
    assert not check_file(write(tmp_path, arrays, name="my-robot-v0")).ok
