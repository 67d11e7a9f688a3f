"""Sweeps small enough for tests."""

from pathlib import Path

from tests.unit.maze_files import MAZE

SHORT = """presets = ["small"]
steps = 12
batch_size = 8
log_every = 4
save_every = 4

[settings]
width = 8
depth = 1
"""

TINY = f"""
agents = ["sorl", "bc"]
tasks = ["toy:grid"]
seeds = 2
{SHORT}
[agent.sorl.settings]
m_btt = 1
m_disc = 2
"""
"""Four runs that are only trained."""

PLAYED = f"""
agents = ["bc"]
tasks = ["{MAZE}"]
seeds = 1
{SHORT}
[evaluation]
episodes = 2
scored = [4, 8, 12]
episode_limit = 3
workers = 1
"""
"""One run that is scored at three checkpoints."""


def write(folder: Path, text: str, name: str = "some.toml") -> Path:
    """A sweep's file."""
    (folder / name).write_text(text)
    return folder / name
