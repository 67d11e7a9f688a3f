"""The D4RL datasets of the field's tables, by their Minari ids: data to train on, no environment to play in."""

_ANTMAZE = ("umaze-v1", "umaze-diverse-v1", "medium-play-v1", "medium-diverse-v1", "large-play-v1", "large-diverse-v1")
_ADROIT = {"pen": (45, 24), "door": (39, 28), "hammer": (46, 26), "relocate": (39, 30)}
_MUJOCO = {"halfcheetah": (17, 6), "hopper": (11, 3), "walker2d": (17, 6)}

D4RL: dict[str, tuple[int, int]] = (
    {f"D4RL/antmaze/{kind}": (31, 8) for kind in _ANTMAZE}
    | {f"D4RL/{hand}/{kind}-v2": size for hand, size in _ADROIT.items() for kind in ("human", "cloned", "expert")}
    | {f"mujoco/{body}/{kind}-v0": size for body, size in _MUJOCO.items() for kind in ("simple", "medium", "expert")}
)
"""Widths of observation and action by id. Antmaze's observations hold both goals, see `minari_files.load_minari`."""
