"""Claims about the self-consistency term: what it costs in training, and what M does to W2."""

import math

import numpy as np
import pandas as pd

from workbench.claims.verdicts import Evidence, Finding
from workbench.stats import Bootstrap, Estimate, estimate, iqm, student


def self_consistency_cost(evidence: Evidence) -> Finding | None:
    """Time of an update with the self-consistency target over that of one without, minus 1, at the largest width.

    The interquartile mean of the ratios of rounds, in which both take turns, with its bootstrap interval over rounds;
    CPU time beside it, and what the counted operations say.
    """
    table = evidence.self_consistency_cost
    if table.empty:
        return None
    words = "; ".join(_costs(table.loc[table["width"] == width]) for width in sorted(set(table["width"])))
    rows = table.loc[table["width"] == table["width"].max()]
    wall, first = _ratio(rows, "wall_ms"), rows.iloc[0]
    kind = f"the interval covers {wall.n} rounds on one machine, at {first['depth']}×{first['width']}"
    excess = Estimate(wall.value - 1, wall.low - 1, wall.high - 1, wall.n, kind)
    scale = f"M_BTT {first['m_btt']}, batch {first['batch']}, sizes of cube-single, {first['machine']}"
    return Finding(words, excess, f"{wall.n} rounds of {first['updates']} updates each", scale)


def _costs(rows: pd.DataFrame) -> str:
    wall, cpu, first = _ratio(rows, "wall_ms"), _ratio(rows, "cpu_ms"), rows.iloc[0]
    counted = first["gflop"] / first["gflop_without"]
    return (
        f"{first['depth']}×{first['width']}: {wall.value:.2f} times the wall time, {cpu.value:.2f} times the CPU time, "
        f"{counted:.2f} times the counted operations"
    )


def _ratio(rows: pd.DataFrame, name: str) -> Estimate:
    ratios = (rows[name] / rows[f"{name}_without"]).to_numpy(float)
    return estimate(ratios[:, None], iqm, Bootstrap())


def fewer_steps_farther(evidence: Evidence) -> Finding | None:
    """W2 at the least M_inf minus W2 at the most, after the last update, of policies trained with w_QL = 0.

    The mean over seeds, paired, with Student's interval: no error within a training is known, and three seeds lie on
    one side by chance one time in four.
    """
    table = evidence.mixture_bound
    if table.empty:
        return None
    rows = table.loc[table["step"] == table["step"].max()]
    wide = rows.pivot(index="seed", columns="m_inf", values="w2").dropna()
    few, many = wide.columns.min(), wide.columns.max()
    differences = (wide[few] - wide[many]).to_numpy(float)
    found = student(differences.tolist())
    means = ", ".join(f"{m}: {wide[m].mean():.4f}" for m in wide)
    larger, seeds = int(np.sum(differences > 0)), len(differences)
    kind = "one training seed: no interval" if math.isnan(found.low) else f"Student's, over {seeds} training seeds"
    words = f"M {means}; larger at M = {few} than at M = {many} in {larger} of {seeds} seeds"
    n = f"{seeds} seed{'s' * (seeds > 1)} × {int(rows['draws'].iloc[0]):,} draws"
    last, floor = rows["step"].iloc[0] / 1000, rows["w2_floor"].iloc[0]
    scale = f"SORL on eight Gaussians, {last:g}k updates; two samples of the data are {floor:.3f} apart"
    return Finding(words, Estimate(found.value, found.low, found.high, seeds, kind), n, scale)
