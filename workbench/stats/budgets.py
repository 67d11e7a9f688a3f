"""Success rates of inference budgets, from episodes or from counts of them."""

from collections.abc import Sequence

import pandas as pd

from workbench.stats.estimate import ScoresError
from workbench.stats.intervals import wilson
from workbench.stats.tables import PROTOCOL


def success_table(evals: pd.DataFrame, by: Sequence[str] = ("m_inf", "n")) -> pd.DataFrame:
    """Each cell: success rate with its Wilson 95 % interval, episodes, mean return, length and act_ms.

    `evals` has one row an episode; those of all seeds are taken together. A cell is what `by` has in common, which may
    name `verifier` too. Raises `ScoresError` where episodes differ in step, or otherwise in `PROTOCOL`.
    """
    _refuse_mixed(evals, by)
    cells = [cell for _, cell in evals.groupby(list(by))]
    return pd.DataFrame(
        [dict(zip(by, cell[list(by)].to_numpy(object)[0], strict=True)) | _summary(cell) for cell in cells]
    )


def _refuse_mixed(table: pd.DataFrame, by: Sequence[str]) -> None:
    apart = [name for name in ("task", "step", *PROTOCOL) if name in table and name not in by]
    mixed = [name for name in apart if len(set(table[name])) > 1]
    if mixed:
        raise ScoresError(f"the cells mix values of {', '.join(mixed)}, which are not pooled: choose one of each.")


def _summary(cell: pd.DataFrame) -> dict[str, float]:
    k, episodes = int(cell["success"].to_numpy().sum()), len(cell)
    low, high = wilson(k, episodes)
    means = {name: float(cell[name].to_numpy().mean()) for name in ("return", "length", "act_ms")}
    return {"success": k / episodes, "low": low, "high": high, "episodes": episodes, **means}


def pooled(cells: pd.DataFrame, by: Sequence[str] = ("m_inf", "n")) -> pd.DataFrame:
    """Success rate of each group of `by` with all seeds' episodes together, and its Wilson 95 % interval.

    `cells` has one row a run and budget, with `successes` of `episodes`. Returned: `by`, success, low, high, seed_low
    and seed_high (least and greatest rate of a seed), all in [0, 1], episodes and seeds. Raises `ScoresError` where
    rows of a group differ in task, step or `PROTOCOL`, or are of one seed.
    """
    _refuse_mixed(cells, by)
    if cells.duplicated([*by, "seed"]).any():
        raise ScoresError(f"two runs of one seed have the same {', '.join(by)}: choose one of them by its hash.")
    sums = {"successes": ("successes", "sum"), "episodes": ("episodes", "sum"), "seeds": ("seed", "nunique")}
    ends = {"seed_low": ("rate", "min"), "seed_high": ("rate", "max")}
    rated = cells.assign(rate=cells["successes"] / cells["episodes"])
    table = rated.groupby(list(by)).agg(**sums, **ends).reset_index()
    counts = zip(table.pop("successes").tolist(), table["episodes"].tolist(), strict=True)
    rates = pd.DataFrame([(k / n, *wilson(k, n)) for k, n in counts], columns=["success", "low", "high"])
    return table.join(rates)
