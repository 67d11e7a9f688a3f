"""One line of training: its state, its settings, what was changed when, and states kept in memory to go back to."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import numpy as np

from workbench.agents.base import TrainState
from workbench.agents.next_action import check_next_actions
from workbench.compile_cache import release_programs
from workbench.data.dataset import Dataset
from workbench.errors import DivergedError, WorkbenchError
from workbench.experiments import train_piece
from workbench.live.history import History
from workbench.live.interventions import Intervention, apply, around, before, differences, replay
from workbench.live.snapshot import Dials, Settings, Value
from workbench.store.spec import RunSpec, make_spec
from workbench.train import init_seeds

KEPT = 32
"""Most states a branch keeps in memory."""

KEPT_BYTES = 512 * 2**20
"""Most bytes of them, of all branches of a trainer; each keeps at least four states, however large."""


class Kept:
    """States by update, evenly thinned: when too many, every second goes and new ones come half as often.

    Arrays of a state never change, so keeping one copies nothing, and branches share those of their common past.
    """

    def __init__(self, most: int, every: int = 100) -> None:
        self.most, self.every = most, every
        self.states: dict[int, TrainState] = {}

    def fit(self, state: TrainState, room: int) -> None:
        """Keep as many like `state` as fit into `room` bytes, between four and `KEPT`."""
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(state, eqx.is_array)))
        self.most = max(4, min(KEPT, room // size))
        self._thin()

    def offer(self, step: int, state: TrainState) -> None:
        """Keep a state where the last one kept is `every` updates or more behind."""
        if self.states and step - max(self.states) < self.every:
            return
        self.states[step] = state
        self._thin()

    def _thin(self) -> None:
        while len(self.states) > self.most:
            self.every *= 2
            kept: dict[int, TrainState] = {}
            for at, each in sorted(self.states.items()):
                if not kept or at - max(kept) >= self.every:
                    kept[at] = each
            self.states = kept

    def until(self, step: int) -> "Kept":
        """Those up to and including `step`."""
        new = Kept(self.most, self.every)
        new.states = {at: state for at, state in self.states.items() if at <= step}
        return new


class Branch:
    """A run that is steered. All methods belong to the trainer's thread; attributes may be read in any.

    `interventions` are all since update 0, those before `forked_at` shared with the parent, and `start` are the
    settings of update 0, so a branch can be replayed from its own record alone. `history` begins at `forked_at`.
    A rewind replaces `history` and `interventions` and counts in `rewinds`; an evaluation replaces `history`; else they
    only grow. `active` branches are trained in turn.
    """

    def __init__(self, name: str, spec: RunSpec, state: TrainState) -> None:
        self.name, self.spec, self.agent = name, spec, spec.build_agent()
        self.start = self.settings = Settings.of(spec)
        self.dials = Dials(self.start)
        self.state = state
        self.step = int(state.step[0])
        self.history = History()
        self.interventions: list[Intervention] = []
        self.parent: str | None = None
        self.forked_at: int | None = None
        self.active = True
        self.rewinds = 0
        self.chunk = 1
        self.kept = Kept(KEPT)
        self.kept.offer(self.step, state)
        self._weights = self.start.weights()
        self._began: Settings | None = None
        self._measured: dict[tuple[int, tuple[str, ...]], Settings] = {}

    @classmethod
    def fresh(cls, name: str, spec: RunSpec, data: Dataset) -> "Branch":
        """A branch at update 0."""
        release_programs()
        agent = spec.build_agent()
        check_next_actions(agent, data)
        return cls(name, spec, init_seeds(agent, data.example(), spec.seeds))

    def arrive(self, state: TrainState, interventions: list[Intervention]) -> None:
        """Be where a record says: at a state, after all interventions that led to it."""
        self.state, self.step, self.interventions = state, int(state.step[0]), interventions
        self.kept.offer(self.step, state)
        self._take(apply(self.start, interventions))

    def compile(self, data: Dataset) -> None:
        """Compile the update without making one."""
        jax.block_until_ready(train_piece(self.spec, self.agent, data, self._weights, self.state, 0))

    def advance(self, data: Dataset, steps: int) -> dict[str, float]:
        """Put the dials into effect, record what that changes, and train `steps` updates; returns their mean metrics.

        The caller adds them to `history`. Raises `DivergedError` where a metric stops being finite; the branch is then
        as it was before these updates.
        """
        self.follow_dials()
        state, report = train_piece(self.spec, self.agent, data, self._weights, self.state, steps)
        report = jax.device_get(report)
        failure = report.failure()
        if failure is not None:
            step, terms = failure
            raise DivergedError(
                f"branch '{self.name}' stopped being finite at update {step} in {', '.join(terms)}; its state of "
                f"update {self.step} is kept: lower the learning rate or the weight of the Q loss, or rewind, and "
                "start again."
            )
        self.state, self.step = state, self.step + steps
        self.kept.offer(self.step, state)
        return {name: float(np.mean(value)) for name, value in report.mean.items()}

    def follow_dials(self) -> bool:
        """Put the dials into effect and record what that changes; returns whether it changes anything."""
        asked, gestures = self.dials.asked()
        if asked == self.settings:
            return False
        self.interventions.extend(differences(self.step, self.settings, asked, gestures))
        self.settings = asked
        self._weights = asked.weights()
        return True

    def state_at(self, data: Dataset, step: int, on_piece: Callable[[int], None]) -> TrainState:
        """The state after exactly `step` updates: the nearest one kept, then the recorded updates again.

        Raises `WorkbenchError` for an update that is not between 0 and the branch's own.
        """
        if not 0 <= step <= self.step:
            raise WorkbenchError(f"branch '{self.name}' has updates 0 to {self.step:,}, so it cannot go to {step:,}.")
        if step == self.step:
            return self.state
        near = max(at for at in self.kept.states if at <= step)
        return replay(
            self.spec,
            self.agent,
            data,
            self.kept.states[near],
            self.interventions,
            step,
            piece=self.chunk,
            on_piece=on_piece,
        )

    def rewind(self, data: Dataset, step: int, on_piece: Callable[[int], None] = lambda step: None) -> None:
        """Go back to `step` exactly, with the settings that led to it; what came later is forgotten.

        So is what was measured up to there under settings that no update was trained with, or none any more.
        """
        self.state = self.state_at(data, step, on_piece)
        self.step, self.rewinds = step, self.rewinds + 1
        self.interventions = before(self.interventions, step)
        self._measured = {key: settings for key, settings in self._measured.items() if key[0] <= step}
        undone = [key for key, settings in self._measured.items() if settings not in self._around(key[0])]
        for key in undone:
            del self._measured[key]
        self.history = self.history.until(step).without(undone)
        self.kept = self.kept.until(step)
        self.kept.offer(step, self.state)
        if self.forked_at is not None and step < self.forked_at:
            self.forked_at, self._began = step, None
        self._take(apply(self.start, self.interventions))

    def fork(
        self, data: Dataset, step: int, name: str, on_piece: Callable[[int], None] = lambda step: None
    ) -> "Branch":
        """A second branch from `step` of this one, with dials of its own.

        Forked at this branch's last update it takes its dials as they stand, else the settings that led to `step`.
        """
        child = Branch(name, self.spec, self.state_at(data, step, on_piece))
        child.parent, child.forked_at, child.chunk = self.name, step, self.chunk
        child.interventions = list(self.interventions) if step == self.step else before(self.interventions, step)
        kept = self.kept.until(step)
        kept.offer(step, child.state)
        child.kept = kept
        child._take(apply(child.start, child.interventions))
        if step == self.step:
            child.dials.set(**self.dials.read()[1].values)
        child._began = child.dials.read()[1]
        return child

    def vary(self, data: Dataset, name: str, settings: dict[str, Any]) -> "Branch":
        """A branch from update 0 with other static settings, and the dials of this one.

        Raises `WorkbenchError` for settings that the agent does not have or cannot be trained with.
        """
        spec, dials = self.spec, self.dials.read()[1]
        made = make_spec(
            spec.task,
            spec.data,
            agent=spec.agent,
            preset_name=spec.preset,
            seeds=spec.seeds,
            settings=spec.settings | settings,
            weights={weight: dials.values[weight] for weight in spec.weights},
            batch_size=spec.batch_size,
            precision=spec.precision,
        )
        child = Branch.fresh(name, made, data)
        child.dials.set(n=dials.values["n"], verifier=dials.values["verifier"])
        child._began = child.dials.read()[1]
        return child

    def enter(self, step: int, values: dict[str, float], rewinds: int, settings: Settings) -> None:
        """Add metrics of an earlier update to the history, unless the branch was rewound since it had `rewinds`."""
        if rewinds == self.rewinds:
            self.history = self.history.including(step, values)
            self.measured_under(settings, step, values)

    def measured_under(self, settings: Settings, step: int, names: Iterable[str]) -> None:
        """Remember what dials measured values of the history had, where they are not those that led to the state."""
        self._measured.pop(key := (step, tuple(names)), None)
        if (step, settings) != (self.step, self.settings):
            self._measured[key] = settings

    def _around(self, step: int) -> tuple[Settings, Settings]:
        return around(self.start, self.interventions, step)

    def values_of(self, preset: str | None = None) -> dict[str, Value]:
        """The values of all controls where the branch began, or those of a preset such as `paper`.

        A fork began with the dials that it was made with; one that was loaded, or rewound to before it was made, with
        the settings that led to `forked_at`.
        """
        if preset is None:
            return (self._began or apply(self.start, before(self.interventions, self.forked_at or 0))).values
        spec = self.spec
        made = make_spec(spec.task, spec.data, agent=spec.agent, preset_name=preset, settings=spec.settings)
        return Settings.of(made).values

    def _take(self, settings: Settings) -> None:
        """Put settings into effect that are on record already."""
        self.settings, self._weights = settings, settings.weights()
        self.dials.set(**settings.values)

    def at_length(self) -> RunSpec:
        """The spec of a run that ends where this branch is."""
        return dataclasses.replace(self.spec, steps=max(1, self.step))
