"""One start of a trained policy under growing inference budgets: frames at some moments, and Q at every step."""

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from workbench.data.catalogue import parse_task
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import evaluate_policy
from workbench.evaluate.policy import make_policy
from workbench.evaluate.rollout import Rollout
from workbench.experiments import load_agent
from workbench.render.run import render_frames
from workbench.studies.base import base_runs
from workbench.studies.campaign import Scale
from workbench.studies.table import Table

BUDGETS = (Cell(1, 1), Cell(4, 1), Cell(4, 4))
"""The baseline, then sequential scaling, then parallel scaling on top."""
MOMENTS = 6
STARTS = 10
WIDTH, HEIGHT = 240, 180
ZOOM = 1.4
"""The scene's middle is shown, at this magnification: a frame of the figure is two centimetres wide."""


def strips(smoke: bool = False) -> dict[str, Table]:
    """Tables `strip_q` (a row a budget and step) and `strip_frames` (a picture) of one episode of the first base run.

    The start is the first of ten at which the largest budget succeeds and the smallest does not, so that there is
    something to see; where there is none it is the first. Columns of `strip_q`: hash, task, seed, episode, starts (how
    many were played), differing (at how many of them the two budgets differed in that way), m_inf, n, step, q_chosen,
    q_low, q_high (of all candidates), moment (1 to 6 at the steps whose frame is shown, else 0), success (of the
    episode), length. The state after the last step has a row too, without Q. The picture holds the frames of 240 by 180
    pixels, a row a budget in the table's order, moments from left to right.

    Raises `WorkbenchError` when there is no finished run, `NoGraphicsError` when there is no OpenGL.
    """
    scale, folder = Scale.of(smoke), base_runs(smoke)[0]
    spec = folder.spec
    found = evaluate_policy(
        make_policy(*load_agent(folder), BUDGETS, diagnostics=True),
        spec.task,
        BUDGETS,
        seeds=spec.seeds,
        episodes=2 if smoke else STARTS,
        record=2 if smoke else STARTS,
        episode_limit=scale.episode_limit or parse_task(spec.task)[0].limit,
    )
    starts = _by_start(found.rollouts)
    differing = [number for number, each in starts.items() if each[-1].succeeded and not each[0].succeeded]
    chosen = starts[differing[0] if differing else 0]
    moments = [np.linspace(0, rollout.length, MOMENTS).round().astype(int).tolist() for rollout in chosen]
    frames = render_frames(chosen, moments, width=round(ZOOM * WIDTH), height=round(ZOOM * HEIGHT))
    fixed = {"hash": folder.path.name, "task": spec.task, "starts": len(starts), "differing": len(differing)}
    table = pd.concat([_rows(each, steps) for each, steps in zip(chosen, moments, strict=True)], ignore_index=True)
    return {"strip_q": table.assign(**fixed), "strip_frames": mosaic([_middle(each) for each in frames])}


def mosaic(
    frames: list[UInt8[np.ndarray, "moment height width 3"]],
) -> UInt8[np.ndarray, "all_height all_width 3"]:
    """Frames side by side, a row a rollout, with nothing between."""
    return np.concatenate([np.concatenate(list(each), axis=1) for each in frames])


def _middle(frames: UInt8[np.ndarray, "moment _ _ 3"]) -> UInt8[np.ndarray, "moment height width 3"]:
    top, left = (frames.shape[1] - HEIGHT) // 2, (frames.shape[2] - WIDTH) // 2
    return frames[:, top : top + HEIGHT, left : left + WIDTH]


def _by_start(rollouts: list[Rollout]) -> dict[int, list[Rollout]]:
    """Rollouts of the run's only seed in the order of the budgets, by episode."""
    starts: dict[int, list[Rollout]] = {}
    for rollout in sorted(rollouts, key=lambda each: BUDGETS.index(each.cell)):
        starts.setdefault(rollout.episode, []).append(rollout)
    return dict(sorted(starts.items()))


def _rows(rollout: Rollout, moments: list[int]) -> pd.DataFrame:
    steps = np.arange(rollout.length + 1)
    moment = np.zeros(len(steps), int)
    moment[moments] = np.arange(1, len(moments) + 1)

    def until_the_end(values: np.ndarray) -> np.ndarray:
        return np.append(values.astype(float), np.nan)

    return pd.DataFrame(
        {
            "seed": rollout.seed,
            "episode": rollout.episode,
            "m_inf": rollout.cell.m_inf,
            "n": rollout.cell.n,
            "step": steps,
            "q_chosen": until_the_end(rollout.q),
            "q_low": until_the_end(rollout.q_candidates.min(axis=1)),
            "q_high": until_the_end(rollout.q_candidates.max(axis=1)),
            "moment": moment,
            "success": rollout.succeeded,
            "length": rollout.length,
        }
    )
