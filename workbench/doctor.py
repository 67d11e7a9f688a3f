"""What this installation has, what it lacks, and the command that mends it: one small function a check."""

import platform
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from workbench.compile_cache import cache_dir, is_writable
from workbench.errors import WorkbenchError, sentence
from workbench.paths import data_dir, runs_dir

PROJECT = "sorl-workbench"
REINSTALL = "in the repository's folder: pip install -c constraints.txt -e ."
GIB = 2**30
WIDGET_FRONT_ENDS = {"ipywidgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}
"""Python package of the widgets, and the name of the JupyterLab extension that draws them."""


@dataclass(frozen=True)
class Check:
    """One finding. `warn`: something optional is missing. `broken`: something needed does not work."""

    name: str
    status: Literal["ok", "warn", "broken"]
    found: str
    fix: str = ""


def run_checks() -> list[Check]:
    """Every check, in the order in which one would mend them."""
    return [
        check_python(),
        *check_packages(),
        check_devices(),
        check_compile_cache(),
        check_graphics(),
        check_ffmpeg(),
        *check_widgets(),
        check_memory(),
        check_disk("data folder", data_dir(), "WORKBENCH_DATA"),
        check_disk("runs folder", runs_dir(), "WORKBENCH_RUNS"),
    ]


def exit_code(checks: Iterable[Check]) -> int:
    """1 when something needed is broken, else 0."""
    return int(any(check.status == "broken" for check in checks))


def check_python() -> Check:
    """The interpreter; pip has already refused one that is too old."""
    return Check("python", "ok", f"{platform.python_version()} ({platform.system()} {platform.machine()})")


def check_packages() -> list[Check]:
    """Every package that the workbench requires at run time, and jaxlib, which must fit jax."""
    try:
        declared = [Requirement(text) for text in metadata.requires(PROJECT) or []]
    except metadata.PackageNotFoundError:
        return [Check(PROJECT, "broken", "not installed", REINSTALL)]
    needed = [each for each in declared if each.marker is None or each.marker.evaluate({"extra": ""})]
    return [check_package(each) for each in [*needed, Requirement("jaxlib")]]


def check_package(requirement: Requirement) -> Check:
    """One package is installed, in a version that the requirement allows."""
    fix = f"in the repository's folder: pip install -c constraints.txt '{requirement}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Check(requirement.name, "broken", "not installed", fix)
    if not requirement.specifier.contains(version, prereleases=True):
        return Check(requirement.name, "broken", f"{version}, needed {requirement.specifier}", fix)
    return Check(requirement.name, "ok", version)


def check_devices() -> Check:
    """JAX starts, and computes on its first device."""
    try:
        import jax

        devices = Counter(f"{device.platform}: {device.device_kind}" for device in jax.devices())
        jax.numpy.ones(()).block_until_ready()
    except Exception as error:  # a broken jax or driver fails in as many ways as there are drivers
        return Check("devices", "broken", sentence(error), REINSTALL)
    found = ", ".join(f"{count} × {kind}" for kind, count in devices.items())
    if jax.default_backend() == "cpu" and shutil.which("nvidia-smi"):
        return Check("devices", "warn", f"{found}; an NVIDIA GPU is not used", "pip install -e '.[cuda13]' (or cuda12)")
    return Check("devices", "ok", found)


def check_compile_cache() -> Check:
    """Compiled programs can be kept."""
    folder = cache_dir()
    if not is_writable(folder):
        fix = "set WORKBENCH_JAX_CACHE to a folder that can be written"
        return Check("compilation cache", "warn", f"{folder} cannot be written: every start compiles again", fix)
    sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
    return Check("compilation cache", "ok", f"{folder}: {len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB")


def check_graphics() -> Check:
    """OpenGL works, so that frames can be rendered. Nothing but video needs it."""
    fix = "install a software renderer (Debian: apt-get install libegl1 libgl1-mesa-dri), or set MUJOCO_GL"
    try:
        from workbench.render.backend import OFF, probe_backend

        backend = probe_backend()
    except (ImportError, WorkbenchError) as error:
        return Check("graphics", "warn", f"no video: {sentence(error)}", fix)
    if backend == OFF:
        return Check("graphics", "warn", "no video: no OpenGL backend works", fix)
    return Check("graphics", "ok", backend)


def check_ffmpeg() -> Check:
    """The ffmpeg that came by pip runs. Nothing but video needs it."""
    try:
        import imageio_ffmpeg

        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-version"]
        banner = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (ImportError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        fix = "pip install --force-reinstall imageio-ffmpeg"
        return Check("ffmpeg", "warn", f"no video: {sentence(error)}", fix)
    return Check("ffmpeg", "ok", " ".join(banner.split()[:3]))


def check_widgets() -> list[Check]:
    """The browser half of each widget package lies where JupyterLab looks for it."""
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError as error:
        return [Check("widgets", "broken", sentence(error), REINSTALL)]
    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    return [check_front_end(package, name, folders) for package, name in WIDGET_FRONT_ENDS.items()]


def check_front_end(package: str, extension: str, folders: Iterable[Path]) -> Check:
    """One JupyterLab extension is in one of the folders; without it widgets print as text."""
    name = f"{package} front end"
    for folder in folders:
        if (folder / extension / "package.json").is_file():
            return Check(name, "ok", f"{extension} in {folder}")
    fix = f"pip install --force-reinstall {package} jupyterlab_widgets, then reload the browser"
    return Check(name, "warn", f"JupyterLab has no extension {extension}", fix)


def check_memory() -> Check:
    """Main memory that is free now; a million rows of a maze take about 300 MiB."""
    try:
        import psutil
    except ImportError as error:
        return Check("memory", "broken", sentence(error), REINSTALL)
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    if memory.available < 2 * GIB:
        return Check("memory", "warn", found, "close other programs, or use smaller datasets and fewer workers")
    return Check("memory", "ok", found)


def check_disk(name: str, folder: Path, variable: str) -> Check:
    """A folder, or the nearest one above it that exists, can be written and has room. Creates nothing."""
    try:
        place = next(each for each in [folder.absolute(), *folder.absolute().parents] if each.exists())
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Check(
            name, "broken", f"{folder} cannot be written: {sentence(error)}", f"set {variable} to another folder"
        )
    found = f"{folder}: {free / GIB:.1f} GiB free"
    if free < 5 * GIB:
        return Check(name, "warn", found, f"free some space, or set {variable} to a folder on a larger disk")
    return Check(name, "ok", found)
