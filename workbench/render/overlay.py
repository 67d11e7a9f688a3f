"""What is shown beside a frame: above it the step and the outcome, below it the decision taken there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from workbench.evaluate.rollout import Rollout
from workbench.render.ink import BAND, CHOSEN, FAINT, GOOD, INK, QUIET, REJECTED, Picture, Sheet, number, width_of

CAPTION = 22
"""Height of the strip over a frame, in pixels."""

UNDERLAY = 84
"""Height of the strip under a frame, in pixels."""

TEXT = 12
TOP, BOTTOM, EDGE = 22.0, UNDERLAY - 6.0, 6.0
FLOW_LIMIT = 2.5
"""Coordinates of an action on its way are drawn between minus and plus this; most noise starts there."""
MOST_PLOTS = 8
"""Small plots of a flow; more coordinates than that share plots."""
SOFT = 0.1
"""Differences of Q below this are drawn in proportion, larger ones more and more squeezed (arcsinh)."""


@dataclass(frozen=True)
class Scale:
    """Axes of every overlay of a video: the range of Q, the largest difference between candidates, the last step."""

    low: float
    high: float
    spread: float
    horizon: int

    @staticmethod
    def of(rollouts: list[Rollout]) -> "Scale":
        """The scale that all decisions of some rollouts fit in; without a critic, where Q is NaN, it means nothing."""
        values = np.concatenate([rollout.q_candidates.ravel() for rollout in rollouts])
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        spread = max((float(np.nanmax(np.abs(_advantage(r)), initial=0.0)) for r in rollouts), default=0.0)
        return Scale(low, max(high, low + 1e-6), max(spread, SOFT), max(rollout.length for rollout in rollouts))

    @property
    def decimals(self) -> int:
        """Decimals that tell values of this scale apart."""
        return 1 if self.high - self.low >= 5 else 2


def caption(width: int, rollout: Rollout, step: int, title: str = "") -> Picture:
    """The strip over a frame: the step, and the outcome once there is one."""
    sheet = Sheet(width, CAPTION)
    over = step >= rollout.length
    text, colour = (("success", GOOD) if rollout.succeeded else ("no success", QUIET)) if over else ("", INK)
    sheet.text((EDGE, 4), f"{title}{', ' if title else ''}step {step}", INK, TEXT)
    sheet.text((width - EDGE, 4), text, colour, TEXT, "ra")
    return sheet.picture()


def underlay(width: int, rollout: Rollout, step: int, scale: Scale) -> Picture:
    """The strip under a frame: Q up to this step, the candidates of this step, the flow of the chosen one, its cost."""
    sheet = Sheet(width, UNDERLAY)
    now = min(step, rollout.length - 1)
    split = 0.56 if rollout.flow is not None else 1.0
    _words(sheet, width, rollout, step, scale)
    if np.isfinite(rollout.q).any():
        _trace(sheet, (EDGE, split * width - 26), rollout, now, scale)
        if step < rollout.length:
            _candidates(sheet, (split * width - 20, split * width - EDGE), rollout, now, scale)
    if rollout.flow is not None and step < rollout.length:
        _flow(sheet, (split * width + 4, width - EDGE), rollout.flow[now])
    return sheet.picture()


def cost_of(rollout: Rollout) -> str:
    """Milliseconds of a decision where they were measured, and evaluations of the actor where it plays by a flow."""
    parts = [] if rollout.act_ms is None else [f"{rollout.act_ms:.2g} ms"]
    if rollout.flow is not None:
        count = rollout.cell.m_inf * rollout.cell.n
        parts.append(f"{count} actor call{'s' if count > 1 else ''}")
    return ", ".join(parts)


def _advantage(rollout: Rollout) -> Float[np.ndarray, "step cand"]:
    """Q of every candidate minus the mean of its step's candidates."""
    return rollout.q_candidates - rollout.q_candidates.mean(axis=1, keepdims=True)


def _words(sheet: Sheet, width: int, rollout: Rollout, step: int, scale: Scale) -> None:
    if step >= rollout.length:
        left, right = f"return {number(rollout.reward.sum(), 0)} in {rollout.length} steps", ""
    else:
        q = float(rollout.q[step])
        left, right = f"Q {number(q, scale.decimals)}" if np.isfinite(q) else "no critic", cost_of(rollout)
    sheet.text((EDGE, 3), left, INK, TEXT)
    if width_of(left, TEXT) + width_of(right, TEXT) + 3 * EDGE < width:
        sheet.text((width - EDGE, 3), right, QUIET, TEXT, "ra")


def _trace(sheet: Sheet, span: tuple[float, float], rollout: Rollout, now: int, scale: Scale) -> None:
    """Q of the chosen action over time in front of the range of all candidates; time ends at the scale's horizon."""
    x = span[0] + (span[1] - span[0]) * np.arange(now + 1) / max(scale.horizon - 1, 1)

    def height(q: np.ndarray) -> np.ndarray:
        return BOTTOM - (BOTTOM - TOP) * (q - scale.low) / (scale.high - scale.low)

    for y in (TOP, BOTTOM):
        sheet.line([(span[0], y), (span[1], y)], FAINT)
    q = rollout.q_candidates[: now + 1]
    if now and q.shape[1] > 1:
        upper, lower = height(q.max(axis=1)) - 0.5, height(q.min(axis=1)) + 0.5
        sheet.area([*zip(x, upper, strict=True), *zip(x[::-1], lower[::-1], strict=True)], BAND)
    y = height(rollout.q[: now + 1])
    if now:
        sheet.line(zip(x, y, strict=True), CHOSEN, 1.6)
    sheet.dot((x[-1], y[-1]), 2.5, CHOSEN)


def _candidates(sheet: Sheet, span: tuple[float, float], rollout: Rollout, now: int, scale: Scale) -> None:
    """A mark for each candidate, at its Q minus the mean; the chosen one is thicker and longer."""
    middle, half = (TOP + BOTTOM) / 2, (BOTTOM - TOP) / 2
    y = middle - half * np.arcsinh(_advantage(rollout)[now] / SOFT) / np.arcsinh(scale.spread / SOFT)
    best = int(rollout.chosen[now])
    sheet.line([(span[0], middle), (span[1], middle)], FAINT)
    for each in np.delete(y, best):
        sheet.line([(span[0] + 3, each), (span[1] - 3, each)], REJECTED)
    sheet.line([(span[0], y[best]), (span[1], y[best])], CHOSEN, 2.5)


def _flow(sheet: Sheet, span: tuple[float, float], path: Float[np.ndarray, "time act"]) -> None:
    """Small plots of the action's coordinates along the flow, from noise on the left to the action on the right."""
    groups = np.array_split(np.arange(path.shape[1]), min(path.shape[1], MOST_PLOTS))
    step = (span[1] - span[0]) / len(groups)
    middle, unit = (TOP + BOTTOM) / 2, (BOTTOM - TOP) / 2 / FLOW_LIMIT
    for i, group in enumerate(groups):
        left, right = span[0] + i * step + 2, span[0] + (i + 1) * step - 3
        for y in (middle - unit, middle + unit):
            sheet.line([(left, y), (right, y)], FAINT)
        x = np.linspace(left + 1, right - 2, len(path))
        for j in group:
            y = middle - unit * path[:, j].clip(-FLOW_LIMIT, FLOW_LIMIT)
            sheet.line(zip(x, y, strict=True), CHOSEN, 1.2)
            for at in zip(x[:-1], y[:-1], strict=True):
                sheet.dot(at, 1.2, CHOSEN)
            sheet.dot((x[-1], middle - unit * path[-1, j].clip(-1, 1)), 2.4, CHOSEN)
