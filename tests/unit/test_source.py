"""The hash of a user's own source: what changes it, what does not, and what has none."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.agents.source import source_hash
from workbench.errors import WorkbenchError

MADE = """
def scaled(factor):
    def times(x):
        return factor * x

    return times


near, far = scaled(1.0), scaled(10.0)


def own(x):
    return near(x) - far(x)
"""
"""Two functions that one function made: they share their name and their text."""

LAMBDA = """
square = lambda x: x * x


def own(x):
    return square(x)
"""

ORDINARY = """
FACTOR = 2.0


def a(x):
    return FACTOR * x


b = a


def own(x):
    return a(x) + b(x)
"""
"""A function under two names is one."""

PROGRAM = """
from pathlib import Path
import sys
from tests.unit.test_source import hash_of
print(hash_of(Path(sys.argv[1]), open(sys.argv[2]).read()))
"""


def hash_of(folder: Path, source: str) -> str:
    """The hash of the function `own` of a module."""
    file = folder / f"own_{abs(hash(source))}.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location("own_module", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return source_hash(module.own)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scaled(1.0)", "scaled(2.0)"),
        ("scaled(10.0)", "scaled(20.0)"),
        ("scaled(1.0), scaled(10.0)", "scaled(10.0), scaled(1.0)"),
        ("near, far =", "far, near ="),
        ("factor * x", "factor + x"),
        ("near(x) - far(x)", "near(x) + far(x)"),
    ],
)
def test_functions_that_one_function_made_are_told_apart(tmp_path: Path, old: str, new: str) -> None:
    assert old in MADE
    assert hash_of(tmp_path, MADE.replace(old, new)) != hash_of(tmp_path, MADE)


def test_the_hash_is_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "made.txt").write_text(MADE)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(tmp_path / "made.txt")]
    found = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {f"{hash_of(tmp_path, MADE)}\n"}


def test_hashes_of_ordinary_functions_stay(tmp_path: Path) -> None:
    """Recorded by the version before functions of one name were told apart."""
    assert hash_of(tmp_path, ORDINARY) == "d7f4c5005737707c461cbcbb9a5006424606986aa50f46e45c705eb034ab7cf8"


def test_a_lambda_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"the lambda of line 2 in .* has no name .*: write it with def\.$"):
        hash_of(tmp_path, LAMBDA)
