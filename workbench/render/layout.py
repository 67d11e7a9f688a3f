"""Where the panels of a video stand: a grid with M_inf along columns and N along rows, headed once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.evaluate.cell import Cell
from workbench.render.ink import INK, PAPER, QUIET, Picture, Sheet, width_of, wrap

GAP = 8
"""White pixels between panels."""

HEADING, TITLE, NOTE = 15, 13, 11
"""Sizes of type, in pixels."""


@dataclass(frozen=True)
class Layout:
    """Panels by row and column (None: no panel there), and headings; `captions` name panels that no heading names."""

    places: tuple[tuple[int | None, ...], ...]
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @staticmethod
    def of(cells: Sequence[Cell]) -> "Layout":
        """The grid of cells that are every combination of some M_inf and some N, once each; else rows with captions.

        Where only N varies it runs along the columns.
        """
        m_inf, n = sorted({cell.m_inf for cell in cells}), sorted({cell.n for cell in cells})
        number = {(cell.m_inf, cell.n): i for i, cell in enumerate(cells)}
        if len(number) < len(cells) or len(number) < len(m_inf) * len(n):
            return _in_rows(cells)
        by_m, by_n = tuple(f"M_inf = {m}" for m in m_inf), tuple(f"N = {k}" for k in n)
        if len(m_inf) == 1:
            return Layout((tuple(number[m_inf[0], k] for k in n),), by_n, by_m)
        return Layout(tuple(tuple(number[m, k] for m in m_inf) for k in n), by_m, by_n)

    def caption(self, i: int) -> str:
        """What a panel's own caption must say of its budget."""
        return self.captions[i] if self.captions else ""


def _in_rows(cells: Sequence[Cell]) -> Layout:
    columns = len(cells) if len(cells) <= 4 else int(np.ceil(np.sqrt(len(cells))))
    numbers: list[int | None] = [*range(len(cells)), *[None] * (-len(cells) % columns)]
    places = tuple(tuple(numbers[i : i + columns]) for i in range(0, len(numbers), columns))
    return Layout(places, captions=tuple(f"M_inf {cell.m_inf}, N {cell.n}" for cell in cells))


class Page:
    """The fixed part of a video or sheet, drawn once: title, headings and notes around places for panels.

    `shape` is that of one panel. `boxes` are the left upper corners (x, y) of the panels, by number.
    """

    def __init__(
        self, layout: Layout, shape: tuple[int, int], title: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        self.height, self.width = shape
        left = max((width_of(line, HEADING) + 20 for row in layout.rows for line in row.split("\n")), default=GAP)
        columns = len(layout.places[0])
        width = left + columns * (self.width + GAP)
        width += width % 2  # video encoders want even numbers
        titles = wrap(title, width - 2 * GAP, TITLE, "  ·  ")
        top = GAP + len(titles) * (TITLE + 6) + (HEADING + 10 if layout.columns else 0)
        lines = wrap(notes, width - 2 * GAP, NOTE)
        bottom = top + len(layout.places) * (self.height + GAP)
        height = bottom + len(lines) * (NOTE + 5) + (GAP if lines else 0)
        sheet = Sheet(width, height + height % 2)
        for i, line in enumerate(titles):
            sheet.text((GAP, GAP - 2 + i * (TITLE + 6)), line, QUIET, TITLE)
        for i, text in enumerate(layout.columns):
            x = left + i * (self.width + GAP) + self.width / 2
            sheet.text((x, top - 8), text, INK, HEADING, "ms")
        for j, text in enumerate(layout.rows):
            y = top + j * (self.height + GAP) + self.height / 2
            for k, line in enumerate(text.split("\n")):
                sheet.text((left - 10, y + (HEADING + 5) * k), line, INK, HEADING, "rm")
        for i, line in enumerate(lines):
            sheet.text((GAP, bottom + i * (NOTE + 5)), line, QUIET, NOTE)
        self._blank = sheet.picture()
        self.boxes = {
            number: (left + i * (self.width + GAP), top + j * (self.height + GAP))
            for j, row in enumerate(layout.places)
            for i, number in enumerate(row)
            if number is not None
        }

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole picture."""
        return self._blank.shape[0], self._blank.shape[1]

    def fill(self, panel: Callable[[int], Picture]) -> Picture:
        """The page with a picture in every place, by its number."""
        page = self._blank.copy()
        for number, (x, y) in self.boxes.items():
            page[y : y + self.height, x : x + self.width] = panel(number)
        return page


def fade(scene: Picture) -> Picture:
    """A scene at half contrast: the episode is over."""
    return scene // 2 + PAPER[0] // 2
