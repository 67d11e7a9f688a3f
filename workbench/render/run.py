"""The caller's side of rendering: one process a call, under a lock, with a time limit."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from workbench.errors import NoGraphicsError, WorkbenchError
from workbench.guards import wait_for
from workbench.render.backend import OFF, probe_backend

PROCESS = (sys.executable, "-m", "workbench.render.process")
NO_GRAPHICS = (
    "no OpenGL backend works on this machine, so frames cannot be drawn: install EGL or OSMesa (on Debian: apt-get "
    "install libegl1 libgl1-mesa-dri) or set MUJOCO_GL; `workbench doctor` says what it finds."
)


def render_rollouts(
    rollouts: Path, out: Path, *, name: str = "rollouts", width: int = 320, height: int = 240, timeout: float = 600.0
) -> dict[str, Path]:
    """Film saved rollouts side by side; returns the paths of the `video` (mp4) and the `contact sheet` (PNG).

    `width` and `height` are of one panel, in pixels. Raises `NoGraphicsError` when there is no OpenGL,
    `WorkbenchError` when the process fails or takes longer than `timeout` seconds. One process renders at a time:
    read-backs of several EGL renderers on one GPU are known to hang.
    """
    backend = probe_backend()
    if backend == OFF:
        raise NoGraphicsError(NO_GRAPHICS)
    out.mkdir(parents=True, exist_ok=True)
    arguments = [str(rollouts), str(out / name), str(width), str(height)]
    environment = os.environ | {"MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend, "JAX_PLATFORMS": "cpu"}
    with wait_for(Path(tempfile.gettempdir()) / f"workbench-render-{os.getuid()}.lock"):
        try:
            done = subprocess.run(
                [*PROCESS, *arguments], env=environment, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise WorkbenchError(
                f"rendering {rollouts} with MUJOCO_GL={backend} took more than {timeout:.0f} s and was stopped: "
                "set MUJOCO_GL=osmesa to draw in software, or film fewer rollouts."
            ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkbenchError(f"rendering {rollouts} with MUJOCO_GL={backend} failed: {last}")
    return {kind: Path(path) for kind, path in json.loads(done.stdout.splitlines()[-1]).items()}
