"""What defines a run: the spec, its JSON form and the hash that names its folder."""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax

from workbench.agents.base import AbstractAgent
from workbench.agents.limits import check_setting
from workbench.agents.presets import preset
from workbench.agents.registry import check_sources, sources
from workbench.agents.terms import Term
from workbench.data.dataset import Provenance
from workbench.data.load import environment_of
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.schedules import Formula, WeightSchedule
from workbench.store.knobs import checked_formula, checked_weight, starting_value
from workbench.types import LossWeights

PRECISIONS = {"float32": "float32", "tensorfloat32": "default", "bfloat16": "BF16_BF16_F32"}
"""Of the inputs of matrix products, and what JAX is asked for; sums and parameters are float32, as all is on a CPU.

JAX's own "tensorfloat32" would not do: for an H200 XLA makes kernels in float32 of it, and in tf32 of the default.
"""


REVISION = 2
"""What the agents of this version compute; a run of another has the same settings and other numbers."""

REVISIONS = {
    1: "squared errors of actions were sums over their dimensions, losses stepped in turn, LayerNorm epsilon 1e-5",
    2: "squared errors of actions are means over their dimensions, and all else is as in the released codes",
}


@dataclass(frozen=True)
class RunSpec:
    """Everything the final state of a run depends on; equal specs are the same run.

    `settings` are the agent's fixed fields, `weights` the initial loss weights (a number, or one a seed), `schedule`
    the formulas of those that change (`schedules.Formula`), `code` the SHA-256 of the source of what is a user's own in
    the agent (`registry.sources`). `precision` is one of `PRECISIONS`, or None: what the device does by itself, which
    is float32 on a CPU and tf32 on a GPU that has it. `revision` is one of `REVISIONS`: which mathematics the agents
    had.

    Bit for bit the state depends on the machine, too: XLA cuts products by the number of cores that it may use, and
    their sums are rounded as they were cut. A run keeps that number in `env.json`.
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
    code: dict[str, str] = dataclasses.field(default_factory=dict)
    precision: str | None = None
    revision: int = 1
    schedule: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values only; what older runs do not have is left out where it says nothing."""
        value = json.loads(json.dumps(dataclasses.asdict(self)))
        without: dict[str, Any] = {"code": {}, "precision": None, "revision": 1, "schedule": {}}
        return {key: each for key, each in value.items() if key not in without or each != without[key]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RunSpec":
        """Inverse of `to_json`."""
        settings = _with_tuples(value["settings"])
        built = {"seeds": tuple(value["seeds"]), "data": Provenance(**value["data"]), "settings": settings}
        return cls(**(value | built))

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits; the free text of the provenance does not count."""
        value = self.to_json()
        value["data"].pop("detail")
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

    def check_data(self, data: Provenance) -> None:
        """Raise `WorkbenchError` unless `data` is what the spec says; the free text does not count."""
        if dataclasses.replace(data, detail="") != dataclasses.replace(self.data, detail=""):
            raise WorkbenchError(
                f"run {self.hash} is of {_words(self.data)}, not of {_words(data)}: give it that data, or make a new "
                "run of this one."
            )

    def build_agent(self) -> AbstractAgent:
        """The agent this spec describes.

        Raises `WorkbenchError` when it has parts of a user's own that are not registered here, or not as they were, and
        when its revision is another than that of this version.
        """
        self._check_revision()
        check_sources(self.hash, self.code)
        return _from_fields(preset(self.agent, self.preset, environment_of(self.task)).agent, self.settings)

    def _check_revision(self) -> None:
        if self.revision != REVISION:
            then = REVISIONS.get(self.revision, "unknown here")
            raise WorkbenchError(
                f"run {self.hash} is of revision {self.revision} of the agents ({then}), and this version computes "
                f"revision {REVISION}: its metrics and episodes can be read, but to go on, train it anew."
            )

    def matmul_precision(self) -> AbstractContextManager[None]:
        """Where matrix products are compiled in this run's precision; the parameters stay float32."""
        return jax.default_matmul_precision(PRECISIONS[self.precision]) if self.precision else nullcontext()

    def build_weights(self) -> LossWeights:
        """The initial loss weights."""
        return LossWeights.named(self.weights)

    def build_schedule(self) -> WeightSchedule | None:
        """How weights change from update to update; None where they stay."""
        return WeightSchedule.of({name: Formula.parse(text) for name, text in self.schedule.items()})


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
    precision: str | None = None,
) -> RunSpec:
    """A spec from a preset; `settings` and `weights` override single fields, by name.

    A weight is a number, a list of one a seed, or the text of a formula over the updates (`schedules.Formula`).
    Loss terms of a user's own are a setting of SORL, `{"terms": ("name",)}`, and each a weight under its name.

    Raises `WorkbenchError` for a field that does not exist, a weight that the agent does not use or that is no number,
    no seeds, or a weight list that is not one a seed; `UnknownNameError` for another precision.
    """
    if precision is not None:
        _check_names("precision", [precision], PRECISIONS)
    if not seeds or len(set(seeds)) != len(seeds):
        raise WorkbenchError(f"seeds must be one or more different numbers, not {list(seeds)}.")
    if not all(0 <= seed < 2**31 for seed in seeds):
        raise WorkbenchError(f"seeds must lie between 0 and 2^31 - 1, not {list(seeds)}: environments take no others.")
    for label, count in (("steps", steps), ("batch_size", batch_size)):
        if count is not None and count < 1:
            raise WorkbenchError(f"{label} must be at least 1, not {count}.")
    chosen = preset(agent, preset_name, environment_of(task))
    changes = _changes(chosen.agent, settings or {})
    built = _from_fields(chosen.agent, changes)
    own_weights = {name: starting_value(chosen, name) for name in built.knobs}
    for name in weights or {}:
        if name in chosen.weights and name not in own_weights:
            knobs = ", ".join(own_weights)
            raise WorkbenchError(f"agent '{agent}' has no loss weight '{name}': its knobs are {knobs}.")
    _check_names("loss weight", weights or {}, own_weights)
    formulas = {name: checked_formula(name, text) for name, text in (weights or {}).items() if isinstance(text, str)}
    starts = {name: formula.values[0] for name, formula in formulas.items()}
    return RunSpec(
        task=task,
        agent=agent,
        preset=preset_name,
        settings=_to_fields(chosen.agent) | changes,
        weights=own_weights
        | {name: checked_weight(name, value, len(seeds)) for name, value in ((weights or {}) | starts).items()},
        batch_size=chosen.batch_size if batch_size is None else batch_size,
        seeds=tuple(seeds),
        steps=steps,
        data=data,
        code=sources(agent, built),
        precision=precision,
        revision=REVISION,
        schedule={name: str(formula) for name, formula in sorted(formulas.items()) if len(formula.values) > 1},
    )


