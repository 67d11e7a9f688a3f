"""Interventions: what was changed by hand, and at which update; and training that repeats them to the last bit."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from workbench.agents.base import AbstractAgent, TrainState
from workbench.data.dataset import Dataset
from workbench.errors import WorkbenchError
from workbench.experiments import train_piece
from workbench.live.snapshot import Settings, Value, checked_value
from workbench.paths import atomic_write
from workbench.store.spec import RunSpec


@dataclass(frozen=True)
class Intervention:
    """A control that was moved: the first `step` updates had its `old` value, those that follow have its `new` one.

    `gesture` names the movement of a hand that this is a part of, such as one drag of a slider; code has none. Nothing
    that is learned depends on it.
    """

    step: int
    name: str
    old: Value
    new: Value
    gesture: str = ""


def differences(step: int, old: Settings, new: Settings, gestures: Mapping[str, str] = {}) -> list[Intervention]:
    """The interventions that lead from one record of settings to another; `gestures` are those by control."""
    before = old.values
    return [
        Intervention(step, name, before[name], value, gestures.get(name, ""))
        for name, value in new.pairs
        if value != before[name]
    ]


def apply(settings: Settings, interventions: Sequence[Intervention]) -> Settings:
    """Settings after interventions, in order; raises `WorkbenchError` where a record does not fit the one before."""
    values = settings.values
    for each in interventions:
        if values.get(each.name) != each.old:
            raise WorkbenchError(
                f"the interventions are not whole: at update {each.step} {each.name} is changed from {each.old}, but "
                f"it was {values.get(each.name, 'no control')}; use the file as it was saved."
            )
        values[each.name] = each.new
    return settings.changed(values)


def before(interventions: Sequence[Intervention], step: int) -> list[Intervention]:
    """Those that came before the first `step` updates were done: a state after them depends on no others."""
    return [each for each in interventions if each.step < step]


def around(start: Settings, interventions: Sequence[Intervention], step: int) -> tuple[Settings, Settings]:
    """The settings that led to an update, and those that led on from it."""
    return apply(start, before(interventions, step)), apply(start, before(interventions, step + 1))


def stretches(
    start: Settings, interventions: Sequence[Intervention], first: int, until: int
) -> Iterator[tuple[Settings, int]]:
    """Settings, and the update up to which they hold, from update `first` to `until`."""
    past = [each for each in interventions if each.step <= first]
    settings = apply(start, past)
    for step, group in groupby(interventions[len(past) :], key=lambda each: each.step):
        if step >= until:
            break
        yield settings, step
        settings = apply(settings, list(group))
    yield settings, until


def replay(
    spec: RunSpec,
    agent: AbstractAgent,
    data: Dataset,
    state: TrainState,
    interventions: Sequence[Intervention],
    until: int,
    *,
    piece: int = 200,
    on_piece: Callable[[int], None] = lambda step: None,
) -> TrainState:
    """Train on from `state` up to update `until` with a schedule of interventions; no thread, no notebook.

    `spec` has the settings of update 0, and `interventions` are all that followed, also those before `state`. On CPU
    the result is that of the recorded training bit for bit, because cutting training into pieces changes nothing.
    `on_piece(step)` is called after every `piece` updates at most. Raises `WorkbenchError` as `apply` does.
    """
    step = int(state.step[0])
    for settings, end in stretches(Settings.of(spec), interventions, step, until):
        weights = settings.weights()
        while step < end:
            steps = min(piece, end - step)
            state, _ = train_piece(spec, agent, data, weights, state, steps)
            step += steps
            on_piece(step)
    return state


def to_records(interventions: Sequence[Intervention]) -> list[dict[str, Any]]:
    """Plain values; a gesture only where there was one."""
    whole = [asdict(each) for each in interventions]
    return [{key: value for key, value in each.items() if key != "gesture" or value} for each in whole]


def from_records(records: Sequence[Any]) -> list[Intervention]:
    """Inverse of `to_records`; raises `WorkbenchError` for anything else."""
    found: list[Intervention] = []
    for record in records:
        try:
            name, step = str(record["name"]), int(record["step"])
            old, new = (checked_value(name, record[key]) for key in ("old", "new"))
        except (KeyError, TypeError, ValueError):
            raise WorkbenchError(f"an intervention needs step, name, old and new, not {record}.") from None
        if step < (found[-1].step if found else 0):
            raise WorkbenchError(f"interventions must be in the order of their updates: {step} comes too late.")
        found.append(Intervention(step, name, old, new, str(record.get("gesture", ""))))
    return found


def write_jsonl(path: Path, interventions: Sequence[Intervention]) -> None:
    """Write one JSON record a line, atomically."""
    with atomic_write(path) as file:
        file.write("".join(json.dumps(each) + "\n" for each in to_records(interventions)).encode())


def read_jsonl(path: Path) -> list[Intervention]:
    """Read what `write_jsonl` wrote; no file is no interventions. Raises `WorkbenchError` for a damaged one."""
    if not path.exists():
        return []
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        raise WorkbenchError(f"{path} is damaged: a line of it is not JSON.") from None
    return from_records(records)
