"""What the panel says in words."""

from workbench.live.trainer import Trainer


def numbers_line(trainer: Trainer) -> str:
    """Where every branch is, and how fast they train."""
    steps = ", ".join(f"{name}: update {each.step:,}" for name, each in list(trainer.branches.items()))
    speed = trainer.updates_per_second
    return f"{steps}; {speed:,.0f} updates a second" if speed else steps


def compiling_line(seconds: float | None) -> str:
    """What a choice that recompiles costs."""
    cost = "not compiled yet" if seconds is None else f"compiling took {seconds:.1f} s last time"
    return f"Fixed when compiled, so each new choice recompiles: {cost}."
