"""What does an update become on a GPU that is not at hand?

XLA, in JAX's CUDA plugin, compiles the training program for an NVIDIA H200 (`h200.txtpb`); what it wrote is counted.
Nothing is run, so there are no times; and without a device XLA compares no alternatives for a product: it is asked once
for cuBLAS and once for kernels of its own.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
from jax.experimental import topologies
from jax.sharding import Sharding, SingleDeviceSharding
from measuring import NotHere, Number, main
from updates import sized

from workbench.agents.sorl import SORL
from workbench.store.spec import PRECISIONS
from workbench.studies.runtime import ACT, OBS
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights

TARGET = Path(__file__).with_name("h200.txtpb")
SEEDS = (1, 8)
CUBLAS, OWN = {"xla_gpu_enable_triton_gemm": False}, {"xla_gpu_enable_triton_gemm": True}
"""Who makes the matrix products."""
TENSOR_CORE = re.compile(r"mma\S*?\.(tf32|bf16)")
"""An instruction of a tensor core, and the type of its inputs."""
GEMM = re.compile(r'custom-call\((%[^,)]+).*custom_call_target="__cublas')
"""A product by cuBLAS, and the name of its first input."""


def measure(smoke: bool) -> Iterator[Number]:
    """By number of seeds: launches, kernels and memory; by precision: what the tensor cores are given."""
    there = h200()
    agent = sized(32, 1) if smoke else sized(512, 4)
    most = 0
    for seeds in SEEDS:
        for maker, options in (("cuBLAS", CUBLAS), ("XLA", OWN)):
            files, memory = compiled(agent, seeds, there, None, options)
            (steps,) = (text for name, text in files.items() if name.endswith("thunk_sequence_after_thunk_passes.txt"))
            launched, kernels = launches(steps)
            most = max(most, launched)
            case = f"{seeds} seed{'s'[: seeds > 1]} as one program, products by {maker}"
            yield Number(case, kernels, "kernels an update")
            yield Number(case, round(memory / 2**20, 1), "MiB beside data and state")
    yield Number("CUDA graphs and other launches in an update, most of these", most, "launches", at_most=1.0)
    for precision in PRECISIONS:
        # Without a device the compiler finds no kernel of its own for one product of bfloat16 inputs; cuBLAS has all.
        if precision == "bfloat16":
            found = gemm_inputs(compiled(agent, 1, there, precision, CUBLAS)[0])
        else:
            found = tensor_core_kernels(compiled(agent, 1, there, precision, OWN)[0])
        for kind in ("tf32", "bf16"):
            yield Number(f"products of {precision}", found[kind], f"kernels that give tensor cores {kind}")


def h200() -> Sharding:
    """All on one device to compile for. Raises `NotHere` without JAX's CUDA plugin."""
    if not any("cuda" in plugin.name for plugin in entry_points(group="jax_plugins")):
        raise NotHere("it needs JAX's CUDA plugin, though no GPU: pip install -e '.[cuda12]'.")
    topology = topologies.get_topology_desc("one", "cuda", target_config=TARGET.read_text(), topology="1x1x1")
    return SingleDeviceSharding(topology.devices[0])


def compiled(
    agent: SORL, seeds: int, there: Sharding, precision: str | None, options: dict[str, Any]
) -> tuple[dict[str, str], int]:
    """The compiler's own account of the training program, by file name, and the bytes of memory it works in."""
    data = made_up(OBS, ACT)
    state = init_seeds(agent, data.example(), tuple(range(seeds)))
    arrays, rest = eqx.partition((data, LossWeights(), state, 100), eqx.is_array)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=there), arrays)

    def program(arrays: Any) -> Any:
        return eqx.filter(train_chunk(agent, *eqx.combine(arrays, rest)), eqx.is_array)

    with tempfile.TemporaryDirectory() as folder, jax.default_matmul_precision(precision and PRECISIONS[precision]):
        asked = {"xla_gpu_autotune_level": 0, "xla_dump_to": folder, "xla_dump_hlo_as_text": True, **options}
        done = jax.jit(program).lower(shapes).compile(compiler_options=asked)
        files = {path.name: path.read_text(errors="replace") for path in Path(folder).iterdir()}
    memory = done.memory_analysis()
    assert memory is not None
    return files, memory.temp_size_in_bytes


def launches(steps: str) -> tuple[int, int]:
    """Of the loop's body in the compiler's list of steps: what the host launches, and all kernels and copies."""
    body = re.split(r"^\s*body:\n", steps, flags=re.MULTILINE)[1]
    inside = [line for line in re.split(r"^(?=\S)", body, flags=re.MULTILINE)[0].splitlines() if line.strip()]
    outermost = min(len(line) - len(line.lstrip()) for line in inside)
    launched = sum(len(line) - len(line.lstrip()) == outermost for line in inside)
    return launched, sum("kCommandBuffer" not in line for line in inside)


def tensor_core_kernels(files: dict[str, str]) -> Counter[str]:
    """Kernels that use tensor cores, by the type of their inputs."""
    kinds = (TENSOR_CORE.search(text) for name, text in files.items() if name.endswith(".ptx"))
    return Counter(kind[1] for kind in kinds if kind)


def gemm_inputs(files: dict[str, str]) -> Counter[str]:
    """Products by cuBLAS, by the type of their inputs."""
    (program,) = (text for name, text in files.items() if name.endswith("gpu_after_optimizations.txt"))
    types = dict(re.findall(r"^\s*(%\S+) = (\w+)\[", program, flags=re.MULTILINE))
    return Counter(types[name] for name in GEMM.findall(program))


if __name__ == "__main__":
    main(__doc__ or "", measure)
