"""Text and smooth lines on pictures: what captions, headings and overlays are drawn with."""

from collections.abc import Iterable
from functools import cache
from typing import SupportsFloat, TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

Picture: TypeAlias = UInt8[np.ndarray, "height width 3"]
Point: TypeAlias = tuple[SupportsFloat, SupportsFloat]
Colour: TypeAlias = tuple[int, int, int]

INK, PAPER, QUIET, FAINT = (20, 20, 20), (255, 255, 255), (95, 95, 95), (222, 222, 222)
CHOSEN, REJECTED, BAND, GOOD = (0, 114, 178), (213, 94, 0), (246, 214, 188), (0, 120, 60)
"""Blue and vermilion of the figures' palette: the chosen candidate, the others, and the range of all."""

FINER = 4
"""Lines are drawn this many times larger and reduced, which smooths them: Pillow's own have steps."""


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib."""
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def width_of(text: str, size: int) -> int:
    """Pixels that a line of text takes."""
    return int(np.ceil(font(size).getlength(text)))


def number(value: float, decimals: int = 1) -> str:
    """A number with a minus sign as long as a plus."""
    return f"{value:.{decimals}f}".replace("-", "−")


def wrap(parts: Iterable[str], width: int, size: int, between: str = "   ") -> list[str]:
    """Lines of whole parts, as many on each as fit."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}{between}{part}" if lines else part
        if lines and width_of(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


class Sheet:
    """A white picture to draw on: smooth shapes first, then text, which Pillow smooths itself."""

    def __init__(self, width: int, height: int) -> None:
        self._large = Image.new("RGB", (width * FINER, height * FINER), PAPER)
        self._shapes = ImageDraw.Draw(self._large)
        self._texts: list[tuple[Point, str, Colour, int, str]] = []

    def line(self, points: Iterable[Point], colour: Colour, width: float = 1.0) -> None:
        """A polyline with round joints."""
        self._shapes.line([_large(point) for point in points], colour, round(width * FINER), joint="curve")

    def area(self, points: Iterable[Point], colour: Colour) -> None:
        """A filled polygon."""
        self._shapes.polygon([_large(point) for point in points], colour)

    def dot(self, at: Point, radius: float, colour: Colour) -> None:
        """A filled circle."""
        (x, y), r = _large(at), radius * FINER
        self._shapes.ellipse([x - r, y - r, x + r, y + r], colour)

    def text(self, at: Point, text: str, colour: Colour = INK, size: int = 12, anchor: str = "la") -> None:
        """A line of text; `anchor` as in Pillow."""
        self._texts.append((at, text, colour, size, anchor))

    def picture(self) -> Picture:
        """What was drawn."""
        image = self._large.reduce(FINER)
        draw = ImageDraw.Draw(image)
        for at, text, colour, size, anchor in self._texts:
            draw.text((float(at[0]), float(at[1])), text, colour, font(size), anchor=anchor)
        return np.array(image)


def _large(point: Point) -> tuple[float, float]:
    return float(point[0]) * FINER, float(point[1]) * FINER
