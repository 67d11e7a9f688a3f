"""The Ray engine: every training and every evaluation is a task; Ray starts it again when its worker dies."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.errors import MissingExtraError, WorkbenchError
from workbench.sweeps.engine import Outcome
from workbench.sweeps.plan import Job
from workbench.sweeps.spec import RayPart
from workbench.sweeps.work import attempt

Prepare = Callable[[], None]
"""Called in a worker before its first work: registers what is a user's own."""

LOCAL = "127.0.0.1"
OBJECT_STORE = 80 * 2**20
"""Bytes of Ray's shared memory, about its smallest: only specs and sentences pass through it."""


def nothing() -> None:
    """No preparation."""


def on_ray(jobs: Sequence[Job], part: RayPart, prepare: Prepare = nothing) -> Iterator[Outcome]:
    """Do the jobs as Ray tasks: trainings take a part of a GPU, evaluations none; results are the run folders.

    A task whose worker dies is tried again `part.retries` times and goes on from the run's last checkpoint. Without an
    address Ray starts here and listens on 127.0.0.1 alone. With GPUs each task has a process of its own, because JAX
    gives a GPU's memory back only at its end.

    Raises `MissingExtraError` without Ray, and `WorkbenchError` where the cluster cannot be reached.
    """
    ray = _import_ray(alone=part.address is None)
    with _cluster(ray, part):
        submit = _tasks(ray, part, prepare)
        pending = {submit("train", job): (job, "train") for job in jobs}
        while pending:
            (ready, *_), _ = ray.wait(list(pending), num_returns=1)
            job, done = pending.pop(ready)
            error = _answer(ray, ready)
            if done == "train" and not error:
                pending[submit("evaluate", job)] = (job, "evaluate")
            else:
                yield Outcome(job, error)


def _import_ray(*, alone: bool) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if alone:
        # Read when Ray is imported: without it Ray listens on every address of a Linux machine, whatever it is given.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "sweeps", "the engine ray") from None
    return ray


@contextmanager
def _cluster(ray: Any, part: RayPart) -> Iterator[None]:
    """A cluster: the one this process is connected to, that of the address, or one of this machine for the block."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "error"}
    here = {"_node_ip_address": LOCAL, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # Ray's processes begin anew, so they are safe
            if part.address:
                ray.init(address=part.address, **quiet)
            else:
                ray.init(address="local", num_cpus=part.cpus, **here, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"at {part.address}" if part.address else "on this machine"
        raise WorkbenchError(f"Ray does not start {where} ({str(error).partition(chr(10))[0]}): see [ray].") from error
    try:
        if not part.address and ray.util.get_node_ip_address() != LOCAL:
            raise WorkbenchError(
                "Ray was imported before the sweep and would listen on the network: sweep in a new process."
            )
        yield
    finally:
        ray.shutdown()


def _tasks(ray: Any, part: RayPart, prepare: Prepare) -> Callable[[str, Job], Any]:
    """A function that submits one part of a job."""
    has_gpu = ray.cluster_resources().get("GPU", 0) > 0
    gpus = (1.0 if has_gpu else 0.0) if part.gpus is None else part.gpus
    shared = {"max_retries": part.retries, "max_calls": 1 if gpus else 0}
    kinds = {
        "train": ray.remote(num_cpus=part.train_cpus, num_gpus=gpus, **shared)(train_task),
        "evaluate": ray.remote(num_cpus=part.evaluate_cpus, num_gpus=0, **shared)(evaluate_task),
    }
    arguments = {"train": gpus, "evaluate": part.evaluate_cpus}
    return lambda kind, job: kinds[kind].remote(job, arguments[kind], prepare)


def train_task(job: Job, gpus: float, prepare: Prepare) -> str | None:
    """Body of a training task; `gpus` is its share of a GPU, and as much of its memory."""
    if 0 < gpus < 1:
        os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 * gpus:.3f}"
    return _attempt(job, "train", prepare)


def evaluate_task(job: Job, cpus: int, prepare: Prepare) -> str | None:
    """Body of an evaluation task, which has `cpus` processors and no GPU."""
    import dataclasses

    import jax

    jax.config.update("jax_platforms", "cpu")
    evaluation = dataclasses.replace(job.evaluation, workers=job.evaluation.workers or cpus)
    return _attempt(dataclasses.replace(job, evaluation=evaluation), "evaluate", prepare)


def _attempt(job: Job, part: str, prepare: Prepare) -> str | None:
    from workbench.compile_cache import enable_compile_cache

    enable_compile_cache()
    try:
        prepare()
        return attempt(job, part)
    except KeyboardInterrupt as stop:
        return str(stop) or "stopped"
    except WorkbenchError as error:
        return str(error)


def _answer(ray: Any, reference: Any) -> str | None:
    """The sentence a task returned, or what became of its worker."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        return f"its worker died too often ({type(error).__name__}): the same command goes on from the last checkpoint."
