"""From an agent to what acts: one call for every live episode of an evaluation, or one decision at a time."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from workbench.agents.base import AbstractAgent, TrainState, check_effort
from workbench.agents.choices import check_critic, check_rule
from workbench.evaluate.anytime import Anytime
from workbench.evaluate.cell import Cell
from workbench.evaluate.flow_path import chosen_path, has_flow
from workbench.train import one_seed
from workbench.types import Budget, Decision
from workbench.verifiers import VERIFIERS

TIMED_CALLS = 20


class Choice(eqx.Module):
    """What a policy answers: actions, and the critic's value of each by the cell's own verifier.

    The others hold one array a cell, because N and M_inf differ, and are empty unless asked for: every candidate and
    its value, and in `flow` the Euler path of the chosen action, if the agent plays by a flow.
    """

    a: Float[Array, "seed cell lane act"]
    q: Float[Array, "seed cell lane"]
    candidates: tuple[Float[Array, "seed lane _cand act"], ...]
    q_candidates: tuple[Float[Array, "seed lane _cand"], ...]
    flow: tuple[Float[Array, "seed lane _time act"], ...] = ()


Observations: TypeAlias = Float[Array | np.ndarray, "seed cell lane obs"]
Policy: TypeAlias = Callable[[Observations, Key[Array, "seed cell lane"]], Choice]
Controller: TypeAlias = Callable[[Float[Array | np.ndarray, " obs"], Budget, Key[Array, ""]], Decision]


def make_policy(agent: AbstractAgent, state: TrainState, cells: Sequence[Cell], *, diagnostics: bool = False) -> Policy:
    """One jitted call for all seeds, cells and lanes; `state` has a leading `seed` axis.

    Each cell's budget is compiled in, so a policy costs exactly its cells' steps and candidates. Compiled programs are
    shared by the checkpoints of a run. `diagnostics` adds the candidates, their values and flow paths to the answer.

    Raises `WorkbenchError` for a cell whose verifier or selection is not registered, or not as it was, and for one
    whose critic the agent has not.
    """
    for cell in cells:
        check_rule(cell.verifier, state.nets)
    apart, arrays = _take_apart(agent, state)
    return partial(_decide, apart, tuple(cells), diagnostics, arrays)


def make_controller(agent: AbstractAgent, state: TrainState, *, deadline_ms: float | None = None) -> Controller:
    """One jitted call for one observation; `state` is of one seed. Only another `n_max` compiles again.

    With a deadline a budget is the most that is spent, and a decision is the best that is found in time on this
    machine (`anytime.Anytime`, which says what it raises). A decision raises `WorkbenchError` for a budget with an
    `eps` where the agent is no shortcut, and for one whose verifier asks a critic that the agent has not.
    """
    apart, arrays = _take_apart(agent, state)

    def control(x: Float[Array | np.ndarray, " obs"], budget: Budget, key: Key[Array, ""]) -> Decision:
        check_critic(list(VERIFIERS)[int(budget.verifier)], state.nets)
        decision = _act(apart, arrays, x, budget, key)
        check_effort(budget, decision.steps)
        return decision

    return control if deadline_ms is None else Anytime(control, deadline_ms)


class _Apart(NamedTuple):
    """Agent and state without their arrays: what a call is compiled for, equal for all checkpoints of a run."""

    structure: Any
    others: tuple[Any, ...]


def _take_apart(agent: AbstractAgent, state: TrainState) -> tuple[_Apart, list[Array | None]]:
    """What is fixed, and the arrays. Done once: at each of thousands of calls it would take a third of the time."""
    leaves, structure = jax.tree.flatten((agent, state))
    arrays, others = eqx.partition(leaves, eqx.is_array)
    return _Apart(structure, tuple(others)), arrays


def _put_together(apart: _Apart, arrays: list[Array | None]) -> tuple[AbstractAgent, TrainState]:
    return jax.tree.unflatten(apart.structure, eqx.combine(arrays, list(apart.others)))


@partial(jax.jit, static_argnums=0)
def _act(
    apart: _Apart, arrays: list[Array | None], x: Float[Array, " obs"], budget: Budget, key: Key[Array, ""]
) -> Decision:
    agent, state = _put_together(apart, arrays)
    return agent.act(state, x, budget, key=key)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _decide(
    apart: _Apart,
    cells: tuple[Cell, ...],
    diagnostics: bool,
    arrays: list[Array | None],
    x: Float[Array, "seed cell lane obs"],
    keys: Key[Array, "seed cell lane"],
) -> Choice:
    agent, state = _put_together(apart, arrays)
    flows = diagnostics and has_flow(state)
    answers = [_decide_cell(agent, state, cell, x[:, i], keys[:, i], flows) for i, cell in enumerate(cells)]
    decisions = [decision for decision, _ in answers]
    return Choice(
        a=jnp.stack([each.a for each in decisions], axis=1),
        q=jnp.stack([each.q for each in decisions], axis=1),
        candidates=tuple(each.candidates for each in decisions) if diagnostics else (),
        q_candidates=tuple(each.q_candidates for each in decisions) if diagnostics else (),
        flow=tuple(path for _, path in answers if path is not None),
    )


def _decide_cell(
    agent: AbstractAgent,
    state: TrainState,
    cell: Cell,
    x: Float[Array, "seed lane obs"],
    keys: Key[Array, "seed lane"],
    flows: bool,
) -> tuple[Decision, Float[Array, "seed lane time act"] | None]:
    """Decisions with leading `seed` and `lane` axes, and the paths of the chosen actions if `flows`."""
    budget = cell.budget()

    def act(state: TrainState, x: Float[Array, " obs"], key: Key[Array, ""]) -> tuple[Decision, Any]:
        decision = agent.act(state, x, budget, key=key)
        return decision, chosen_path(state, x, cell.m_inf, key, decision) if flows else None

    lanes = eqx.filter_vmap(act, in_axes=(None, 0, 0))
    return eqx.filter_vmap(lanes, in_axes=(eqx.if_array(0), 0, 0))(state, x, keys)


@jax.jit
def noise_keys(
    key_seed: Int[Array, ""],
    seeds: Int[Array, " seed"],
    episode: Int[Array, "seed cell lane"],
    step: Int[Array, "seed cell lane"],
) -> Key[Array, "seed cell lane"]:
    """The key of one decision's noise, folded from (seed, episode, step) alone.

    Cells share it, so that they are compared on the same noise; lanes and workers do not enter. An idle lane, whose
    episode is −1, gets the key of episode 0 and its action is not used.
    """
    key = jax.random.key(key_seed)
    counts = jnp.broadcast_to(seeds[:, None, None], episode.shape), jnp.maximum(episode, 0), step

    def fold(seed: Int[Array, ""], episode: Int[Array, ""], step: Int[Array, ""]) -> Key[Array, ""]:
        return jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(key, seed), episode), step)

    return jnp.vectorize(fold)(*counts)


def measure_act_ms(agent: AbstractAgent, state: TrainState, cells: Sequence[Cell], obs: int) -> dict[Cell, float]:
    """Milliseconds of one decision for one observation, by cell: the median of twenty warm calls of the first seed.

    The wall time of a call as a controller would see it, dispatch included and compilation not.
    """
    controller = make_controller(agent, one_seed(state))
    x, key = np.zeros(obs, np.float32), jax.random.key(0)

    def milliseconds(cell: Cell) -> float:
        budget = cell.budget()
        jax.block_until_ready(controller(x, budget, key))
        times = []
        for _ in range(TIMED_CALLS):
            start = time.perf_counter()
            jax.block_until_ready(controller(x, budget, key))
            times.append(time.perf_counter() - start)
        return 1e3 * float(np.median(times))

    return {cell: milliseconds(cell) for cell in cells}
