"""Evaluated episodes of a run as a table: what tells two apart, which are scores, what another pass may replace."""

import pandas as pd

from workbench.data.catalogue import cut_at

MEANING = {"episode_limit": 0, "key_seed": 0}
"""What an episode is played under, and its value in tables that do not tell: the task's own length, the usual starts.

`episode_limit` is the number of steps after which episodes were cut short, 0 where the task alone ended them.
"""

CELL = ["step", "m_inf", "n", "verifier", "success_timing", *MEANING]
"""What is measured as one: `act_ms` is the same in all of its rows."""

EVAL_KEY = ["step", "seed", "m_inf", "n", "verifier", "success_timing", *MEANING, "episode"]
"""Equal episodes are one row."""


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """A table with all columns of the key; those that older records lack have the usual values."""
    return table.assign(**{name: value for name, value in MEANING.items() if name not in table})


def scores(evals: pd.DataFrame, task: str, episode_limit: int | None = None, key_seed: int = 0) -> pd.DataFrame:
    """Episodes of a task's own length, or those cut at `episode_limit`, from the starts that `key_seed` gives.

    Others answer another question, so none of them is a score.
    """
    chosen = (evals["episode_limit"] == cut_at(task, episode_limit)) & (evals["key_seed"] == key_seed)
    return evals.loc[chosen]


def joined(old: pd.DataFrame, new: pd.DataFrame, *, replace: bool) -> tuple[pd.DataFrame, int]:
    """Both tables as one, and how many episodes of `new` are left out because they were measured before.

    Rows of `old` stay as they were measured. Only where `replace` asks for it, and every episode of a cell was played
    again, the new ones are taken instead: so no cell is in part of one measurement and in part of another of the same.
    """
    new = complete(new).drop_duplicates(EVAL_KEY, keep="last")
    left_out = 0
    if len(old):
        again = _keys(old).isin(_keys(new))
        if replace:
            old = old.loc[~old.assign(again=again).groupby(CELL)["again"].transform("all")]
        known = _keys(new).isin(_keys(old))
        left_out, new = int(known.sum()), new.loc[~known]
    table = pd.concat([each for each in (old, new) if len(each)] or [new], ignore_index=True)
    return table.sort_values(EVAL_KEY, ignore_index=True), left_out


def _keys(table: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([table[name] for name in EVAL_KEY])
