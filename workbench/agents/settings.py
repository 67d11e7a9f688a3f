"""Per-environment settings of the paper's experiments, as data."""

from dataclasses import dataclass

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class EnvironmentSettings:
    """What the released code changes from one environment to the next.

    `ql` is the weight of the Q loss, `gamma` the discount, `pessimism` the aggregation of the target critics (0 mean,
    1 min), `default_task` the task hyperparameters were tuned on. `source` says where the values are from.
    """

    ql: float
    gamma: float
    pessimism: float
    default_task: int
    source: str = "released code"


ENVIRONMENTS = {
    "antmaze-large": EnvironmentSettings(500.0, 0.99, 1.0, 1),
    "antmaze-giant": EnvironmentSettings(500.0, 0.995, 1.0, 1),
    "humanoidmaze-medium": EnvironmentSettings(100.0, 0.995, 0.0, 1),
    "humanoidmaze-large": EnvironmentSettings(500.0, 0.995, 0.0, 1),
    "antsoccer-arena": EnvironmentSettings(500.0, 0.995, 0.0, 4),
    "cube-single": EnvironmentSettings(10.0, 0.99, 0.0, 2),
    "cube-double": EnvironmentSettings(50.0, 0.99, 0.0, 2),
    "scene": EnvironmentSettings(100.0, 0.99, 0.0, 2),
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
}
_TOY = EnvironmentSettings(1.0, 0.99, 0.0, 1, "one step, so the discount does not count")


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
    return EnvironmentSettings(near.ql, near.gamma, near.pessimism, near.default_task, f"a guess, from {relative}")
