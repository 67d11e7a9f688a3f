"""Command lines whose argument follows a list, and terminals that lack signs."""

import io
import sys
from dataclasses import dataclass

import pytest

from workbench.cli import main as frame
from workbench.cli.main import main

LINES = [
    (["evaluate", "--m-inf", "1", "2", "338271"], {"run_name": "338271", "m_inf": (1, 2)}),
    (["evaluate", "--verifier", "mean", "min", "abc"], {"run_name": "abc", "verifier": ("mean", "min")}),
    (["train", "--set", "width=8", "toy:grid"], {"task": "toy:grid", "set": ("width=8",)}),
]


@pytest.mark.parametrize(("line", "parsed"), LINES)
def test_an_argument_may_follow_a_list(line, parsed):
    command = frame._parse(list(line))
    assert {name: getattr(command, name) for name in parsed} == parsed


@dataclass(frozen=True)
class Signs:
    """A command that prints signs."""

    def run(self) -> int:
        """Print what sentences and tables of the workbench hold."""
        print("success 0.5 ± 0.1 · M∞ → é ≤")
        return 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_that_lacks_signs_shows_others(monkeypatch, encoding):
    monkeypatch.setattr(frame, "COMMANDS", {"show": f"{__name__}:Signs"})
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    assert main(["show"]) == 0
    text = out.getvalue().decode(encoding)
    assert text.startswith("success 0.5")
    assert ("→" in text) == (encoding == "utf-8")
