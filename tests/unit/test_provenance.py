"""Which data a run is of: by the bytes of its file, whatever lies beside it."""

import json
from pathlib import Path

import pytest

from tests.unit.maze_files import MAZE, write_maze
from workbench.data.catalogue import parse_task
from workbench.data.npz import file_record, sidecar_path
from workbench.data.ogbench_files import recorded_provenance
from workbench.errors import DatasetError, WorkbenchError
from workbench.store.spec import make_spec

INFO, _ = parse_task(MAZE)


def grow(path: Path) -> None:
    """Another file under the same name, still readable."""
    path.write_bytes(path.read_bytes() + b"\0")


def test_files_without_a_sidecar_are_different_runs(tmp_path: Path) -> None:
    files = [write_maze(tmp_path / folder) for folder in ("one", "other")]
    grow(files[1])
    found = [recorded_provenance(file, INFO) for file in files]
    assert [each.sha256 for each in found] == [file_record(file)["sha256"] for file in files]
    assert {each.kind for each in found} == {"arrays"}
    specs = [make_spec(MAZE, each) for each in found]
    assert specs[0].hash != specs[1].hash
    with pytest.raises(WorkbenchError, match="give it that data, or make a new run"):
        specs[0].check_data(found[1])


def test_a_sidecar_is_believed_while_it_is_of_this_file(tmp_path: Path) -> None:
    path = write_maze(tmp_path / "made")
    record = {"kind": "regenerated", "seed": 3, "detail": "300 episodes", "files": {path.name: file_record(path)}}
    sidecar_path(path).write_text(json.dumps(record))
    found = recorded_provenance(path, INFO)
    assert (found.kind, found.seed, found.detail) == ("regenerated", 3, "300 episodes")
    assert found.sha256 == record["files"][path.name]["sha256"]
    grow(path)
    changed = recorded_provenance(path, INFO)
    assert (changed.kind, changed.seed, changed.sha256) == ("arrays", None, file_record(path)["sha256"])
    assert "of another file" in changed.detail


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no file .*gone.npz"):
        recorded_provenance(tmp_path / "gone.npz", INFO)
