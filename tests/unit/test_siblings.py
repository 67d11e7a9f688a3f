"""Sibling files are no copies of each other: agents share what they share by calling it."""

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.agents import NAMES

FOLDER = Path(__file__).resolve().parents[2] / "workbench" / "agents"


def lines(name: str) -> Counter[str]:
    """Lines of an agent's classes, code and text, without single brackets and the ends of docstrings."""
    source = (FOLDER / f"{name}.py").read_text()
    stripped = (line.strip() for line in source[source.index("\nclass ") :].splitlines())
    return Counter(line for line in stripped if len(line) > 1 and line != '"""')


def shared(one: Counter[str], other: Counter[str]) -> float:
    """Share of the shorter file's lines that the longer one has too, wherever they stand."""
    return (one & other).total() / min(one.total(), other.total())


@pytest.mark.parametrize("name", NAMES)
def test_no_agent_has_half_of_its_lines_from_a_sibling(name):
    found = {other: round(shared(lines(name), lines(other)), 2) for other in NAMES if other != name}
    assert {other: share for other, share in found.items() if share >= 0.5} == {}


def test_the_measure_sees_a_copy():
    one = Counter(["a = 1", "b = 2", "c = 3", "d = 4"])
    assert shared(one, one + Counter(["e = 5"])) == 1.0
    assert shared(one, Counter(["a = 1", "x = 2", "y = 3", "z = 4"])) == 0.25
