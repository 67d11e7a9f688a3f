"""How long until something happens: import, the first figure, the first update with and without compiled programs?"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import Number, main, median

IMPORT = "import workbench.train"
FIGURE = """
from workbench import published
from workbench.plots.main_table import main_table
from workbench.plots.style import save_figure
from pathlib import Path
import sys
save_figure(main_table(published.aggregates()), Path(sys.argv[1]) / "figure")
"""
UPDATE = """
import jax, sys
from workbench.compile_cache import enable_compile_cache
enable_compile_cache()
from workbench.agents.presets import preset
from workbench.data.toy import make_toy
from workbench.train import init_seeds, train_chunk
data, _ = make_toy("eight_gaussians", rows=1000, seed=0)
chosen = preset("sorl", "small", "toy")
state = init_seeds(chosen.agent, data.example(), (0,))
jax.block_until_ready(train_chunk(chosen.agent, data, chosen.weights, state, 1, chosen.batch_size))
"""


def measure(smoke: bool) -> Iterator[Number]:
    """Each in a process of its own, the start of Python included."""
    rounds = 1 if smoke else 7
    goals = (None, None) if smoke else (0.7, 3.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = [process("pass", folder) for _ in range(rounds)]
        yield median("Python itself", python, "s")
        imports = [process(IMPORT, folder) - each for each in python]
        yield median("import of the training loop, Python itself left out", imports, "s", at_most=goals[0])
        alone = [process("import jax", folder) - each for each in python]
        yield median("import of JAX alone, Python itself left out", alone, "s")
        yield median("first figure, a table of published scores", [process(FIGURE, folder) for _ in python], "s")
        cold = [process(UPDATE, folder, folder / f"cache{number}") for number in range(1 if smoke else 3)]
        yield median("first update, nothing compiled yet", cold, "s")
        warm = [process(UPDATE, folder, folder / "cache0") for _ in python]
        yield median("first update, programs on disk", warm, "s", at_most=goals[1])


def process(program: str, folder: Path, cache: Path | None = None) -> float:
    """Seconds of a Python process."""
    own = {"WORKBENCH_JAX_CACHE": str(cache or folder / "cache0"), "JAX_PLATFORMS": "cpu"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program, str(folder)], env=kept | own, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(__doc__ or "", measure)
