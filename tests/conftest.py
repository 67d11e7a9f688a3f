"""Settings of every test run, made before jax is imported: CPU, kept compilations, folders of its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Started in the background by some shells, this process ignores Ctrl-C and so would every program that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


COMPILED = str(Path.home() / ".cache" / "sorl-workbench" / "jax-tests")

# What the tests assert holds for CPU arithmetic; JAX_PLATFORMS=cuda tries them elsewhere.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# A rerun loads what an earlier run compiled. Programs that the tests start, and `enable_compile_cache`, share it.
os.environ.setdefault("WORKBENCH_JAX_CACHE", COMPILED)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", COMPILED)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# Compilation makes the first example slow, so no deadline; in CI the same examples each time.
settings.register_profile("workbench", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("workbench")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's datasets and runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setenv("WORKBENCH_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """A process that runs many files would come to the limit of memory mappings."""
    yield
    from workbench.compile_cache import release_programs  # after jaxtyping's hook, which checks what is imported later

    release_programs(0.25)
