"""The Makefile in folders whose names a shell or make would read otherwise."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["two words", "a & b", "it's", 'say "so"', "über", "$HOME", "50%;exit 1", "#tag", "a=b", "(x)", "-n"]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("name", NAMES)
def test_the_notebooks_are_opened_in_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name
    (folder / ".venv" / "bin").mkdir(parents=True)
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / file, folder)
    for file in ("made", "installed"):
        (folder / ".venv" / file).touch()
    jupyter = folder / ".venv" / "bin" / "jupyter"
    jupyter.write_text('#!/bin/sh\nprintf "%s\\n" "$WORKBENCH_RUNS" "$@"\n')
    jupyter.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "WORKBENCH_RUNS"}
    command = ["make", "-s", "lab", "LAB_ARGS=--no-browser"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"{folder}/runs",
        "lab",
        "--ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}/notebooks",
        "--no-browser",
    ]
