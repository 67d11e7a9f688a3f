"""Videos of a trained policy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from workbench.cli.report import show


@dataclass(frozen=True)
class Video:
    """Film a run's policy: the same start under every inference budget, side by side, with Q-values.

    Writes an mp4, a contact sheet (PNG) and the recorded rollouts (npz). Exit code 3 when there is no OpenGL.
    """

    run_name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of the run, or the first letters of its hash."""
    m_inf: tuple[int, ...] = (1, 2, 4, 8)
    """Euler steps, one panel each."""
    n: tuple[int, ...] = (8,)
    """Candidates, one row of panels each."""
    episodes: int = 1
    """Starts to film, one video each."""
    out: Path | None = None
    """Folder to write to; by default the run's `video/`."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Play, record, render, and print the paths."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.errors import NoGraphicsError
        from workbench.evaluate.cell import grid
        from workbench.evaluate.rollout import save_rollouts
        from workbench.experiments import evaluate_run
        from workbench.render.backend import OFF, probe_backend
        from workbench.render.run import NO_GRAPHICS, render_rollouts
        from workbench.store.query import find_run

        if probe_backend() == OFF:
            raise NoGraphicsError(NO_GRAPHICS)
        folder = find_run(self.run_name)
        out = self.out or folder.path / "video"
        played = evaluate_run(folder, grid(self.m_inf, self.n), episodes=self.episodes, record=self.episodes)
        rows = []
        for episode in range(self.episodes):
            for seed in folder.spec.seeds:
                chosen = [r for r in played.rollouts if (r.episode, r.seed) == (episode, seed)]
                name = f"seed{seed}_episode{episode}"
                save_rollouts(out / f"{name}.npz", chosen)
                paths = render_rollouts(out / f"{name}.npz", out, name=name)
                rows += [{"seed": seed, "episode": episode, "made": made, "path": str(paths[made])} for made in paths]
        show(rows, self.json)
        return 0
