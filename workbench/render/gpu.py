"""Which EGL device is the GPU that CUDA computes on, and the lock that lets one process render on it at a time.

EGL numbers devices in another order than CUDA does (mujoco#3245), so the two are matched by UUID or PCI address.
"""

import fcntl
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

OWN = "MUJOCO_EGL_DEVICE_ID"
VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
_SMI = ("nvidia-smi", "--query-gpu=index,uuid,pci.bus_id,name", "--format=csv,noheader")
_LIST = (sys.executable, "-m", "workbench.render.egl_devices")


@dataclass(frozen=True)
class Gpu:
    """A GPU as NVIDIA's driver lists it: number in PCI order, UUID in hexadecimal, PCI address, name."""

    index: int
    uuid: str
    pci: str
    name: str


@dataclass(frozen=True)
class EglDevice:
    """An EGL device; None where the driver does not tell."""

    cuda: int | None
    uuid: str | None
    pci: str | None


@dataclass(frozen=True)
class Choice:
    """The value of `MUJOCO_EGL_DEVICE_ID` to render with (None: leave it to the driver), and the lock's name."""

    device: int | None
    lock: str


@functools.cache
def choose_device() -> Choice:
    """The EGL device that is the first CUDA device of this process; the user's own `MUJOCO_EGL_DEVICE_ID` stands."""
    own = os.environ.get(OWN)
    if own:
        return Choice(None, f"egl{own}")
    gpu = cuda_gpu(list_gpus(), os.environ)
    device = None if gpu is None else match(gpu, list_egl_devices())
    return Choice(None, "egl") if gpu is None or device is None else Choice(device, gpu.uuid)


def cuda_gpu(gpus: list[Gpu], environment: Mapping[str, str]) -> Gpu | None:
    """The first CUDA device, or None where it is hidden, a part of a GPU (MIG), or not certain.

    `CUDA_VISIBLE_DEVICES` counts in CUDA's order, which puts the fastest GPU first unless `CUDA_DEVICE_ORDER` says
    PCI_BUS_ID: of different GPUs, a number does not tell which is meant.
    """
    first = environment.get(VISIBLE, "0").split(",")[0].strip()
    if first.startswith("GPU-"):
        wanted = _hexadecimal(first)
        return next((gpu for gpu in gpus if gpu.uuid.startswith(wanted)), None)
    if not first.isdecimal():
        return None
    in_pci_order = environment.get(ORDER) == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) == 1
    return next((gpu for gpu in gpus if gpu.index == int(first)), None) if in_pci_order else None


def match(gpu: Gpu, devices: list[EglDevice]) -> int | None:
    """What MuJoCo calls the EGL device of a GPU; None where no device is known to be it.

    MuJoCo reads `MUJOCO_EGL_DEVICE_ID` as a CUDA number if every number that devices tell is told once, otherwise as a
    place in EGL's list. Both are asked for without `CUDA_VISIBLE_DEVICES`, which would renumber them.
    """
    place = next((i for i, each in enumerate(devices) if gpu.uuid == each.uuid), None)
    if place is None:
        place = next((i for i, each in enumerate(devices) if gpu.pci == each.pci), None)
    if place is None:
        return None
    numbers = [each.cuda for each in devices if each.cuda is not None]
    return devices[place].cuda if numbers and len(set(numbers)) == len(numbers) else place


def list_gpus(timeout: float = 20.0) -> list[Gpu]:
    """GPUs that `nvidia-smi` lists; none where there is no such program."""
    lines = _output(_SMI, os.environ, timeout).splitlines()
    rows = [[cell.strip() for cell in line.split(",", 3)] for line in lines]
    return [
        Gpu(int(row[0]), _hexadecimal(row[1]), _short_pci(row[2]), row[3])
        for row in rows
        if len(row) == 4 and row[0].isdecimal()
    ]


def list_egl_devices(timeout: float = 60.0) -> list[EglDevice]:
    """EGL devices in EGL's order; none where EGL is missing, crashes or hangs."""
    environment = {name: value for name, value in os.environ.items() if name != VISIBLE}
    text = _output(_LIST, environment, timeout)
    try:
        return [EglDevice(**each) for each in json.loads(text)]
    except ValueError:
        return []


@contextmanager
def alone_on(lock: str) -> Iterator[None]:
    """Wait until no other process renders on the GPU that a lock is named for, whoever's process it is."""
    path = Path(tempfile.gettempdir()) / f"workbench-render-{lock}.lock"
    with suppress(FileExistsError):  # others must be able to open it, whatever this user's umask
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        path.chmod(0o644)
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _output(command: tuple[str, ...], environment: Mapping[str, str], timeout: float) -> str:
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _hexadecimal(uuid: str) -> str:
    return uuid.removeprefix("GPU-").replace("-", "").lower()


def _short_pci(address: str) -> str:
    """`0000:3b:00.0` from NVIDIA's `00000000:3B:00.0`."""
    return address.lower()[-12:]
