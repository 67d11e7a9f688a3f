"""Recorded rollouts to video, in a process of its own."""

from workbench.render.run import render_rollouts

__all__ = ["render_rollouts"]
