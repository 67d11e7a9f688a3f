"""The compilation cache: filled by one process, used by the next, and harmless where it cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from workbench.compile_cache import cache_dir, is_writable, release_programs

PROGRAM = """
from workbench.compile_cache import enable_compile_cache
folder = enable_compile_cache()
import jax, jax.monitoring
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if event.endswith("cache_hits") else None)
assert jax.jit(lambda x: x * 2 + 1)(jax.numpy.float32(3)) == 7
print(folder, len(hits), sep="\\n")
"""


def compile_once(folder: Path) -> tuple[Path, int]:
    """Compile a small function in a process of its own; the folder it reports and how many programs it loaded."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = {**clean, "JAX_PLATFORMS": "cpu", "WORKBENCH_JAX_CACHE": str(folder)}
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    reported, hits = done.stdout.splitlines()
    return Path(reported), int(hits)


def test_second_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    reported, hits = compile_once(folder)
    assert reported == folder
    assert hits == 0
    kept = sorted(folder.iterdir())
    assert kept
    _, hits = compile_once(folder)
    assert hits > 0
    assert sorted(folder.iterdir()) == kept


def test_unwritable_folder_is_no_obstacle(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    reported, hits = compile_once(blocker / "cache")
    assert reported == blocker / "cache"
    assert hits == 0


def test_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_JAX_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("WORKBENCH_JAX_CACHE")
    assert cache_dir() == Path.home() / ".cache" / "sorl-workbench" / "jax"


def test_writable_leaves_nothing_behind(tmp_path: Path) -> None:
    assert is_writable(tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_programs_are_let_go_only_where_they_fill_the_share() -> None:
    traced = []

    @jax.jit
    def double(x: jax.Array) -> jax.Array:
        traced.append(x)
        return 2 * x

    double(jnp.ones(3))
    assert not release_programs(1.0)
    assert double(jnp.ones(3)).tolist() == [2, 2, 2]
    assert len(traced) == 1
    assert release_programs(0.0)
    assert double(jnp.ones(3)).tolist() == [2, 2, 2]
    assert len(traced) == 2


def test_a_system_without_the_limit_keeps_its_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path, *_: object) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert not release_programs(0.0)
