"""environment.yml and constraints.txt are what pyproject.toml asks for, and their script notices when they are not."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("sync_dependencies", ROOT / ".ci" / "sync_dependencies.py")
assert SPEC is not None
assert SPEC.loader is not None
sync = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sync)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The three files, free to be spoilt."""
    for name in ("pyproject.toml", "environment.yml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_both_files_are_current() -> None:
    assert sync.problems(ROOT) == []


def test_environment_lists_every_direct_dependency() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    project = sync.read_project(ROOT)
    names = {Requirement(text).name for text in listed if not text.startswith("--")}
    assert names == {each.name for each in [*sync.direct(project), *sync.direct(project, "dev")]}
    assert "minari" in names, "an extra named by another extra is part of it"


def test_constraints_hold_versions_and_nothing_else() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    assert pairs == sorted(pairs)
    for name, version in pairs:
        assert Version(version).local is None
        assert not name.startswith(("nvidia", "jax-cuda"))


def test_new_dependency_is_noticed(copy: Path) -> None:
    replace(copy / "pyproject.toml", '"tqdm>=4.67",', '"tqdm>=4.67", "pip>=20",')
    assert sync.problems(copy) == [
        "constraints.txt has no version of pip, which sorl-workbench needs.",
        "environment.yml is not what pyproject.toml says.",
    ]


def test_version_outside_a_range_is_noticed(copy: Path) -> None:
    pinned = sync.pins((copy / "constraints.txt").read_text())
    replace(copy / "constraints.txt", f"jaxlib=={pinned['jaxlib']}", "jaxlib==0.1.0")
    (sentence,) = [each for each in sync.problems(copy) if " jax needs" in each]
    assert sentence.startswith("constraints.txt says jaxlib==0.1.0, but jax needs")


def test_missing_indirect_dependency_is_noticed(copy: Path) -> None:
    pinned = sync.pins((copy / "constraints.txt").read_text())
    replace(copy / "constraints.txt", f"traitlets=={pinned['traitlets']}\n", "")
    assert any("no version of traitlets" in each for each in sync.problems(copy))
