"""Whether data know the action that followed each transition, for the agents that are trained on it."""

import numpy as np

from workbench.agents.base import AbstractAgent
from workbench.data.dataset import Dataset
from workbench.errors import DatasetError, note

MOST = 0.1
"""Largest share of transitions without a next action that such an agent is trained on."""


def check_next_actions(agent: AbstractAgent, data: Dataset) -> None:
    """Raise `DatasetError` where an agent needs the next action and more than a share `MOST` lack it; note fewer.

    It is not known at the end of an episode that was cut, when the row there has the action 0, as loaders put it where
    none was recorded. Where the episode ended for good (mask 0) no one asks for it.
    """
    if not agent.needs_next_action:
        return
    index, a, mask = (np.asarray(each) for each in (data.index, data.a, data.mask))
    valid = np.zeros(len(a), bool)
    valid[index] = True
    unknown = ~valid[index + 1] & (mask[index] > 0)
    unknown[unknown] = (a[index[unknown] + 1] == 0).all(axis=1)
    count, name = int(unknown.sum()), data.provenance.name
    what = f"that of {count:,} of the {len(index):,} transitions of data '{name}' is not known"
    if count > MOST * len(index):
        raise DatasetError(
            f"agent '{agent.name}' is trained on next actions, and {what}: save whole episodes, in the order in which "
            "they came, or take another agent."
        )
    if count:
        note(f"agent '{agent.name}' is trained on next actions; {what}, for episodes were cut there, and 0 is taken.")
