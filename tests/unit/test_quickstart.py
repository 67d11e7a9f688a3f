"""The main job at smoke size, from data to video, and what a second call does not do again."""

import json
import resource
import subprocess
import sys

import matplotlib.image
import pandas as pd
import pytest

from workbench.cli.main import main
from workbench.quickstart import SMOKE
from workbench.render.backend import OFF, probe_backend
from workbench.store.folder import RunFolder
from workbench.store.query import list_runs

FILES = {
    "learning_curve.png",
    "learning_curve.pdf",
    "learning_curve.csv",
    "scaling.png",
    "scaling.csv",
    "provenance.json",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("quickstart")
        patch.setenv("WORKBENCH_DATA", str(root / "data"))
        patch.setenv("WORKBENCH_RUNS", str(root / "runs"))
        before = _seconds_of_children()
        command = [sys.executable, "-m", "workbench.cli.main", "quickstart", "--smoke", "--out", str(root / "out")]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        yield root, _seconds_of_children() - before


def _seconds_of_children() -> float:
    """Processor time of ended child processes: unlike wall time it does not grow with the tests that run beside."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_smoke_path_is_quick_and_makes_every_file(made):
    root, seconds = made
    assert seconds < 90
    assert {path.name for path in (root / "out").iterdir()} >= FILES
    assert matplotlib.image.imread(root / "out" / "scaling.png").std() > 0.05
    table = pd.read_csv(root / "out" / "scaling.csv")
    assert list(zip(table["m_inf"], table["n"], table["verifier"], strict=True)) == [
        (m, n, verifier) for m in (1, 2) for n, verifier in ((1, "mean"), (2, "elite:0.5"), (2, "mean"))
    ]
    low, success, high = (table[name].to_numpy() for name in ("low", "success", "high"))
    assert ((low <= success) & (success <= high)).all()
    assert set(table["episodes"]) == {2}


def test_provenance_names_data_and_versions(made):
    record = json.loads((made[0] / "out" / "provenance.json").read_text())
    assert record["spec"]["data"]["kind"] == "regenerated"
    assert len(record["spec"]["data"]["sha256"]) == 64
    assert record["versions"]["jax"]


def test_a_video_and_a_contact_sheet(made):
    video, sheet = (made[0] / "out" / name for name in ("rollouts.mp4", "rollouts_sheet.png"))
    if probe_backend() == OFF:  # then the quickstart goes on without
        assert not video.exists()
        assert not sheet.exists()
        return
    assert video.stat().st_size > 5_000
    sheet = matplotlib.image.imread(sheet)
    assert sheet.shape[1] > 1000
    assert sheet.std() > 0.05


def test_the_run_is_listed(made):
    (run,) = list_runs("preset = 'small' and done", root=made[0] / "runs")["hash"]
    assert set(RunFolder(made[0] / "runs" / run).episodes("post", SMOKE.episode_limit).values()) == {2}
    assert list_runs("success is not null", root=made[0] / "runs").empty, "episodes that were cut short are no scores"


def test_a_second_call_trains_and_evaluates_nothing(made, monkeypatch, capsys):
    root, _ = made
    monkeypatch.setattr("workbench.experiments.train_chunk", None)
    monkeypatch.setattr("workbench.quickstart._film", lambda *_: {})
    monkeypatch.setattr("workbench.experiments.evaluate_run", None)
    monkeypatch.setattr("workbench.data.make.run.run_jobs", None)
    assert main(["quickstart", "--smoke", "--out", str(root / "again")]) == 0
    assert "best: M_inf" in capsys.readouterr().out
    first, second = (root / name / "scaling.png" for name in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()
