"""Videos of a trained policy."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from workbench.cli.report import show

if TYPE_CHECKING:
    from workbench.evaluate.rollout import Rollout

ROOM = 20_000_000
"""Bytes that must be free where films go; one of a single start takes a few of these millions."""


@dataclass(frozen=True)
class Video:
    """Film a run's policy: the same start under every inference budget, with M_inf along columns and N along rows.

    Under each scene: Q of the chosen and of the other candidates, the chosen action's way from noise, and its cost.
    Writes an mp4, a contact sheet (PNG), the recorded rollouts and data for scrubbing (npz), and for a maze all paths
    from above (PDF, SVG, PNG). Exit code 3 when there is no OpenGL.
    """

    run_name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of the run, the first letters of its hash, or a policy such as policy:cube-single."""
    m_inf: tuple[int, ...] = ()
    """Euler steps, one column each. By default 1, 2, 4 and 8, or another agent's protocol."""
    n: tuple[int, ...] = ()
    """Candidates, one row each, such as 1 8; by default the agent's protocol, which is 1 for most."""
    episodes: int = 1
    """Starts to film, one video each."""
    out: Path | None = None
    """Folder to write to; by default the run's `video/`."""
    code: tuple[Path, ...] = ()
    """Python files to run first: they register agents, loss terms, selections and verifiers of your own."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Play, record, render, and print the paths."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.cli.code import run_files
        from workbench.data.load import environment_of
        from workbench.errors import NoGraphicsError
        from workbench.evaluate.cell import protocol_grid
        from workbench.evaluate.rollout import save_rollouts
        from workbench.experiments import evaluate_run
        from workbench.guards import check_folder
        from workbench.render.backend import NO_GRAPHICS, OFF, probe_backend
        from workbench.render.run import render_rollouts
        from workbench.store.query import find_run

        if probe_backend() == OFF:
            raise NoGraphicsError(NO_GRAPHICS)
        run_files(self.code)
        folder = find_run(self.run_name)
        out = (self.out or folder.path / "video").absolute()
        check_folder(out, "the film", ROOM)
        cells = protocol_grid(folder.spec.agent, environment_of(folder.spec.task), self.m_inf, self.n)
        played = evaluate_run(folder, cells, episodes=self.episodes, record=self.episodes)
        rows = []
        for episode in range(self.episodes):
            for seed in folder.spec.seeds:
                chosen = [r for r in played.rollouts if (r.episode, r.seed) == (episode, seed)]
                name = f"seed{seed}_episode{episode}"
                save_rollouts(out / f"{name}.npz", chosen)
                made = asdict(render_rollouts(out / f"{name}.npz", out, name=name))
                rows += [{"seed": seed, "episode": episode, "made": kind, "path": str(made[kind])} for kind in made]
        for seed in folder.spec.seeds:
            of_seed = [rollout for rollout in played.rollouts if rollout.seed == seed]
            rows += [
                {"seed": seed, "episode": "all", "made": "paths", "path": str(path)} for path in _draw(of_seed, out)
            ]
        show(rows, self.json)
        return 0


def _draw(rollouts: "list[Rollout]", out: Path) -> list[Path]:
    """Paths through a maze from above; nothing for other tasks."""
    from workbench.plots.maze import maze_view
    from workbench.plots.style import save_figure
    from workbench.render.maze import in_maze, maze_tables

    first = rollouts[0]
    if not in_maze(first.task):
        return []
    title = f"{first.task}, seed {first.seed}"
    return save_figure(maze_view(**maze_tables(rollouts), title=title), out / f"seed{first.seed}_paths")
