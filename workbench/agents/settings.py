"""Per-environment settings of the papers' experiments, as data."""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Coefficients:
    """What the FQL paper (arXiv 2502.02538, tables 5 and 6) tunes for each baseline on an environment's default task.

    Those of `iql` and `fawac` are inverse temperatures, of `rebrac` (β_1, β_2), of `fbrac` and `fql` the weight of
    imitation against Q, of `srpo` and `cac` the weight of Q; `idql_n` and `ifql_n` count candidates. `level` is the
    expectile of IDQL, 0.7 for locomotion and 0.9 for manipulation, lent to SRPO, whose own we do not know.
    `guesses` names the fields whose value is not from there.
    """

    iql: float
    rebrac: tuple[float, float]
    idql_n: int
    srpo: float
    cac: float
    fawac: float
    fbrac: float
    ifql_n: int
    fql: float
    level: float
    guesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentSettings:
    """What the released code changes from one environment to the next.

    `ql` is the weight of SORL's Q loss, `gamma` the discount, `pessimism` the aggregation of the target critics (0
    mean, 1 min), `default_task` the task hyperparameters were tuned on, `baselines` the coefficients of the other
    agents. `source` says where the values are from.
    """

    ql: float
    gamma: float
    pessimism: float
    default_task: int
    baselines: Coefficients
    source: str = "released code"


_WHOLE = ("default_task", "idql_n", "ifql_n")


def _read(row: dict[str, str]) -> EnvironmentSettings:
    """A row of `settings.csv`: its columns are the fields above, two of them for the pair of ReBRAC."""
    texts = {name: text for name, text in row.items() if name not in ("environment", "guesses")}
    values: dict[str, Any] = {name: int(text) if name in _WHOLE else float(text) for name, text in texts.items()}
    own = {name: values.pop(name) for name in ("ql", "gamma", "pessimism", "default_task")}
    rebrac = values.pop("rebrac_alpha"), values.pop("rebrac_beta")
    guesses = tuple(row["guesses"].split())
    return EnvironmentSettings(**own, baselines=Coefficients(**values, rebrac=rebrac, guesses=guesses))


with open(Path(__file__).with_name("settings.csv"), newline="") as _file:
    ENVIRONMENTS = {row["environment"]: _read(row) for row in csv.DictReader(_file)}
"""The eight environments of the paper (play or navigate data), from `settings.csv`.

The guesses of antsoccer-arena: `iql`, `rebrac` and `ifql_n` are from the FQL paper's table of fine-tuning online, the
others antmaze-giant's.
"""

_FAMILY_GUESS = {
    "antmaze": "antmaze-large",
    "pointmaze": "antmaze-large",
    "humanoidmaze": "humanoidmaze-large",
    "antsoccer": "antsoccer-arena",
    "cube": "cube-double",
    "puzzle": "scene",
    "minari": "antmaze-large",
    "own": "cube-single",
}
_COEFFICIENTS = tuple(field.name for field in dataclasses.fields(Coefficients) if field.name != "guesses")
_TOY = EnvironmentSettings(
    ql=5.0,
    gamma=0.99,
    pessimism=0.0,
    default_task=1,
    baselines=Coefficients(
        iql=3.0,
        rebrac=(0.1, 0.0),
        idql_n=32,
        srpo=0.3,
        cac=1.0,
        fawac=3.0,
        fbrac=1.0,
        ifql_n=32,
        fql=1.0,
        level=0.9,
        guesses=_COEFFICIENTS,
    ),
    source="one step, so the discount does not count",
)


def environment_settings(environment: str) -> EnvironmentSettings:
    """Settings of an environment such as `cube-single`; others borrow a relative's, marked as a guess.

    Raises `WorkbenchError` when there is no relative.
    """
    if environment in ENVIRONMENTS:
        return ENVIRONMENTS[environment]
    if environment == "toy":
        return _TOY
    relative = _FAMILY_GUESS.get(environment.split("-")[0])
    if relative is None:
        raise WorkbenchError(
            f"no settings for environment '{environment}': give --weights.ql and --weights.gamma yourself."
        )
    near = ENVIRONMENTS[relative]
    borrowed = dataclasses.replace(near.baselines, guesses=_COEFFICIENTS)
    return dataclasses.replace(near, baselines=borrowed, source=f"a guess, from {relative}")
