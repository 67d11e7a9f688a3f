"""Sets in the data folder: which count as there, and which of them is trained on."""

from pathlib import Path

import pytest

from workbench.data.folders import official_folder, regenerated_folder, sets_on_disk
from workbench.data.ogbench_files import locate
from workbench.errors import DatasetError

NAME = "cube-single-play-v0"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    return tmp_path


def put(folder: Path, size: int, *, sidecar: bool = True) -> Path:
    """A training file of so many bytes."""
    folder.mkdir(parents=True)
    file = folder / f"{NAME}.npz"
    file.write_bytes(bytes(size))
    if sidecar:
        file.with_suffix(".json").write_text('{"kind": "regenerated", "files": {}}')
    return file


def test_a_regenerated_set_is_one_once_it_has_its_sidecar() -> None:
    put(regenerated_folder(NAME, 9, 0), 9, sidecar=False)
    put(regenerated_folder("cube-double-play-v0", 5, 0), 5)
    assert sets_on_disk(NAME) == []
    with pytest.raises(DatasetError, match=f"workbench data make {NAME}"):
        locate(NAME)
    made = [put(regenerated_folder(NAME, 3, 7), 3), put(regenerated_folder(NAME, 5, 1, "-r20"), 1)]
    assert sets_on_disk(NAME) == made


def test_the_official_set_is_taken_first_then_the_largest() -> None:
    small, large = put(regenerated_folder(NAME, 7, 0), 10), put(regenerated_folder(NAME, 5, 0), 20)
    assert locate(NAME) == large
    official = put(official_folder(), 1, sidecar=False)
    assert locate(NAME) == official
    assert sets_on_disk(NAME) == [official, large, small]
