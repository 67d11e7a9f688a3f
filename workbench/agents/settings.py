"""Per-environment settings of the papers' experiments, as data."""

import dataclasses
from dataclasses import dataclass

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Coefficients:
    """What the FQL paper (arXiv 2502.02538, tables 5 and 6) tunes for each baseline on an environment's default task.

    Those of `iql` and `fawac` are inverse temperatures, of `rebrac` (β_1, β_2), of `fbrac` and `fql` the weight of
    imitation against Q, of `srpo` and `cac` the weight of Q; `idql_n` and `ifql_n` count candidates. `level` is the
    expectile of IDQL, lent to SRPO, whose own we do not know. `guesses` names the fields whose value is not from there.
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


WALK, GRASP = 0.7, 0.9
"""Expectiles of IDQL for locomotion and for manipulation."""

_SOCCER_GUESSES = ("iql", "rebrac", "idql_n", "srpo", "cac", "fawac", "fbrac", "ifql_n")
"""The first two and `ifql_n` are from the FQL paper's table of fine-tuning online, the others antmaze-giant's."""

ENVIRONMENTS = {
    "antmaze-large": EnvironmentSettings(
        *(500.0, 0.99, 1.0, 1), Coefficients(10.0, (0.003, 0.01), 32, 0.3, 1.0, 3.0, 3.0, 32, 10.0, WALK)
    ),
    "antmaze-giant": EnvironmentSettings(
        *(500.0, 0.995, 1.0, 1), Coefficients(10.0, (0.003, 0.01), 32, 0.3, 1.0, 3.0, 10.0, 32, 10.0, WALK)
    ),
    "humanoidmaze-medium": EnvironmentSettings(
        *(100.0, 0.995, 0.0, 1), Coefficients(10.0, (0.01, 0.01), 32, 0.3, 0.03, 3.0, 30.0, 32, 30.0, WALK)
    ),
    "humanoidmaze-large": EnvironmentSettings(
        *(500.0, 0.995, 0.0, 1), Coefficients(10.0, (0.01, 0.01), 32, 0.3, 1.0, 3.0, 30.0, 32, 30.0, WALK)
    ),
    "antsoccer-arena": EnvironmentSettings(
        *(500.0, 0.995, 0.0, 4),
        Coefficients(1.0, (0.01, 0.01), 32, 0.3, 1.0, 3.0, 10.0, 64, 10.0, WALK, _SOCCER_GUESSES),
    ),
    "cube-single": EnvironmentSettings(
        *(10.0, 0.99, 0.0, 2), Coefficients(1.0, (1.0, 0.0), 32, 0.03, 0.003, 1.0, 100.0, 32, 300.0, GRASP)
    ),
    "cube-double": EnvironmentSettings(
        *(50.0, 0.99, 0.0, 2), Coefficients(0.3, (0.1, 0.0), 32, 0.1, 0.3, 0.3, 100.0, 32, 300.0, GRASP)
    ),
    "scene": EnvironmentSettings(
        *(100.0, 0.99, 0.0, 2), Coefficients(10.0, (0.1, 0.01), 32, 0.1, 0.3, 0.3, 100.0, 32, 300.0, GRASP)
    ),
}
"""The eight environments of the paper (play or navigate data)."""

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
    *(1.0, 0.99, 0.0, 1),
    Coefficients(3.0, (0.1, 0.0), 32, 0.3, 1.0, 3.0, 1.0, 32, 1.0, GRASP, _COEFFICIENTS),
    "one step, so the discount does not count",
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
