"""The speedrun: an entry at smoke size, who passes, and the board that its results make."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import WorkbenchError
from workbench.paths import read_json

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def speedrun(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("speedrun")


def result(entry: str, seed: int, successes: int, cpu: float) -> dict[str, Any]:
    """A kept result whose numbers are chosen."""
    fixed = {"idea": "an idea", "budget": "M_inf 8, N 4", "updates": 20_000, "wall_minutes": cpu / 2, "episodes": 200}
    machine = {"environment": {"machine": "x86_64, 2 cores"}}
    return fixed | machine | {"entry": entry, "seed": seed, "successes": successes, "cpu_minutes": cpu}


@pytest.mark.parametrize(
    ("successes", "passes"), [([180], True), ([179], False), ([200, 179], False), ([182, 198], True)]
)
def test_every_seed_must_succeed_nine_times_in_ten(speedrun, successes, passes):
    assert speedrun.reached([result("a", i, each, 1.0) for i, each in enumerate(successes)]) is passes


def test_the_fastest_that_passes_is_first_and_failures_are_marked(speedrun):
    text = speedrun.board([result("slow", 0, 199, 9.0), result("bad", 0, 20, 1.0), result("fast", 0, 190, 5.0)])
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == ["fast", "slow", "bad"]
    assert "0: 95.0 % [91, 97]" in lines[0]
    assert lines[2].endswith("| **no** |")


def test_an_entry_at_smoke_size(speedrun, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    few, many = speedrun.run(["elite", "elite-128"], seed=3, smoke=True)
    assert (few["budget"], many["budget"]) == ("M_inf 4, N 32, elite:0.5", "M_inf 8, N 128, elite:0.5")
    found = many
    assert (found["seed"], found["episodes"], found["updates"]) == (3, 2, 2)
    assert found["spec"]["seeds"] == [3]
    assert found["wall_minutes"] > 0


def test_entries_that_are_trained_otherwise_are_not_run_together(speedrun):
    with pytest.raises(WorkbenchError, match="elite, decay are other trainings"):
        next(speedrun.run(["elite", "decay"], seed=0, smoke=True))


def test_the_committed_board_is_that_of_the_committed_results(speedrun):
    results = [read_json(file) for file in sorted((BENCHMARKS / "results/speedrun").glob("*.json"))]
    assert (BENCHMARKS / "LEADERBOARD.md").read_text() == speedrun.board(results)
    for each in results:
        assert each["entry"] in speedrun.ENTRIES
        assert re.fullmatch(r"\d+\.\d+", str(each["cpu_minutes"]))
