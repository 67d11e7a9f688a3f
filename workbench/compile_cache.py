"""Compiled programs: kept on disk so that none is compiled twice, let go in memory before a process holds too many."""

import gc
import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Folder of compiled programs: `$WORKBENCH_JAX_CACHE`, else `~/.cache/sorl-workbench/jax`.

    Whoever can write there can run code in the processes that read it, so it belongs to one user.
    """
    root = os.environ.get("WORKBENCH_JAX_CACHE")
    return Path(root).expanduser() if root else Path.home() / ".cache" / "sorl-workbench" / "jax"


def is_writable(folder: Path) -> bool:
    """Whether files can be written in `folder`, which is created where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def enable_compile_cache() -> Path:
    """Keep every program that JAX compiles, however small or quick, in `cache_dir()`; returns that folder.

    Call it before the first array: JAX looks the folder up once, at its first compilation. Where the folder cannot be
    written nothing is kept and nothing fails; `workbench doctor` says so.
    """
    folder = cache_dir()
    if is_writable(folder):
        import jax

        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        # -1 is no minimum; JAX may replace 0 by a default of the file system.
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def release_programs(share: float = 0.5) -> bool:
    """Let go of all compiled programs once they fill a `share` of the memory mappings Linux grants a process.

    Each program of JAX's CPU backend holds tens of mappings, a training some two thousand; at `vm.max_map_count`
    (65,530) the next one kills the process. Long series of runs call this between two runs; what is used again is
    loaded from the cache on disk. Returns whether it did. Where there is no such limit nothing is done.
    """
    try:
        limit = int(Path("/proc/sys/vm/max_map_count").read_text())
        held = Path("/proc/self/maps").read_bytes().count(b"\n")
    except (OSError, ValueError):
        return False
    if held <= share * limit:
        return False
    import jax

    jax.clear_caches()
    gc.collect()
    return True
