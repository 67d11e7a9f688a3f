"""What a number was made with: versions, device, and the commit of this code."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from workbench import __version__
from workbench.numerics import rounding
from workbench.processes import usable_cores

PACKAGE = Path(__file__).parents[1]
PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "ogbench", "mujoco")


def environment() -> dict[str, Any]:
    """Versions, device, git state, and what rounds otherwise: what a number's table needs beside it."""
    return {
        "workbench": __version__,
        "git": _git_state(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "cores": usable_cores(),
        "device": jax.devices()[0].device_kind,
        "versions": {package: _version(package) for package in PACKAGES},
        "rounding": rounding(),
    }


def _version(package: str) -> str | None:
    """None for a package that was put on the path without being installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_state() -> str | None:
    """The commit, and whether code differs from it; results and figures are what is being made, and do not count.

    None unless this package is at the top of a repository and part of it: an installed copy has a version and no
    commit, whatever repository its folder lies in. None too where git is missing or refuses.
    """
    made = (":(top,exclude)benchmarks/results", ":(top,exclude)figures")
    try:
        top = _git("rev-parse", "--show-toplevel")
        if not Path(top).samefile(PACKAGE.parent):
            return None
        _git("ls-files", "--error-unmatch", "--", ".")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *made)
        return _git("describe", "--always") + "-dirty" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*command: str) -> str:
    """What git says of the repository that the package's folder is in, whatever one the shell's variables name."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *command], capture_output=True, text=True, cwd=PACKAGE, env=own, check=True)
    return done.stdout.strip()
