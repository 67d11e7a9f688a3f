"""What was done by hand, as it is drawn and told: one mark for all that a gesture did to a control."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any


def own_marks(branch: Any) -> list[Any]:
    """Marks of a branch, without those of its parent from before the fork."""
    since = branch.forked_at if branch.parent is not None and branch.forked_at is not None else 0
    return joined([each for each in list(branch.interventions) if each.step >= since])


def joined(interventions: Sequence[Any]) -> list[Any]:
    """Interventions in which all that one gesture did to a control is one, where it began.

    A gesture that came back before the next update to where it was did nothing, and is left out.
    """
    found: list[Any] = []
    ends: list[int] = []
    begun: dict[tuple[str, str], int] = {}
    for each in interventions:
        place = begun.get((each.name, each.gesture)) if each.gesture else None
        if place is None:
            begun[each.name, each.gesture] = len(found)
            found.append(each)
            ends.append(each.step)
        else:
            found[place], ends[place] = replace(found[place], new=each.new), each.step
    return [each for each, end in zip(found, ends, strict=True) if each.new != each.old or end != each.step]
