"""The caller's side of rendering: one process a call, alone on its GPU, with a time limit."""

import contextlib
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from workbench.errors import NoGraphicsError, WorkbenchError
from workbench.evaluate.rollout import Rollout, save_rollouts
from workbench.render.backend import NO_GRAPHICS, OFF, give_up_on, graphics_environment, probe_backend, users_own
from workbench.render.gpu import alone_on, choose_device

PROCESS = (sys.executable, "-m", "workbench.render.process")
log = logging.getLogger(__name__)


class RenderError(WorkbenchError):
    """The rendering process ended without its work done."""


@dataclass(frozen=True)
class Filmed:
    """Files of a film: the video (mp4), the contact sheet (PNG), and the data to scrub with (npz, see `scrub`)."""

    video: Path
    sheet: Path
    scrub: Path


def render_rollouts(
    file: Path, out: Path, *, name: str = "rollouts", width: int = 320, height: int = 240, timeout: float = 600.0
) -> Filmed:
    """Film the rollouts that `save_rollouts` wrote to `file`, into the folder `out`.

    Budgets that are every combination of some M_inf and N stand in a grid. `width` and `height` are of one scene, in
    pixels. Raises `NoGraphicsError` when there is no OpenGL, `WorkbenchError` when the process fails or takes longer
    than `timeout` seconds. EGL that fails is left for software rendering, with a note. One process renders on a GPU at
    a time: read-backs of several are known to hang.
    """
    out.mkdir(parents=True, exist_ok=True)
    job = {"job": "film", "source": str(file), "stem": str(out / name), "width": width, "height": height}
    return Filmed(**{kind: Path(path) for kind, path in _render(job, timeout).items()})


def render_frames(
    rollouts: Sequence[Rollout],
    steps: Sequence[Sequence[int]],
    *,
    width: int = 240,
    height: int = 180,
    timeout: float = 600.0,
) -> list[UInt8[np.ndarray, "moment height width 3"]]:
    """The bare scene of every rollout at some of its steps; raises as `render_rollouts` does."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        source, out = Path(folder) / "rollouts.npz", Path(folder) / "frames.npz"
        save_rollouts(source, rollouts)
        wanted = [[int(step) for step in each] for each in steps]
        job = {"job": "frames", "source": str(source), "out": str(out), "steps": wanted}
        _render(job | {"width": width, "height": height}, timeout)
        with np.load(out, allow_pickle=False) as file:
            return [file[f"{i:04d}"] for i in range(len(rollouts))]


def _render(job: dict[str, Any], timeout: float) -> dict[str, str]:
    """Do a job, by software if EGL fails at it."""
    backend = probe_backend()
    if backend == OFF:
        raise NoGraphicsError(NO_GRAPHICS)
    try:
        return _in_process(backend, job, timeout)
    except RenderError as error:
        if backend != "egl" or users_own() or give_up_on("egl") == OFF:
            raise
        log.warning("%s Drawing in software (osmesa) from now on.", error)
        return _in_process(probe_backend(), job, timeout)


def _in_process(backend: str, job: dict[str, Any], timeout: float) -> dict[str, str]:
    alone = alone_on(choose_device().lock) if backend == "egl" else contextlib.nullcontext()
    failed = f"rendering {job['source']} with MUJOCO_GL={backend}"
    with alone:
        try:
            done = subprocess.run(
                [*PROCESS, json.dumps(job)],
                env=graphics_environment(backend),
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise WorkbenchError(
                f"{failed} took more than {timeout:.0f} s and was stopped: set MUJOCO_GL=osmesa to draw in software, "
                "or film fewer rollouts."
            ) from None
    if done.returncode == WorkbenchError.exit_code:
        raise WorkbenchError(f"{failed} failed: {_last_line(done.stderr)}")
    if done.returncode:
        stalled = "Timeout (" in done.stderr
        raise RenderError(f"{failed} failed: {'a frame did not come' if stalled else _last_line(done.stderr)}.")
    return json.loads(done.stdout.splitlines()[-1])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