def _words(data: Provenance) -> str:
    seed = "" if data.seed is None else f", seed {data.seed}"
    return f"{data.kind} data '{data.name}' (sha256 {data.sha256}{seed})"


def _fields(module: Any) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(module)


def _check_names(what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(what, name, known)


def _changes(module: eqx.Module, settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` as they are recorded; those of optional fields that change nothing are left out."""
    _check_settings(module, settings)
    fields = {field.name: field for field in _fields(module)}
    plain = {name: _plain(value) for name, value in _with_tuples(settings).items()}
    return {name: value for name, value in plain.items() if not _is_left_out(fields[name], value)}


def _check_settings(module: eqx.Module, settings: dict[str, Any], prefix: str = "") -> None:
    """Raise for settings that are no fields of a module, or of a module in it, or may not have that value."""
    fields = {field.name: field for field in _fields(module)}
    for name, value in settings.items():
        _check_names("agent setting", [f"{prefix}{name}"], [f"{prefix}{each}" for each in fields])
        inner = getattr(module, name)
        nested = isinstance(inner, eqx.Module)
        if nested and isinstance(value, dict):
            _check_settings(inner, value, f"{prefix}{name}.")
        elif nested != isinstance(value, dict | eqx.Module):
            wanted = f"a table such as {_to_fields(inner)}" if nested else f"a value such as {inner!r}"
            raise WorkbenchError(f"agent setting '{prefix}{name}' must be {wanted}, not {value!r}.")
        elif not nested:
            check_setting(fields[name], value, prefix)


def _to_fields(module: eqx.Module) -> dict[str, Any]:
    """Static fields of a module as plain values; nested modules become nested mappings."""
    values = {field.name: (field, _plain(getattr(module, field.name))) for field in _fields(module)}
    return {name: value for name, (field, value) in values.items() if not _is_left_out(field, value)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(each.name if isinstance(each, Term) else each for each in value)
    return _to_fields(value) if isinstance(value, eqx.Module) else value


def _is_left_out(field: dataclasses.Field, value: Any) -> bool:
    """Whether a field is `optional_field` and has its default: specs of older runs know nothing of it."""
    return bool(field.metadata.get("optional")) and value == field.default


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where static fields have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _from_fields(module: Any, values: dict[str, Any]) -> Any:
    """`module` with fields replaced by `values`, recursively, and its checks run again."""
    changes = {
        name: _from_fields(getattr(module, name), value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
    return dataclasses.replace(module, **changes)
