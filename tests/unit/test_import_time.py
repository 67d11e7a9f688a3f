"""Importing the package, and asking the command line for help, load nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = {"jax", "equinox", "mujoco", "gymnasium", "ogbench", "matplotlib", "pandas"}
MEASURE = """
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start, *sys.modules)
"""


def measure(module: str) -> tuple[float, set[str]]:
    """Seconds that an import takes in a fresh interpreter, and the modules it leaves loaded."""
    command = [sys.executable, "-c", MEASURE.format(module=module)]
    seconds, *loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), set(loaded)


@pytest.mark.parametrize("module", ["workbench", "workbench.errors", "workbench.paths", "workbench.compile_cache"])
def test_import_is_fast_and_light(module: str) -> None:
    best, loaded = min((measure(module) for _ in range(3)), key=lambda each: each[0])
    assert best < 0.7
    assert not HEAVY & loaded


def test_command_line_loads_nothing_heavy() -> None:
    _, loaded = measure("workbench.cli.main")
    assert not HEAVY & loaded
