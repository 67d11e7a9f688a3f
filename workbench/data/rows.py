"""How rows of arrays become transitions, and the forms in which trajectories are saved.

- Rows, as OGBench's files have them: row t + 1 is what came of row t, but where `terminals` ends an episode.
- The same with `valids`, 0 in the last row of an episode: the compact dictionary of OGBench's loader, whose `terminals`
  are 1 in the last two rows.
- Transitions, with `next_observations`: those of D4RL and replay buffers, whose `terminals` say what ended for good,
  and the regular dictionary of OGBench's loader, whose `terminals` say where episodes end, which were all cut.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from workbench.data.findings import DEFECT, NOTE, Finding

Arrays = Mapping[str, np.ndarray]


class Rows(NamedTuple):
    """Trajectories in rows; the rows that are not `valid` are the last of an episode, and no transition."""

    x: Float[np.ndarray, "row obs"]
    a: Float[np.ndarray, "row act"]
    r: Float[np.ndarray, " row"]
    mask: Float[np.ndarray, " row"]
    valid: Bool[np.ndarray, " row"]


def ends(arrays: Arrays) -> Bool[np.ndarray, " row"]:
    """The last row of every episode: as `valids` says where it is there, else `terminals`."""
    if "valids" in arrays and "next_observations" not in arrays:
        return ~arrays["valids"].astype(bool)
    return arrays["terminals"].astype(bool)


def joined(
    x: Float[np.ndarray, "row obs"],
    a: Float[np.ndarray, "row act"],
    r: Float[np.ndarray, " row"],
    x_next: Float[np.ndarray, "row obs"],
    mask: Float[np.ndarray, " row"],
    breaks: Bool[np.ndarray, " row"],
) -> Rows:
    """Transitions as trajectories: a row is put in that holds x' after each break, and where x' is not the next x.

    The action of such a row is 0, for the one that followed is not known (`agents.next_action`).
    """
    last = np.flatnonzero(breaks | ~follows(x, x_next))
    valid = np.ones(len(x), bool)
    put = ((x, x_next[last]), (a, 0.0), (r, 0.0), (mask, 1.0), (valid, False))
    return Rows(*(np.insert(column, last + 1, row, axis=0) for column, row in put))


def follows(x: Float[np.ndarray, "row obs"], x_next: Float[np.ndarray, "row obs"]) -> Bool[np.ndarray, " row"]:
    """Where x' is the x of the next row."""
    return np.append((x_next[:-1] == x[1:]).all(axis=1), False)


def ends_are_cuts(arrays: Arrays) -> bool:
    """Whether `terminals` of transitions look like those of OGBench's regular dictionary: ends of episodes, all cut.

    They are numbers, not flags, each episode that they end is as long as the others, and nothing else says where
    episodes were cut or what ended for good.
    """
    if "next_observations" not in arrays or "terminals" not in arrays or {"masks", "timeouts"} & arrays.keys():
        return False
    terminals = arrays["terminals"]
    if terminals.ndim != 1 or not np.issubdtype(terminals.dtype, np.floating):
        return False
    last = np.flatnonzero(terminals)
    lengths = np.diff(last, prepend=-1)
    whole = len(last) > 1 and last[-1] == len(terminals) - 1
    return bool(whole and lengths[0] > 1 and (lengths == lengths[0]).all())


def with_cuts(arrays: Arrays) -> dict[str, np.ndarray]:
    """Arrays of a file; where they are in OGBench's regular form, with `masks` of ones."""
    return dict(arrays) | ({"masks": np.ones(len(arrays["terminals"]))} if ends_are_cuts(arrays) else {})


def check_form(arrays: Arrays) -> Iterator[Finding]:
    """Which reading is taken of the forms of OGBench's loader, and `valids` that contradict what stands beside them."""
    terminals = arrays["terminals"].astype(bool)
    if "valids" in arrays:
        yield from _check_valids(arrays["valids"].astype(bool), terminals, "next_observations" in arrays)
    elif ends_are_cuts(arrays):
        every = int(np.flatnonzero(arrays["terminals"])[0]) + 1
        what = f"every episode has {every:,} rows and ends in 'terminals': each counts as ended for good"
        fix = "nothing if it did; where they were cut, as in what OGBench's loader returns, give them as 'timeouts'"
        yield Finding(NOTE, what, "terminals", fix)


def regular_form() -> Finding:
    """That transitions of a file are read as OGBench's regular form."""
    what = "read as OGBench's regular form: 'terminals' are where episodes were cut, and nothing ended for good"
    return Finding(
        NOTE, what, "terminals", "nothing; or save 'masks', 0 in the rows whose successor ended an episode for good"
    )


def _check_valids(valids: np.ndarray, terminals: np.ndarray, transitions: bool) -> Iterator[Finding]:
    if transitions:
        if not valids.all():
            row = np.flatnonzero(~valids)[0]
            yield Finding(
                DEFECT, f"{(~valids).sum():,} transitions are called invalid", f"valids, first in row {row}",
                "leave those rows out of all arrays, and 'valids' too",
            )  # fmt: skip
        return
    open_end = ~valids & ~terminals
    inside = terminals & valids & np.append(valids[1:], False)
    for rows, what in (
        (open_end, "'valids' is 0 and 'terminals' is 0: it is no transition and ends no episode"),
        (inside, "'terminals' is 1 and 'valids' is 1, here and in the next row: two episodes would be joined"),
    ):
        if rows.any():
            row = np.flatnonzero(rows)[0]
            yield Finding(DEFECT, what, f"valids, first in row {row}", "save both as OGBench's loader returns them")
    doubled = terminals & valids
    what = "read as OGBench's compact form: a row is a transition where 'valids' is 1" + (
        "; of the two 'terminals' an episode the first is none" if doubled.any() else ""
    )
    yield Finding(NOTE, what, "valids", "nothing")
