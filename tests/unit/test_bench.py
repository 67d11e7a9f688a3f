"""`workbench bench`: scripts, goals, kept numbers, errors; and each script of the repository at smoke size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from workbench.cli.bench import OTHERS
from workbench.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SCRIPTS = sorted({path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {*OTHERS, "live"})
"""That of live views needs a browser and minutes; what it measures is tested in tests/browser."""

FAKE = '''"""How many?

More words.
"""
import json, sys
rows = [{"case": "smoke" if "--smoke" in sys.argv else "whole", "value": 2.34567, "unit": "s", "at_most": 2},
        {"case": "share", "value": 0.5, "unit": "of all", "at_least": 0.5}, {"case": "free", "value": 7, "unit": "s"}]
print(json.dumps({"question": "How many?", "environment": {}, "rows": rows}))
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "counting.py").write_text(FAKE)
    (tmp_path / "benchmarks" / "measuring.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_numbers_are_kept_and_stand_beside_their_goals(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "counting", "--json"]) == 1
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [(row["case"], row["value"], row["goal"], row["goal met"]) for row in rows] == [
        ("whole", 2.346, "<= 2", "no"),
        ("share", 0.5, ">= 0.5", "yes"),
        ("free", 7, "", ""),
    ]
    assert "counting: How many?" in printed.err
    kept = folder / "benchmarks" / "results" / "counting.json"
    assert json.loads(kept.read_text())["rows"][0]["value"] == 2.34567
    (folder / "benchmarks" / "counting.py").write_text('"""How many?"""\nraise SystemExit(3)')
    assert main(["bench", "counting", "--saved", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == rows


def test_smoke_numbers_go_elsewhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["bench", "counting", "--smoke", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["case"] == "smoke"
    assert (folder / "build" / "smoke" / "benchmarks" / "counting.json").exists()
    assert not (folder / "benchmarks" / "results").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["countin"], "unknown benchmark 'countin': did you mean counting"),
        (["counting", "--saved"], "there is no benchmarks/results/counting.json yet: measure it with"),
    ],
)
def test_what_is_missing_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], line: list[str], sentence: str
) -> None:
    assert main(["bench", *line]) == 2
    assert sentence in capsys.readouterr().err


def test_a_failing_script_and_another_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "benchmarks" / "counting.py").write_text('"""How many?"""\nraise ValueError("no clock")')
    assert main(["bench", "counting"]) == 2
    assert "benchmarks/counting.py ended with exit code 1: ValueError: no clock" in capsys.readouterr().err
    os.chdir(folder / "benchmarks")
    assert main(["bench"]) == 2
    assert "run it in the root of the workbench's repository" in capsys.readouterr().err


def test_every_script_asks_one_question(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["bench", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["benchmark"] for row in rows} == {*SCRIPTS, "live"}
    assert all("?" in row["question"] for row in rows)


def test_a_script_that_lacks_something_here_is_left_out_and_its_numbers_stay(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["bench", "counting"])
    kept = (folder / "benchmarks" / "results" / "counting.json").read_bytes()
    lacking = '"""How many?"""\nimport sys\nprint("it needs a clock.", file=sys.stderr)\nsys.exit(3)'
    (folder / "benchmarks" / "counting.py").write_text(lacking)
    capsys.readouterr()
    assert main(["bench", "counting", "--json"]) == 0
    printed = capsys.readouterr()
    assert "counting: left out, it needs a clock." in printed.err
    assert json.loads(printed.out) == []
    assert (folder / "benchmarks" / "results" / "counting.json").read_bytes() == kept


STEPS = """000: kCommandBuffer [source]
    001: kCopy [source] kCopy
002: kWhile [prev=000]
condition:
    003: kCustomKernel [source] compare
  body:
    000: kCommandBuffer [source]
        004: kCustomKernel [source] add
        005: kCublasLtMatmul [prev=004] dot
    006: kCopy [source] kCopy
000: kCommandBuffer [prev=002]
    007: kCopy [source] kCopy
"""


def test_what_is_launched_is_counted_in_the_body_of_the_loop_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import compiled  # pyright: ignore[reportMissingImports]

    assert compiled.launches(STEPS) == (2, 3)


@pytest.mark.parametrize("bits", [10, 7])
def test_products_of_rounded_inputs_round_forward_and_backward(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import rounding  # pyright: ignore[reportMissingImports]

    left, right = jax.random.normal(jax.random.key(0), (2, 16, 16))
    weight = jax.random.normal(jax.random.key(1), (16, 16))

    def keep(values: jax.Array) -> jax.Array:
        return jax.lax.reduce_precision(values, 8, bits)

    def both() -> tuple[jax.Array, jax.Array]:
        product, back = jax.vjp(lambda left: left @ right, left)
        return product, back(weight)[0]

    exact = both()
    with rounding.rounded(bits):
        product, gradient = jax.jit(both)()
    np.testing.assert_allclose(product, keep(left) @ keep(right), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, keep(weight) @ keep(right).T, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(product, exact[0])
    assert np.array_equal(both()[0], exact[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_runs_at_smoke_size(name: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True)
    if name == "compiled" and done.returncode == 3:
        assert done.stderr.strip().endswith("it needs JAX's CUDA plugin, though no GPU: pip install -e '.[cuda12]'.")
        return
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"]
    assert {"machine", "device", "versions"} <= set(report["environment"])
    assert all(row["value"] == row["value"] and row["unit"] for row in report["rows"])


def test_the_readme_says_every_goal_and_what_was_measured() -> None:
    """In words of its own; the numbers are those of benchmarks/results, to three digits."""
    rows = [row for file in RESULTS.glob("*.json") for row in json.loads(file.read_text())["rows"]]
    goals = {"at_most": "≤", "at_least": "≥"}
    found = [(digits(row["value"]), f"{goals[key]} {row[key]:g}") for row in rows for key in goals if key in row]
    section = (ROOT / "README.md").read_text().split("## How fast")[1].split("\n## ")[0]
    table = [line.split("|")[2:4] for line in section.splitlines() if line.startswith("| ") and line[2] != "|"]
    told = [(measured.split()[0], " ".join(goal.split()[:2])) for measured, goal in table]
    assert sorted(told) == sorted(found)
    by_case = {row["case"]: row["value"] for row in rows}
    for width, count in ((128, 64), (128, 256), (512, 64), (512, 256)):
        assert f"{by_case[f'width {width}, {count} rows']:.2f}" in section
    for width in (128, 512):
        assert f"{by_case[f'width {width}, preset official over paper']:.1f} times" in section


def digits(value: float) -> str:
    """Three of them, as people write them."""
    return f"{float(f'{value:.3g}'):g}"
