"""The command line, called in process: output, JSON, exit codes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.unit.maze_files import MAZE, MAZE_DATA, write_maze
from workbench import __version__
from workbench.cli import main as frame
from workbench.cli.main import COMMANDS, main
from workbench.cli.report import flatten, show
from workbench.data.catalogue import DATASETS
from workbench.errors import NoGraphicsError
from workbench.experiments import Interrupted


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--save-every=0", "save_every must be at least 1, not 0."),
        ("--log-every=0", "log_every must be at least 1, not 0."),
        ("--log-every=-5", "log_every must be at least 1, not -5."),
        ("--eval-every=-1", "eval_every must be at least 0, not -1."),
        (
            "--set=width=wide",
            '--set takes NAME=VALUE with the value written as in JSON: 256, 0.5, true, "text" or [1, 2]',
        ),
    ],
)
def test_flags_that_cannot_be_kept_are_refused(
    flag: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    write_maze(tmp_path / "official")
    assert main(["train", MAZE, "--preset", "small", "--steps", "2", flag]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("*/spec.json"))


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["--help"], ["data", "--help"]):
        with pytest.raises(SystemExit) as left:
            main(line)
        assert left.value.code == 0
    printed = capsys.readouterr().out
    for word in (*COMMANDS, "list", "fetch", "make", "check", "info", "Regenerate a dataset by its official recipe"):
        assert word in printed


def _leaves(commands: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(commands, str):
        yield words
    else:
        assert isinstance(commands, dict)
        for name, entry in commands.items():
            yield from _leaves(entry, (*words, name))


@pytest.mark.parametrize("words", [*_leaves(COMMANDS)], ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    assert f"usage: workbench {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "Expected one of"),
        (["dat"], "dat"),
        (["data"], "list"),
        (["data", "lst", "--json"], "lst"),
        (["data", "list", "--jsn"], "--json"),
        (["data", "fetch"], "NAME"),
        (["data", "make", MAZE_DATA, "--episodes", "many"], "many"),
    ],
)
def test_a_wrong_line_is_explained_with_code_2(
    line: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(line)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"workbench {__version__}\n"


@dataclass(frozen=True)
class Raising:
    """A command that fails in the way it is told."""

    how: str

    def run(self) -> int:
        """Raise."""
        raise {
            "error": NoGraphicsError("no GL here: install one."),
            "interrupt": KeyboardInterrupt(),
            "stop": Interrupted("stopped at update 7; the same command resumes."),
            "permission": PermissionError(13, "Permission denied", "/somewhere"),
            "bug": ZeroDivisionError(),
        }[self.how]


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("error", 3, "no GL here: install one."),
        ("interrupt", 130, "interrupted."),
        ("stop", 130, "at update 7; the same"),
        ("permission", 2, "/somewhere"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    how: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frame, "COMMANDS", {"fail": f"{__name__}:Raising"})
    assert main(["fail", "--how", how]) == code
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("workbench: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "COMMANDS", {"fail": f"{__name__}:Raising"})
    with pytest.raises(ZeroDivisionError):
        main(["fail", "--how", "bug"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    line = f"{sys.executable} -m workbench.cli.main data list --json | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


def test_a_file_where_the_runs_folder_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("")
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    assert main(["train", "toy:grid", "--preset", "small", "--steps", "4"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert str(tmp_path / "runs") in said
    assert "a file stands where a folder should be; choose another" in said


def test_list(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_maze(data_folder / "official")
    made = write_maze(data_folder / "regenerated" / f"{MAZE_DATA}-e3-s7")
    made.with_suffix(".json").write_text('{"kind": "regenerated", "files": {}}')
    write_maze(data_folder / "regenerated" / f"{MAZE_DATA}-e9-s1")  # without a sidecar: not finished
    assert main(["data", "list"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(MAZE_DATA)]
    assert line.split() == [MAZE_DATA, "2", "2", "5000", "201", "official,", "e3-s7", "yes"]
    assert main(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == DATASETS.keys()
    assert rows[MAZE_DATA]["on_disk"] == ["official", "e3-s7"]
    assert rows["humanoidmaze-medium-navigate-v0"]["can_be_made"] is False


def test_make_then_check_then_info(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way with a real, small set; what `info` prints is what `make` printed."""
    line = [
        "data",
        "make",
        MAZE_DATA,
        "--episodes",
        "2",
        "--val-episodes",
        "1",
        "--workers",
        "1",
        "--seed",
        "5",
        "--json",
    ]
    assert main(line) == 0
    (made,) = json.loads(capsys.readouterr().out)
    path = data_folder / "regenerated" / f"{MAZE_DATA}-e2-s5" / f"{MAZE_DATA}.npz"
    assert made["path"] == str(path)
    assert (made["kind"], made["seed"], made["episodes"], made["rows"]) == ("regenerated", 5, 2, 402)
    assert made["arrays"]["observations"] == "float32 (402, 2)"
    assert made["success"].keys() == {f"task{k}" for k in range(1, 6)}

    for target in (MAZE_DATA, MAZE_DATA.removesuffix("-v0"), str(path), str(path.parent)):
        assert main(["data", "check", target]) == 0
        assert capsys.readouterr().out.count("no defect") == 2
    assert main(["data", "info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [made]
    assert main(["data", "info", MAZE_DATA]) == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("regenerated", made["sha256"], "episode_length mean", "success task5"))


def test_check_reports_all_and_exits_1(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_maze(data_folder / "official")
    arrays = dict(np.load(path, allow_pickle=False))
    arrays["actions"][3] = 4
    del arrays["qvel"]
    np.savez(path, **arrays)
    assert main(["data", "check", MAZE_DATA]) == 1
    printed = capsys.readouterr().out
    assert all(text in printed for text in (f"{path}: DEFECTIVE", "'qvel' is missing", "outside [-1, 1]"))
    assert f"{MAZE_DATA}-val.npz: no defect" in printed
    assert main(["data", "check", str(path), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {row["where"] for row in rows if row["severity"] == "defect"} == {"qvel", "actions, first in row 3"}
    assert {row["file"] for row in rows} == {str(path), str(path.with_name(f"{MAZE_DATA}-val.npz"))}


@pytest.mark.parametrize("command", ["check", "info"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("pointmaze-medum-stitch", f"did you mean {MAZE_DATA}"),
        (MAZE_DATA, f"'{MAZE_DATA}' is not on disk: get it with `workbench data fetch {MAZE_DATA}`"),
        ("nowhere/a.npz", "there is no file nowhere/a.npz"),
        (".", "there is no npz file in the folder"),
    ],
)
def test_what_cannot_be_found_is_said(
    data_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    target: str,
    message: str,
) -> None:
    monkeypatch.chdir(data_folder)
    assert main(["data", command, target]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fetch", "make"])
def test_unknown_names_get_suggestions(data_folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main(["data", command, "cube-singel-play"]) == 2
    assert "did you mean cube-single-play-v0" in capsys.readouterr().err


def test_tables_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "a", "hit_rate": 0.123456}, {"name": "bcd", "hit_rate": None, "ok": True}], json=False, title="T")
    assert capsys.readouterr().out.splitlines() == [
        "T",
        "name  hit rate  ok",
        "----  --------  ---",
        "a       0.1235  -",
        "bcd          -  yes",
    ]
    show([], json=False)
    assert capsys.readouterr().out == "(nothing)\n"


def test_json_is_strict_and_plain(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"x": np.float32(0.5), "n": np.int64(3), "a": np.array([1.0, np.nan]), "p": Path("b"), "inf": float("inf")}]
    show(rows, json=True)
    printed = capsys.readouterr().out
    assert "NaN" not in printed
    assert json.loads(printed) == [{"x": 0.5, "n": 3, "a": [1.0, None], "p": "b", "inf": None}]


def test_flatten() -> None:
    assert flatten({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b c": 2, "b d e": 3}
