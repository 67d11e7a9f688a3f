"""How many updates a second does SORL make at sizes for two cores: alone on both, and two runs with one core each?"""

import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Number, main, median
from updates import sized

from workbench.processes import usable_cores
from workbench.studies.runtime import SMOKE, Case, Size, time_updates
from workbench.sweeps.limits import cores

SIZES = ((4, 128), (4, 256), (2, 256))
"""Layers and units."""
SHORT = Size((), (), (1, 2, 8), rounds=5, calls=0, update_seconds=1.0, side=512)
BATCH = 256


def measure(smoke: bool) -> Iterator[Number]:
    """By size and M_BTT. `side by side` adds up both runs, so it is what a campaign of many runs gets of two cores."""
    alone = rates(smoke)
    beside = side_by_side(smoke)
    for case, found in alone.items():
        yield median(f"{case}, alone on {usable_cores()} cores", found, "updates/s")
        both = [sum(pair) for pair in zip(*(each[case] for each in beside), strict=True)]
        yield median(f"{case}, two side by side on one core each", both, "updates/s of both")


def rates(smoke: bool) -> dict[str, list[float]]:
    """Updates per second of one run in this process, repeated; the cases take turns."""
    sizes, size = (((1, 8),), dataclasses.replace(SMOKE, m_btt=(1,))) if smoke else (SIZES, SHORT)
    cases = {
        f"{depth} x {width}, M_BTT {m}": Case(dataclasses.replace(sized(width, depth), m_btt=m), BATCH)
        for (depth, width), m in itertools.product(sizes, size.m_btt)
    }
    return {name: [1 / each for each in times.seconds] for name, times in time_updates(cases, size).items()}


def side_by_side(smoke: bool) -> list[dict[str, list[float]]]:
    """The same in two processes at the same time, each kept on a core of its own where there are two."""
    with tempfile.TemporaryDirectory() as locks:  # their own, so that they do not wait for a sweep
        command = [sys.executable, __file__, "--on-one-core", locks, *(["--smoke"] if smoke else [])]
        pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        found = [process.communicate()[0] for process in pair]
    if any(process.returncode for process in pair):
        raise RuntimeError("a process beside the other ended with an error, which stands above")
    return [json.loads(each) for each in found]


if __name__ == "__main__":
    if "--on-one-core" in sys.argv:
        with cores(1 if usable_cores() > 1 else None, Path(sys.argv[2])):
            print(json.dumps(rates("--smoke" in sys.argv)))
    else:
        main(__doc__ or "", measure)
