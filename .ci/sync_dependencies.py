"""Write environment.yml and constraints.txt from pyproject.toml, or with --check say what is out of date (exit code 1).

constraints.txt holds the versions of everything that pyproject.toml and its `dev` extra need, directly or not, as
installed in the environment that runs this script; the CUDA extras are left to the resolver. Nothing is downloaded.
To move to newer versions: install them in a virtual environment of Python 3.11, then run this script with its Python.
"""

import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Generated from pyproject.toml by .ci/sync_dependencies.py; not to be edited.\n"


class Need(NamedTuple):
    """One requirement and the package that states it."""

    by: str
    requirement: Requirement


def read_project(root: Path) -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def direct(project: dict[str, Any], extra: str = "") -> list[Requirement]:
    """What the project itself needs, or one of its extras adds, with references to its other extras resolved."""
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    found = []
    for requirement in map(Requirement, listed):
        if requirement.name == project["name"]:
            found += [each for name in sorted(requirement.extras) for each in direct(project, name)]
        else:
            found.append(requirement)
    return found


def closure(project: dict[str, Any]) -> Iterator[Need]:
    """Every requirement, direct or not, of the project and its `dev` extra, by the installed packages' metadata."""
    waiting = [Need(project["name"], each) for each in [*direct(project), *direct(project, "dev")]]
    seen = set()
    while waiting:
        need = waiting.pop()
        yield need
        name = canonicalize_name(need.requirement.name)
        for extra in {"", *need.requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += [Need(name, each) for each in stated(name, extra)]


def stated(name: str, extra: str) -> list[Requirement]:
    """What an installed package needs on this platform, with one of its extras or none."""
    listed = map(Requirement, metadata.requires(name) or [])
    return [each for each in listed if each.marker is None or each.marker.evaluate({"extra": extra})]


def constraints(project: dict[str, Any]) -> str:
    """The text of constraints.txt for the environment that runs this."""
    names = {canonicalize_name(need.requirement.name) for need in closure(project)}
    return HEADER + "".join(f"{name}=={metadata.version(name)}\n" for name in sorted(names))


def environment(project: dict[str, Any]) -> str:
    """The text of environment.yml: Python from conda, every package from PyPI in the versions of constraints.txt."""
    lines = [
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.11",
        "  - pip",
        "  - pip:",
        "      - --constraint constraints.txt",
        "      - --editable .",
        *(f'      - "{each}"' for each in [*direct(project), *direct(project, "dev")]),
    ]
    return HEADER + "\n".join(lines) + "\n"


def pins(text: str) -> dict[str, str]:
    """Name and version on each line of a constraints file."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def problems(root: Path) -> list[str]:
    """What is out of date: each finding is one sentence; none means that both files fit pyproject.toml."""
    project = read_project(root)
    found = []
    if (root / "environment.yml").read_text() != environment(project):
        found.append("environment.yml is not what pyproject.toml says.")
    pinned = pins((root / "constraints.txt").read_text())
    for by, requirement in closure(project):
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"constraints.txt has no version of {requirement.name}, which {by} needs.")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"constraints.txt says {requirement.name}=={version}, but {by} needs {requirement.specifier}.")
    return sorted(set(found))


def main() -> int:
    """Write both files, or check them."""
    if sys.argv[1:] == ["--check"]:
        found = problems(ROOT)
        print("\n".join([*found, "Run .ci/sync_dependencies.py."] if found else ["Both files are current."]))
        return int(bool(found))
    project = read_project(ROOT)
    (ROOT / "environment.yml").write_text(environment(project))
    (ROOT / "constraints.txt").write_text(constraints(project))
    return 0


if __name__ == "__main__":
    sys.exit(main())
