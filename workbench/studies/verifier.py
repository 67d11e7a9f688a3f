"""How good the verifier is: Q of the chosen actions against the returns that followed, for growing N."""

import math

import numpy as np
import pandas as pd
from jaxtyping import Float

from workbench.data.catalogue import parse_task
from workbench.evaluate.cell import grid
from workbench.evaluate.evaluation import evaluate_policy
from workbench.evaluate.policy import make_policy
from workbench.evaluate.rollout import Rollout
from workbench.experiments import load_agent
from workbench.stats import estimate, mean, paired_difference
from workbench.stats.correlation import rank_correlation
from workbench.store.folder import RunFolder
from workbench.studies.base import base_runs, identity
from workbench.studies.campaign import Scale

M_INF = 4
EPISODES = 30
"""Most episodes of a run and N: with three runs that is some minutes."""
MISSING = 0.05
"""Largest weight of the rewards that an episode without success leaves unseen."""
SHOWN_ROWS = 3000
"""Most rows of the calibration table: of each run and N as many, drawn by seed 0 without replacement."""


def verifier(smoke: bool = False) -> dict[str, pd.DataFrame]:
    r"""Tables `calibration` (a row a step of recorded episodes) and `verifier` (a row a run and N), at M_inf = 4.

    Q is the value the critic gave the action when it was chosen. It is compared with the discounted return from there,

    $$G_t = \sum_{k \ge 0} \gamma^k\, r(x_{t+k}),$$

    with the reward of the state the action is taken in, as the critic was trained on (success timing "pre"; a success
    ends the episode). Success is counted as published: reached by the episode limit, judged after the action. The
    critic knows no time limit, so episodes run on beyond it until rewards not yet seen weigh at most 5 % (γ^T ≤ 0.05),
    and every step before the limit has its return, in failures too; that cut makes returns of failures at most 5 % too
    high. Episodes of one run start alike and share their noise for every N.

    `verifier` holds, each with the ends of a 95 % bootstrap interval over episodes, the means at the start (`q_start`,
    `return_start`, and `gap`, the first less the second: over-estimation) and the rank correlations of Q and return
    (`spearman` over all steps, `spearman_start` over first steps alone, where no state is nearer the goal by progress).
    `q_gain` is how much Q the choice adds to a single sample, in the mean over steps. The critic was trained for single
    samples: where best-of-N does better than they, a return above Q is no error.
    """
    scale = Scale.of(smoke)
    shown, rows, rng = [], [], np.random.default_rng(0)
    folders = base_runs(smoke)
    for folder in folders:
        for n, steps in _recorded(folder, scale).groupby("n"):
            rows.append(identity(folder) | {"m_inf": M_INF, "n": n} | _row(steps))
            size = min(SHOWN_ROWS // (len(folders) * len(scale.n)), len(steps))
            drawn = steps.iloc[np.sort(rng.choice(len(steps), size, replace=False))]
            shown.append(drawn.assign(hash=folder.path.name, seed=folder.spec.seeds[0]))
    columns = ["hash", "seed", "n", "episode", "step", "q", "return_to_go"]
    calibration = pd.DataFrame(pd.concat(shown, ignore_index=True), columns=columns)
    return {"calibration": calibration, "verifier": pd.DataFrame(rows)}


def _recorded(folder: RunFolder, scale: Scale) -> pd.DataFrame:
    """Every step before the limit of every episode of a run of one seed: n, episode, step, q, return_to_go, success."""
    spec, cells = folder.spec, grid((M_INF,), scale.n)
    gamma, episodes = float(spec.weights["gamma"]), min(scale.episodes, EPISODES)
    limit = scale.episode_limit or parse_task(spec.task)[0].limit
    found = evaluate_policy(
        make_policy(*load_agent(folder), cells, diagnostics=True),
        spec.task,
        cells,
        seeds=spec.seeds,
        episodes=episodes,
        record=episodes,
        success_timing="pre",
        episode_limit=limit + horizon(gamma),
    )
    return pd.concat([_steps(rollout, gamma, limit) for rollout in found.rollouts], ignore_index=True)


def _steps(rollout: Rollout, gamma: float, limit: int) -> pd.DataFrame:
    """One row for each step of an episode before the limit; `success` is the episode's, `gain` the choice's."""
    table = pd.DataFrame({"q": rollout.q.astype(float), "return_to_go": returns_to_go(rollout.reward, gamma)})
    table.insert(0, "step", np.arange(len(table)))
    table["gain"] = rollout.q - rollout.q_candidates[:, 0]
    success = bool(rollout.success[1 : limit + 1].any())  # judged before the action: step t tells of state t
    return table.iloc[:limit].assign(n=rollout.cell.n, episode=rollout.episode, success=success)


def _row(steps: pd.DataFrame) -> dict[str, int | float]:
    """Statistics of the steps of one run and N; intervals over its episodes."""
    starts = steps.loc[steps["step"] == 0]
    q, g = starts["q"].to_numpy(), starts["return_to_go"].to_numpy()
    everywhere = rank_correlation(steps["q"].to_numpy(), steps["return_to_go"].to_numpy(), steps["episode"].to_numpy())
    columns = {
        "q_start": estimate(q[:, None], mean),
        "return_start": estimate(g[:, None], mean),
        "gap": paired_difference(q[:, None], g[:, None]),
        "spearman": everywhere,
        "spearman_start": rank_correlation(q, g, starts["episode"].to_numpy()),
    }
    successes = int(starts["success"].to_numpy().sum())
    found = {"episodes": len(starts), "successes": successes, "q_gain": float(steps["gain"].to_numpy().mean())}
    for name, each in columns.items():
        found |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
    return found


def horizon(gamma: float, missing: float = MISSING) -> int:
    """How many steps it takes until later rewards weigh at most `missing` of an endless constant reward's return.

    The least T with γ^T ≤ `missing`; 0 < γ < 1.
    """
    return math.ceil(math.log(missing) / math.log(gamma))


def returns_to_go(reward: Float[np.ndarray, " step"], gamma: float) -> Float[np.ndarray, " step"]:
    r"""Discounted sum of the rewards from each step to the last, $G_t = r_t + \gamma\, G_{t+1}$."""
    returns, following = np.zeros(len(reward)), 0.0
    for t in reversed(range(len(reward))):
        returns[t] = following = reward[t] + gamma * following
    return returns
