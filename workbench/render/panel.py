"""Captions over frames, and frames in a grid."""

from functools import cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from workbench.evaluate.rollout import Rollout

CAPTION = 40
"""Height of the strip over a frame, in pixels; nothing is written on the scene itself."""

GAP = 4
"""White pixels beside and under a panel."""

INK, PAPER, QUIET, GOOD = (20, 20, 20), (255, 255, 255), (110, 110, 110), (0, 120, 60)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def caption(
    frame: UInt8[np.ndarray, "height width 3"], rollout: Rollout, step: int
) -> UInt8[np.ndarray, "height+40 width 3"]:
    """A strip over the frame: the budget, the step, Q of the action taken there, and success."""
    strip = Image.new("RGB", (frame.shape[1], CAPTION), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((6, 3), f"M_inf = {rollout.cell.m_inf},  N = {rollout.cell.n}", INK, _font(14))
    over = step >= rollout.length
    if over:
        text, colour = ("success", GOOD) if rollout.succeeded else ("no success", QUIET)
        draw.text((frame.shape[1] - 6, 3), text, colour, _font(14), anchor="ra")
    draw.text((6, 22), f"step {step} of {rollout.length}", QUIET, _font(12))
    if not over:
        draw.text((frame.shape[1] - 6, 22), f"Q = {rollout.q[step]:.1f}", QUIET, _font(12), anchor="ra")
    return np.concatenate([np.asarray(strip), frame])


def fade(panel: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """The scene under a caption at half contrast: the episode is over."""
    scene = panel[CAPTION:] // 2 + 127
    return np.concatenate([panel[:CAPTION], scene])


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns for some panels: one row up to four, then as square as it goes."""
    columns = count if count <= 4 else int(np.ceil(np.sqrt(count)))
    return -(-count // columns), columns


def tile(frames: list[np.ndarray], columns: int) -> UInt8[np.ndarray, "height width 3"]:
    """Frames of one size in rows of `columns`; what is missing in the last row is white."""
    missing = -len(frames) % columns
    frames = [*frames, *[np.full_like(frames[0], 255)] * missing]
    frames = [np.pad(frame, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for frame in frames]
    rows = [np.concatenate(frames[i : i + columns], axis=1) for i in range(0, len(frames), columns)]
    return np.concatenate(rows)
