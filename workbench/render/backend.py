"""Which OpenGL backend works here: found out in a process of its own, before MuJoCo is imported anywhere."""

import functools
import subprocess
import sys

from workbench.errors import NoGraphicsError
from workbench.processes import own_environment
from workbench.render.gpu import OWN, VISIBLE, choose_device

OFF = "off"
NO_GRAPHICS = (
    "no OpenGL backend works on this machine, so frames cannot be drawn: install EGL or OSMesa (on Debian: apt-get "
    "install libegl1 libgl1-mesa-dri) or set MUJOCO_GL; `workbench doctor` says what it finds."
)
_TRY = "import mujoco; context = mujoco.GLContext(16, 16); context.make_current(); context.free()"
_SWITCHED_OFF = ("disable", "disabled", "off", "false", "0")
_given_up: set[str] = set()


@functools.cache
def probe_backend(timeout: float = 60.0) -> str:
    """The value of `MUJOCO_GL` to render with: the user's own, else `egl` or `osmesa` where they work, else `off`.

    The answer is kept for the life of this process. A driver that hangs counts as one that does not work. Raises
    `NoGraphicsError` when the user's own does not work.
    """
    own = users_own()
    if own in _SWITCHED_OFF:
        return OFF
    if not own:
        return next((name for name in ("egl", "osmesa") if name not in _given_up and not _failure(name, timeout)), OFF)
    reason = _failure(own, timeout)
    if reason:
        raise NoGraphicsError(
            f"MUJOCO_GL={own} does not work on this machine ({reason}): unset it and the workbench looks for a backend "
            "that does, or set egl or osmesa."
        )
    return own


def users_own() -> str:
    """The backend that the user asked for in `MUJOCO_GL`, or nothing."""
    return own_environment().get("MUJOCO_GL", "").strip().lower()


def give_up_on(name: str) -> str:
    """Leave a backend out from now on; returns the one to use instead."""
    _given_up.add(name)
    probe_backend.cache_clear()
    return probe_backend()


def graphics_environment(backend: str) -> dict[str, str]:
    """The environment of a process that renders by `backend`, with EGL on the GPU that CUDA computes on."""
    environment = own_environment() | {"MUJOCO_GL": backend, "JAX_PLATFORMS": "cpu"}
    environment.pop("PYOPENGL_PLATFORM", None)
    if backend in ("egl", "osmesa"):
        environment["PYOPENGL_PLATFORM"] = backend
    device = choose_device().device if backend == "egl" else None
    if device is not None:
        environment[OWN] = str(device)
        environment.pop(VISIBLE, None)  # MuJoCo would count among the visible ones
    return environment


def _failure(name: str, timeout: float) -> str:
    """Why a backend does not work; nothing if it does."""
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRY],
            env=graphics_environment(name),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout:.0f} s"
    if tried.returncode == 0:
        return ""
    lines = tried.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {tried.returncode}"
