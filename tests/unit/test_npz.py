"""Reading npz files: what comes back, how fast beside numpy, and one sentence for each way of being broken."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workbench.data.npz import file_record, read_npz, read_sidecar, sidecar_path, verify_npz
from workbench.errors import DatasetError

ARRAYS = {
    "observations": np.arange(12000, dtype=np.float32).reshape(4000, 3),
    "actions": np.linspace(-1, 1, 8000, dtype=np.float32).reshape(4000, 2),
    "terminals": np.arange(4000) % 100 == 99,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cube-single-play-v0.npz"
    np.savez(path, **ARRAYS)
    return path


def assert_refused(path: Path, pattern: str) -> None:
    """Both readers refuse the file, in one line that names it."""
    for read in (read_npz, verify_npz):
        with pytest.raises(DatasetError, match=pattern) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_arrays_come_back_as_they_were(path: Path) -> None:
    arrays = read_npz(path)
    assert arrays.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[key], array)
        assert arrays[key].dtype == array.dtype
    assert list(read_npz(path, ["actions"])) == ["actions"]
    verify_npz(path)


def test_missing_keys_are_named(path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no 'qpos' and no 'button_states' .*observations, actions, terminals"):
        read_npz(path, ["actions", "qpos", "button_states"])
    np.savez(path, observations=ARRAYS["observations"])
    assert_refused(path, "no 'actions' and no 'terminals'")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "cube-single-play-v0-val.npz"
    assert_refused(path, "data fetch cube-single-play-v0` or `workbench data make cube-single-play-v0`")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_file(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert_refused(path, "cut short or damaged .*fetch or make it again")


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "is empty"),
        (b"<html>down for maintenance</html>", "is a web page"),
        (b"\x80\x04\x95pickle", "not an npz file"),
        (b"hello", "not an npz file"),
    ],
)
def test_a_file_of_another_kind(path: Path, content: bytes, pattern: str) -> None:
    path.write_bytes(content)
    assert_refused(path, pattern)


def test_a_single_array(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, ARRAYS["actions"])
    assert_refused(path, "single array")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_is_found_and_placed(path: Path, save) -> None:
    save(path, **ARRAYS)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 255
    path.write_bytes(content)
    assert_refused(path, "damaged in 'observations")
    assert read_npz(path, ["terminals"])["terminals"].sum() == 40


def test_pickled_objects_are_never_loaded(path: Path) -> None:
    np.savez(path, **{**ARRAYS, "actions": np.array([{"a": 1}], dtype=object)}, allow_pickle=True)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="'actions' as pickled Python objects, which are never loaded"):
        read_npz(path)


def test_a_million_rows_are_read_about_as_fast_as_by_numpy(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    x = np.random.default_rng(0).standard_normal((1_000_000, 29), dtype=np.float32)
    np.savez(path, observations=x)

    def seconds(read: Callable[[], object]) -> float:
        start = time.perf_counter()
        read()
        return time.perf_counter() - start

    reads = (lambda: read_npz(path, ["observations"]), lambda: np.load(path)["observations"])
    ours, numpys = np.array([[seconds(read) for read in reads] for _ in range(5)]).min(axis=0)
    assert ours < 3 * numpys


def test_the_sidecar_of_a_pair(path: Path) -> None:
    val = path.with_name(f"{path.stem}-val.npz")
    assert sidecar_path(path) == sidecar_path(val) == path.with_suffix(".json")
    assert read_sidecar(path) is None
    value = {"name": path.stem, "files": {path.name: file_record(path)}}
    path.with_suffix(".json").write_text(json.dumps(value))
    assert read_sidecar(val) == value
    assert value["files"][path.name]["size"] == path.stat().st_size


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {"a.npz": {}}}', '{"files": {"a.npz": 3}}'])
def test_an_unreadable_sidecar(path: Path, text: str) -> None:
    path.with_suffix(".json").write_text(text)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_sidecar(path)
