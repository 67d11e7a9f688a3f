"""Importing the package, and asking the command line for help, load nothing heavy: that is what makes them quick."""

import subprocess
import sys

import pytest

PARSER = {"tyro", "docstring_parser", "typeguard", "typing_extensions"}
"""What reads the command line, and what that needs: all that is loaded before a command does its work."""

HELP = """
from workbench.cli.main import main
try:
    main({words})
except SystemExit as left:
    assert left.code == 0, left.code
"""


def loads(code: str) -> set[str]:
    """Packages outside the standard library that some code loads in a fresh interpreter, the workbench among them."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint('\\nloaded', *set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, *modules = done.stdout.splitlines()[-1].split()
    assert first == "loaded"
    return {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", ["workbench", "workbench.errors", "workbench.paths", "workbench.compile_cache"])
def test_import_loads_the_standard_library_alone(module: str) -> None:
    assert loads(f"import {module}") == {"workbench"}


@pytest.mark.parametrize(
    "code", ["import workbench.cli.main", HELP.format(words=["--help"]), HELP.format(words=["data", "--help"])]
)
def test_the_command_line_loads_its_parser_alone(code: str) -> None:
    assert {"workbench"} < loads(code) <= {"workbench"} | PARSER


def test_what_is_heavy_would_be_seen() -> None:
    assert "numpy" in loads("import workbench.data.npz")
