"""Where notebooks look for runs: in the folder that holds one, wherever JupyterLab was started."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READERS = ("05_test_time_scaling", "07_watch_the_policy", "08_paper_figures")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("holds", ["runs", "../runs", None])
def test_a_folder_without_a_matching_run_is_passed_over(name: str, holds: str | None) -> None:
    """`trainer.record()` may have made `runs/` here, and what is looked for lies one folder up."""
    (line,) = [line for line in (ROOT / f"notebooks/{name}.py").read_text().splitlines() if line.startswith("RUNS = ")]
    names = {
        "Path": Path,
        "WANTED": "done",
        "runs_dir": lambda: Path("runs"),
        "list_runs": lambda where, root: ["a run"] if holds and root == Path(holds) else [],
    }
    exec(line, names)
    assert names["RUNS"] == Path(holds or "runs")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("own", ["", "/elsewhere/runs"])
def test_make_lab_says_where_runs_are(tmp_path: Path, own: str) -> None:
    lab = tmp_path / "jupyter"
    lab.write_text("#!/bin/sh\necho runs in $WORKBENCH_RUNS\n")
    lab.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "WORKBENCH_RUNS"}
    environment |= {"WORKBENCH_RUNS": own} if own else {}
    command = ["make", "-s", "-o", ".venv/installed", f"BIN={tmp_path}", "lab"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert f"runs in {own or ROOT / 'runs'}" in done.stdout.splitlines()
