"""What a run says that it was made with: this code's commit and no other's, with or without git."""

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from workbench.store import environment as module
from workbench.store.environment import environment


def git(folder: Path, *command: str) -> None:
    subprocess.run(["git", "-c", "user.name=one", "-c", "user.email=one@here", *command], cwd=folder, check=True)


def commit(folder: Path, *files: str) -> None:
    """A repository of some files."""
    git(folder, "init", "--quiet")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")
        git(folder, "add", "--force", name)
    git(folder, "commit", "--quiet", "--message", "one")


def test_results_that_are_being_made_do_not_make_the_code_another(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "workbench")
    commit(tmp_path, "workbench/code.py", "benchmarks/results/one.json")
    before = environment()["git"]
    (tmp_path / "benchmarks" / "results" / "one.json").write_text("2")
    assert before
    assert environment()["git"] == before
    (tmp_path / "workbench" / "code.py").write_text("2")
    assert environment()["git"] == f"{before}-dirty"


@pytest.mark.parametrize(
    ("package", "files"),
    [
        ("env/lib/python3/site-packages/workbench", ("paper.tex",)),
        ("env/lib/python3/site-packages/workbench", ("paper.tex", "env/lib/python3/site-packages/workbench/code.py")),
        ("workbench", ("paper.tex",)),
    ],
    ids=["ignored", "committed", "beside"],
)
def test_a_repository_around_an_installed_copy_is_not_this_codes(tmp_path, monkeypatch, package, files):
    (tmp_path / package).mkdir(parents=True)
    monkeypatch.setattr(module, "PACKAGE", tmp_path / package)
    commit(tmp_path, *files)
    assert environment()["git"] is None


def test_a_repository_that_the_shell_names_is_not_this_codes(tmp_path, monkeypatch):
    """As in a hook of another repository, where git sets these."""
    (tmp_path / "installed" / "workbench").mkdir(parents=True)
    (tmp_path / "paper").mkdir()
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "installed" / "workbench")
    commit(tmp_path / "paper", "workbench/code.py")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "paper" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "installed"))
    assert environment()["git"] is None


@pytest.mark.parametrize("error", [FileNotFoundError("git"), PermissionError("git"), None])
def test_git_that_is_missing_or_refuses_ends_nothing(monkeypatch, error):
    def run(command, **_):
        raise error or subprocess.CalledProcessError(128, command)

    monkeypatch.setattr(subprocess, "run", run)
    assert environment()["git"] is None


def test_a_package_that_was_not_installed_has_no_version(monkeypatch):
    known = metadata.version

    def version(name: str) -> str:
        if name == "ogbench":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    found = environment()["versions"]
    assert found["ogbench"] is None
    assert found["jax"] == known("jax")
