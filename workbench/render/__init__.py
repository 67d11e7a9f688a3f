"""Recorded rollouts to video, in a process of its own."""

from workbench.render.run import Filmed, render_rollouts

__all__ = ["Filmed", "render_rollouts"]
