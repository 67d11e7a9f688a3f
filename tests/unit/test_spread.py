"""Seeds over several devices, simulated on the processor: the same training, each seed on its own device."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM = """
import json, sys
from pathlib import Path
import equinox as eqx
import jax
import numpy as np
from workbench.data.toy import make_toy
from workbench.experiments import Schedule, load_or_init, train_run
from workbench.store.folder import RunFolder
from workbench.store.spec import make_spec
from workbench.train import spread, train_chunk

data, held_out = make_toy("eight_gaussians", rows=200, seed=0)
settings = {"width": 16, "depth": 1, "m_btt": 2, "m_disc": 2}
make = lambda seeds, steps: make_spec(
    "toy:eight_gaussians", data.provenance, preset_name="small", seeds=seeds, steps=steps, settings=settings,
    batch_size=8)
spec = make((0, 1, 2, 3, 4, 5), 12)
run = train_run(spec, data, held_out, root=Path(sys.argv[1]), progress=False, schedule=Schedule(4, 6))
state, step = load_or_init(RunFolder(run.path), spec, data)
state, everywhere = spread(state, data)
leaves = jax.tree.leaves(eqx.filter((state.nets, state.targets), eqx.is_array))
np.savez(Path(sys.argv[1]) / "leaves.npz", *leaves)
state, _ = train_chunk(spec.build_agent(), everywhere, spec.build_weights(), state, 3, 8)
five, _ = load_or_init(RunFolder(Path(sys.argv[1]) / "none"), make((0, 1, 2, 3, 4), 12), data)
print(json.dumps({
    "devices": len(jax.devices()),
    "seeds_on": sorted(str(shard.index[0]) for shard in state.step.addressable_shards),
    "data_on": len(everywhere.x.addressable_shards),
    "moved": spread(five, data)[0] is not five,
}))
"""


def trained(folder: Path, devices: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    environment = dict(os.environ) | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "leaves.npz") as leaves:
        return json.loads(done.stdout), list(leaves.values())


def test_three_of_four_devices_train_two_seeds_each_to_the_same_state(tmp_path):
    """Equal up to float32 rounding: a program for two seeds adds in another order than one for six."""
    (tmp_path / "1").mkdir()
    (tmp_path / "4").mkdir()
    alone, expected = trained(tmp_path / "1", 1)
    several, found = trained(tmp_path / "4", 4)
    whole = "slice(None, None, None)"
    assert alone == {"devices": 1, "seeds_on": [whole], "data_on": 1, "moved": False}
    thirds = [f"slice({i}, {i + 2}, None)" for i in (0, 2, 4)]
    # Five seeds cannot be dealt evenly over two, three or four devices.
    assert several == {"devices": 4, "seeds_on": thirds, "data_on": 3, "moved": False}
    assert len(found) == len(expected) > 10
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
