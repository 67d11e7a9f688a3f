"""The direction of imports, and the sizes of files, read from the source: nothing is imported."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = (
    {"errors", "paths", "guards", "processes", "verifiers", "selection", "types", "schedules", "compile_cache"},
    {"flow", "diffusion"},
    {"nets"},
    {"data"},
    {"losses"},
    {"agents"},
    {"cost", "tasks"},
    {"train"},
    {"evaluate"},
    {"store"},
    {"experiments"},
    {"sweeps"},
    {"stats"},
    {"published"},
    {"claims"},
    {"plots"},
    {"render", "theory"},
    {"studies"},
    {"gallery"},
    {"live"},
    {"quickstart", "doctor"},
    {"cli"},
)
"""Modules and subpackages of workbench; each may import from its own line and from those above."""

ENVIRONMENTS = {"mujoco", "gymnasium", "ogbench", "dm_control"}
MAY_STEP = {"data", "evaluate", "render"}
JAX = {"jax", "jaxlib", "equinox", "optax"}
WITHOUT_JAX = {"stats", "claims", "plots"}
LONGEST = 300


def module_name(path: Path, root: Path) -> str:
    """Dotted name of a source file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_sources(root: Path) -> dict[str, str]:
    """Source text of every module of the package."""
    return {module_name(path, root): path.read_text() for path in sorted((root / "workbench").rglob("*.py"))}


def imports(name: str, source: str, packages: Iterable[str] = ()) -> set[str]:
    """Every name that a module imports, at any depth: `from a import b` counts as `a` and as `a.b`."""
    found = set()
    package = name if name in packages else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                target = ".".join([*base, *([module] if module else [])])
                found |= {target, *(f"{target}.{alias.name}" for alias in names)}
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(target)), *_],
            ):
                found.add(target)
    return found


def layer_of(name: str) -> int:
    """Number of the layer that holds a module of workbench."""
    part = name.split(".")[1]
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise LookupError(f"workbench/{part} belongs to no layer: add it to LAYERS in tests/unit/test_layers.py.")


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """What each module imports: outside packages by their first name, modules of workbench in full."""
    packages = {name.rpartition(".")[0] for name in sources} | {"workbench"}
    graph = {}
    for name, source in sources.items():
        found = imports(name, source, packages)
        inside = {each for each in found if each in sources and each != "workbench"}
        outside = {each.split(".")[0] for each in found if each.split(".")[0] != "workbench"}
        graph[name] = inside | outside | ({"pyplot"} if any("pyplot" in each.split(".") for each in found) else set())
    return graph


def reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    """Everything that a module imports, directly or through other modules of workbench."""
    seen, waiting = set(), [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def violations(sources: Mapping[str, str]) -> list[str]:
    """One sentence for each import that the architecture does not allow."""
    graph = import_graph(sources)
    found = []
    for name in sorted(set(sources) - {"workbench"}):
        try:
            number, part = layer_of(name), name.split(".")[1]
            higher = {each for each in graph[name] if each.startswith("workbench.") and layer_of(each) > number}
        except LookupError as error:
            found.append(str(error))
            continue
        found += [f"{name} imports {each}, which is in a higher layer." for each in sorted(higher)]
        if part not in MAY_STEP:
            found += [f"{name} imports {each}: only {sorted(MAY_STEP)} may." for each in graph[name] & ENVIRONMENTS]
        if part in WITHOUT_JAX:
            found += [f"{name} reaches {each}: {part} works without it." for each in reachable(name, graph) & JAX]
        if "pyplot" in graph[name]:
            found.append(f"{name} imports pyplot: make a Figure instead.")
    found += [f"workbench imports {each}: the package itself imports nothing." for each in graph.get("workbench", ())]
    return list(dict.fromkeys(found))


def test_imports_go_one_way() -> None:
    assert violations(read_sources(ROOT)) == []


@pytest.mark.parametrize("folder", ["workbench", "tests", "benchmarks", "notebooks", ".ci"])
def test_no_file_is_too_long(folder: str) -> None:
    files = [path for ending in ("py", "js") for path in (ROOT / folder).rglob(f"*.{ending}")]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST} == {}


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ({"workbench.flow": "from workbench.train import x", "workbench.train": ""}, "flow imports workbench.train"),
        ({"workbench.flow": "from workbench import train", "workbench.train": ""}, "flow imports workbench.train"),
        ({"workbench.flow": "from . import train", "workbench.train": ""}, "flow imports workbench.train"),
        ({"workbench.data.a": "from ..train import x", "workbench.train": ""}, "data.a imports workbench.train"),
        (
            {"workbench.data": "", "workbench.data.a": "from .. import live", "workbench.live": ""},
            "a imports workbench.live",
        ),
        ({"workbench.flow": "def f():\n    import workbench.cli.main", "workbench.cli.main": ""}, "workbench.cli.main"),
        ({"workbench.flow": "import_module('workbench.train')", "workbench.train": ""}, "flow imports workbench.train"),
        ({"workbench.flow": "def f():\n    import mujoco.viewer"}, "workbench.flow imports mujoco"),
        ({"workbench.live": "from gymnasium import Env"}, "workbench.live imports gymnasium"),
        ({"workbench.stats": "import jax.numpy as jnp"}, "workbench.stats reaches jax"),
        (
            {"workbench.stats": "from workbench import types", "workbench.types": "import equinox"},
            "stats reaches equinox",
        ),
        ({"workbench.plots.a": "from matplotlib import pyplot as plt"}, "plots.a imports pyplot"),
        ({"workbench.plots.a": "import matplotlib.pyplot"}, "plots.a imports pyplot"),
        ({"workbench.novelty": ""}, "workbench/novelty belongs to no layer: add it to LAYERS"),
        ({"workbench": "from workbench import types", "workbench.types": ""}, "the package itself imports nothing"),
    ],
)
def test_checker_sees(sources: dict[str, str], sentence: str) -> None:
    assert len(violations(sources)) == 1
    assert sentence in violations(sources)[0]


@pytest.mark.parametrize(
    "sources",
    [
        {"workbench.train": "from workbench import __version__, flow", "workbench.flow": "", "workbench": ""},
        {"workbench.data.a": "from .b import x\nimport ogbench", "workbench.data.b": ""},
        {"workbench.stats": "import numpy\nfrom workbench.paths import runs_dir", "workbench.paths": "import json"},
        {"workbench.cli.doctor": "from workbench.doctor import Check", "workbench.doctor": "import jax"},
    ],
)
def test_checker_allows(sources: dict[str, str]) -> None:
    assert violations(sources) == []
