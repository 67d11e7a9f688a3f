"""What the benchmarks share: timings that take turns, numbers beside their goals, JSON with machine and versions."""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from workbench.store.environment import environment


@dataclasses.dataclass(frozen=True)
class Number:
    """One measured number with the quartiles of its repetitions; `at_most` or `at_least` is its goal, if it has one."""

    case: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    at_most: float | None = None
    at_least: float | None = None


def median(case: str, values: Sequence[float], unit: str, **goal: float | None) -> Number:
    """The median of repeated measurements."""
    low, middle, high = (float(f"{each:.6g}") for each in np.quantile(values, (0.25, 0.5, 0.75)))
    return Number(case, middle, unit, low, high, **goal)


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of a call until its result exists."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def in_turn(calls: Mapping[str, Callable[[], Any]], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each call, `rounds` times; they take turns, so that a slow moment of the machine falls on all."""
    for call in calls.values():
        for _ in range(warm):
            seconds(call)
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(seconds(call))
    return found


class NotHere(Exception):
    """Something that a benchmark needs is not on this machine; the message says what, and how to get it."""


def main(doc: str, measure: Callable[[bool], Iterable[Number]]) -> None:
    """The command line of a benchmark with this docstring: prints JSON, with --smoke of numbers that mean nothing.

    Ends with exit code `NOT_HERE` and one sentence where it raises `NotHere`.
    """
    question = doc.splitlines()[0]
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--smoke", action="store_true", help="in seconds, with numbers that mean nothing")
    smoke = parser.parse_args().smoke
    try:
        rows = [dataclasses.asdict(number) for number in measure(smoke)]
    except NotHere as missing:
        from workbench.cli.bench import NOT_HERE  # whose imports would count in what is measured

        print(missing, file=sys.stderr)
        sys.exit(NOT_HERE)
    rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
    print(json.dumps({"question": question, "environment": environment(), "rows": rows}, indent=2))
