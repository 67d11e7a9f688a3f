"""File systems that refuse what work needs: locks, links, flushes, long names, writes; each is one sentence."""

import contextlib
import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench import guards
from workbench.cli import main as frame
from workbench.cli.main import main
from workbench.errors import BusyError, WorkbenchError
from workbench.experiments import evaluate_run
from workbench.guards import check_folder, in_turn, link_or_copy, only_one, refusals_explained
from workbench.paths import atomic_write, write_json
from workbench.store.folder import RunFolder

NO_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.EPERM, errno.ENOTSUP, errno.EINVAL]
NO_LINKS = [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES]
TOLD = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "no space is left",
    errno.EROFS: "can only be read",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENAMETOOLONG: "longer than its file system takes",
    errno.ESTALE: "stale handle",
    errno.EIO: "input/output error",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "open files",
    errno.ENOTDIR: "a file stands where a folder should be",
    errno.EEXIST: "a file stands where a folder should be",
    errno.EISDIR: "a folder stands where a file should be",
    errno.ELOOP: "in a circle",
    errno.EFBIG: "ulimit -f",
}


def refusing(number: int, part: Path | None = None):
    """A function that is refused; with `part`, for files below it alone."""

    def refuse(*arguments, **_):
        where = str(getattr(arguments[0], "name", arguments[0])) if arguments else None
        if part is None or Path(str(where)).is_relative_to(part):
            raise OSError(number, os.strerror(number), where)

    return refuse


@pytest.mark.parametrize("number", NO_LOCKS)
@pytest.mark.parametrize("everywhere", [False, True])
def test_without_locks_work_goes_on_and_processes_of_the_machine_are_kept_apart(
    tmp_path, monkeypatch, caplog, number, everywhere
):
    guards._say_no_locks.cache_clear()
    flock, refuse = fcntl.flock, refusing(number, None if everywhere else tmp_path)
    monkeypatch.setattr(fcntl, "flock", lambda file, how: (refuse(file), flock(file, how)))
    refused = contextlib.nullcontext() if everywhere else pytest.raises(BusyError, match="training")
    with only_one(tmp_path / "lock", "training"), refused, only_one(tmp_path / "lock", "training"):
        pass
    for _ in range(2):
        with in_turn(tmp_path / "other"):
            pass
    assert caplog.text.count("has no locks") == 1
    assert "two machines" in caplog.text


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EROFS, errno.EACCES])
def test_a_lock_that_fails_otherwise_is_told_and_a_run_there_is_not_busy(tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(OSError, match=rf"Errno {number}"), only_one(tmp_path / "lock", "training"):
        pass
    assert not RunFolder(tmp_path).busy


@pytest.mark.parametrize("number", NO_LINKS)
def test_without_hard_links_a_copy_is_kept(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "link", refusing(number))
    (tmp_path / "a").write_bytes(b"weights")
    for _ in range(2):
        link_or_copy(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b": b"weights"}


@pytest.mark.parametrize("number", [*NO_LOCKS, errno.EIO])
def test_what_cannot_be_flushed_is_written_all_the_same_unless_the_disk_fails(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", refusing(number))
    with pytest.raises(OSError, match="Input") if number == errno.EIO else contextlib.nullcontext():
        write_json(tmp_path / "a.json", 1)
    assert [path.name for path in tmp_path.iterdir()] == ([] if number == errno.EIO else ["a.json"])


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "short"])
def test_a_file_may_have_the_longest_name_there_is(tmp_path, name):
    with atomic_write(tmp_path / name) as file:
        file.write(b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_writers_of_a_file_do_not_share_what_they_write(tmp_path):
    with atomic_write(tmp_path / "a") as one, atomic_write(tmp_path / "a") as two:
        assert one.name != two.name


@pytest.mark.parametrize("number", TOLD)
def test_before_long_work_a_folder_that_refuses_is_one_sentence(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "replace", refusing(number))
    with pytest.raises(WorkbenchError) as caught:
        check_folder(tmp_path / "new", "the training")
    assert TOLD[number] in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).endswith("the training has not begun.")
    assert not list((tmp_path / "new").iterdir())


def test_before_long_work_room_is_asked_for(tmp_path):
    check_folder(tmp_path, "the training", room=1)
    with pytest.raises(WorkbenchError, match=r"the training needs 1,000,000,000,000 MB in .* free there"):
        check_folder(tmp_path, "the training", room=10**18)
    assert not list(tmp_path.iterdir())


def test_nothing_is_played_where_its_episodes_could_not_be_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", refusing(errno.EROFS))
    monkeypatch.setattr("workbench.experiments.evaluate", None)
    monkeypatch.setattr(RunFolder, "spec", None)
    with pytest.raises(WorkbenchError, match=r"can only be read.*the evaluation has not begun"):
        evaluate_run(RunFolder(tmp_path), [], episodes=1)


def test_an_unknown_error_is_not_explained_away(tmp_path):
    with pytest.raises(OSError, match="Errno 111"), refusals_explained(tmp_path, "nothing is lost"):
        raise OSError(errno.ECONNREFUSED, "refused")


@dataclass(frozen=True)
class Refused:
    """A command that a file system refuses something."""

    number: int

    def run(self) -> int:
        """Raise."""
        raise OSError(self.number, os.strerror(self.number), "/far/away")


@pytest.mark.parametrize("number", TOLD)
def test_the_command_line_says_what_was_refused(number, monkeypatch, capsys):
    monkeypatch.setattr(frame, "COMMANDS", {"fail": f"{__name__}:Refused"})
    assert main(["fail", "--number", str(number)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("workbench: ")
    assert said.count("\n") == 1
    assert TOLD[number] in said
    assert "/far/away" in said
