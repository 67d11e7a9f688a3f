"""What defines a run: the spec, its JSON form and the hash that names its folder."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array

from workbench.agents.base import AbstractAgent
from workbench.agents.presets import preset
from workbench.data.dataset import Provenance
from workbench.data.load import environment_of
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.types import LossWeights


@dataclass(frozen=True)
class RunSpec:
    """Everything the final state of a run depends on; equal specs are the same run.

    `settings` are the agent's fixed fields, `weights` the initial loss weights (a number, or one a seed).
    """

    task: str
    agent: str
    preset: str
    settings: dict[str, Any]
    weights: dict[str, Any]
    batch_size: int
    seeds: tuple[int, ...]
    steps: int
    data: Provenance

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RunSpec":
        """Inverse of `to_json`."""
        return cls(**(value | {"seeds": tuple(value["seeds"]), "data": Provenance(**value["data"])}))

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits; the free text of the provenance does not count."""
        value = self.to_json()
        value["data"].pop("detail")
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

    def build_agent(self) -> AbstractAgent:
        """The agent this spec describes."""
        return _from_fields(preset(self.agent, self.preset, environment_of(self.task)).agent, self.settings)

    def build_weights(self) -> LossWeights:
        """The initial loss weights."""
        return LossWeights(**self.weights)


def make_spec(
    task: str,
    data: Provenance,
    *,
    agent: str = "sorl",
    preset_name: str = "paper",
    seeds: tuple[int, ...] = (0,),
    steps: int = 1_000_000,
    settings: dict[str, Any] | None = None,
    weights: dict[str, Any] | None = None,
    batch_size: int | None = None,
) -> RunSpec:
    """A spec from a preset; `settings` and `weights` override single fields, by name.

    Raises `WorkbenchError` for a field that does not exist, a weight that the agent does not use, no seeds, or a weight
    list that is not one a seed.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise WorkbenchError(f"seeds must be one or more different numbers, not {list(seeds)}.")
    for label, count in (("steps", steps), ("batch_size", batch_size)):
        if count is not None and count < 1:
            raise WorkbenchError(f"{label} must be at least 1, not {count}.")
    chosen = preset(agent, preset_name, environment_of(task))
    own_weights = {name: _shortest(getattr(chosen.weights, name)) for name in chosen.agent.knobs}
    for name, value in (weights or {}).items():
        if hasattr(chosen.weights, name) and name not in own_weights:
            knobs = ", ".join(own_weights)
            raise WorkbenchError(f"agent '{agent}' has no loss weight '{name}': its knobs are {knobs}.")
        _check_range(name, value)
        if isinstance(value, list | tuple) and len(value) != len(seeds):
            raise WorkbenchError(f"a weight given as a list needs one value a seed: {len(seeds)}, not {len(value)}.")
    spec = RunSpec(
        task=task,
        agent=agent,
        preset=preset_name,
        settings=_override(_to_fields(chosen.agent), settings or {}, "agent setting"),
        weights=_override(own_weights, weights or {}, "loss weight"),
        batch_size=chosen.batch_size if batch_size is None else batch_size,
        seeds=tuple(seeds),
        steps=steps,
        data=data,
    )
    spec.build_agent()
    return spec


def _fields(module: Any) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(module)


RANGES = {"gamma": (0.0, 1.0), "tau": (0.0, 1.0), "lr": (0.0, math.inf)}
"""Closed ranges of the rates; the weights of the losses may be any number."""


def _check_range(name: str, value: Any) -> None:
    low, high = RANGES.get(name, (-math.inf, math.inf))
    for number in value if isinstance(value, list | tuple) else [value]:
        if not low <= number <= high:
            raise WorkbenchError(f"{name} must lie between {low:g} and {high:g}, not {number:g}.")


def _shortest(value: Array) -> float:
    """The shortest decimal number that is this float32: 0.98, not 0.980000019."""
    return float(str(np.float32(value)))


def _override(own: dict[str, Any], changes: dict[str, Any], what: str) -> dict[str, Any]:
    for name in changes:
        if name not in own:
            raise UnknownNameError(what, name, own)
    return own | changes


def _to_fields(module: eqx.Module) -> dict[str, Any]:
    """Static fields of a module as plain values; nested modules become nested mappings."""
    values = {field.name: getattr(module, field.name) for field in _fields(module)}
    return {name: _to_fields(value) if isinstance(value, eqx.Module) else value for name, value in values.items()}


def _from_fields(module: Any, values: dict[str, Any]) -> Any:
    """`module` with fields replaced by `values`, recursively, and its checks run again."""
    changes = {
        name: _from_fields(getattr(module, name), value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
    return dataclasses.replace(module, **changes)
