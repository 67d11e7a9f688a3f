"""Which OpenGL backend works here: found out in a process of its own, before MuJoCo is imported anywhere."""

import functools
import os
import subprocess
import sys

OFF = "off"
_TRY = "import mujoco; context = mujoco.GLContext(16, 16); context.make_current(); context.free()"


@functools.cache
def probe_backend(timeout: float = 60.0) -> str:
    """The value of `MUJOCO_GL` to render with: the user's own, else `egl` or `osmesa` where they work, else `off`.

    The answer is kept for the life of this process. A driver that hangs counts as one that does not work.
    """
    own = os.environ.get("MUJOCO_GL", "").lower()
    if own:
        return OFF if own in ("disable", "disabled", "off", "false", "0") else own
    return next((name for name in ("egl", "osmesa") if _works(name, timeout)), OFF)


def _works(name: str, timeout: float) -> bool:
    environment = os.environ | {"MUJOCO_GL": name, "PYOPENGL_PLATFORM": name}
    try:
        tried = subprocess.run([sys.executable, "-c", _TRY], env=environment, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0
