"""The next action of a TD target: made of several of the policy's, as it is made of candidates when it is played.

A critic that learns from one sample of its policy values that policy; where the best of N candidates is played, or the
mean of their better half, the critic for that is one whose targets do the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.agents.base import SELECTING, TrainState, judge, optional_field
from workbench.agents.baseline import AbstractBaseline, stop, values
from workbench.agents.choices import check_critic
from workbench.errors import WorkbenchError
from workbench.selection import select
from workbench.types import Budget, Key
from workbench.verifiers import Rule


def as_rule(value: Any) -> Rule:
    """A rule from its text; raises what `Rule.parse` raises, and `WorkbenchError` for what is no text."""
    if not isinstance(value, str | Rule):
        raise WorkbenchError(f"a rule of choosing is a text such as 'elite:0.5', not {value!r}.")
    return Rule.parse(str(value))


def made(
    rule: Rule,
    nets: Mapping[str, Any],
    x: Float[Array, "batch obs"],
    a: Float[Array, "cand batch act"],
    *more: Float[Array, " batch"],
    key: Key,
) -> Float[Array, "batch act"]:
    r"""One action a row, made of its candidates as a rule says.

    Candidates are judged by `nets`, the critics as they learn, and not by their averages, whose value of the action is
    the target: best-of-N in the target with the argmax of $Q$ and the value of $\bar Q$ (arXiv 2507.07969). No gradient
    passes through what they are judged by. `more` is what the critic wants beside x and a.
    """
    budget = Budget.exactly(1, len(a), str(rule))

    def row(x: Float[Array, " obs"], a: Float[Array, "cand act"], key: Key, *more: Float[Array, ""]) -> Any:
        q = stop(jax.vmap(lambda each: judge(nets, budget, x, each, *more))(a))
        return select(budget.selection, a, q, jnp.ones(len(a), bool), budget.dial, key=key)

    return jax.vmap(row)(x, jnp.swapaxes(a, 0, 1), jax.random.split(key, len(x)), *more)


class AbstractSampling(AbstractBaseline):
    r"""A baseline whose TD target asks for actions that its policy draws.

    $$y = r + \gamma\, \mathrm{mask}\, \big(\mathrm{agg}_i - k\, \mathrm{std}_i\big)\, \bar Q_i(x', a')$$

    a' is made of `n_td` samples as `td_rule` says, the text of a `Rule`; with 1 it is that sample. k is
    `td_deviations`: how many deviations of the target critics (of the population) a target lies below what `pessimism`
    makes of them, 0 in the papers of these agents.
    """

    n_td: int = optional_field(1)
    td_rule: Rule = optional_field(Rule(), converter=as_rule)
    td_deviations: float = optional_field(0.0)

    def __check_init__(self) -> None:
        check_critic(self.td_rule.verifier, ())

    def next_values(
        self,
        state: TrainState,
        x: Float[Array, "batch obs"],
        sample: Callable[[Key], Float[Array, "batch act"]],
        *,
        key: Key,
    ) -> Float[Array, " batch"]:
        """What the target critics say of the next action of each row; `sample` draws one a row."""
        if self.n_td == 1:
            a = sample(key)
        else:
            keys = jnp.stack([key, *(jax.random.fold_in(key, i) for i in range(1, self.n_td))])
            a = made(self.td_rule, state.nets, x, jax.vmap(sample)(keys), key=jax.random.fold_in(key, SELECTING))
        return values(state.targets["critic"], x, a, self.pessimism, self.td_deviations)
