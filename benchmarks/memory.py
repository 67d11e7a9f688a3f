"""How much memory does a training take, on the host and on the device, and what does another seed add?"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator

import jax
from measuring import Number, main
from updates import sized

from workbench.studies.runtime import ACT, OBS
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights

MEGA = 2**20


def measure(smoke: bool) -> Iterator[Number]:
    """Each training in a process of its own: the most that it ever held, less what a process without one holds."""
    width, depth = (8, 1) if smoke else (512, 4)
    idle = alone(0, width, depth)
    for seeds in (1, 2) if smoke else (1, 2, 4, 8):
        found = alone(seeds, width, depth)
        yield Number(f"{depth} x {width}, {seeds} seeds: host, at its peak", found["peak"] - idle["peak"], "MiB")
        yield Number(f"{depth} x {width}, {seeds} seeds: state of the training", found["state"], "MiB")
        if found["device"]:
            yield Number(f"{depth} x {width}, {seeds} seeds: device, at its peak", found["device"], "MiB")


def alone(seeds: int, width: int, depth: int) -> dict[str, float]:
    """MiB of such a process."""
    command = [sys.executable, __file__, "--train", str(seeds), str(width), str(depth)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def train(seeds: int, width: int, depth: int) -> dict[str, float]:
    """Train a moment and say what it took; with 0 seeds only start."""
    data, agent, held = made_up(OBS, ACT), sized(width, depth), 0
    if seeds:
        state = init_seeds(agent, data.example(), tuple(range(seeds)))
        held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        jax.block_until_ready(train_chunk(agent, data, LossWeights(), state, 3, 256))
    else:
        jax.block_until_ready(jax.numpy.zeros(1))
    device = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak / MEGA, "state": held / MEGA, "device": device / MEGA}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        print(json.dumps(train(*map(int, sys.argv[2:]))))
    else:
        main(__doc__ or "", measure)
