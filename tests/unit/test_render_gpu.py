"""The GPU that is rendered on: the one that CUDA computes on, found among EGL's, one process at a time."""

import fcntl
import os
import sys

import pytest

from workbench.render import backend, gpu
from workbench.render.backend import graphics_environment
from workbench.render.gpu import Choice, EglDevice, Gpu, alone_on, choose_device, cuda_gpu, match

FIRST = Gpu(0, "aa11", "0000:3b:00.0", "H200")
SECOND = Gpu(1, "bb22", "0000:86:00.0", "H200")


@pytest.fixture
def fresh_choice():
    """The choice is neither taken from before nor kept."""
    choose_device.cache_clear()
    yield
    choose_device.cache_clear()


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, FIRST),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, SECOND),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bb22"}, SECOND),
        ({"CUDA_VISIBLE_DEVICES": ""}, None),
        ({"CUDA_VISIBLE_DEVICES": "MIG-aa11"}, None),
        ({"CUDA_VISIBLE_DEVICES": "7"}, None),
    ],
)
def test_the_gpu_is_the_first_that_cuda_sees(environment, found):
    assert cuda_gpu([FIRST, SECOND], environment) == found


def test_numbers_of_different_gpus_count_only_in_pci_order():
    mixed = [FIRST, Gpu(1, "cc33", "0000:af:00.0", "A100")]
    assert cuda_gpu(mixed, {"CUDA_VISIBLE_DEVICES": "1"}) is None
    assert cuda_gpu(mixed, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == mixed[1]
    assert cuda_gpu(mixed, {"CUDA_VISIBLE_DEVICES": "GPU-cc33"}) == mixed[1]


@pytest.mark.parametrize(
    ("devices", "number"),
    [
        ([EglDevice(1, "bb22", None), EglDevice(0, "aa11", None)], 1),  # MuJoCo takes CUDA's number
        ([EglDevice(None, None, "0000:86:00.0"), EglDevice(None, None, "0000:3b:00.0")], 0),  # EGL's place
        ([EglDevice(0, "aa11", None), EglDevice(0, "bb22", None)], 1),  # a number told twice tells nothing
        ([EglDevice(0, "aa11", None), EglDevice(None, "bb22", None)], None),
        ([EglDevice(None, None, None)], None),  # a software device
        ([], None),
    ],
)
def test_an_egl_device_is_matched_by_uuid_or_pci_address(devices, number):
    assert match(SECOND, devices) == number


def test_the_renderer_is_told_the_device_and_no_visible_ones(monkeypatch, fresh_choice):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv("MUJOCO_EGL_DEVICE_ID", raising=False)
    monkeypatch.setattr(gpu, "list_gpus", lambda: [FIRST, SECOND])
    monkeypatch.setattr(gpu, "list_egl_devices", lambda: [EglDevice(1, "bb22", None), EglDevice(0, "aa11", None)])
    assert choose_device() == Choice(1, "bb22")
    environment = graphics_environment("egl")
    assert (environment["MUJOCO_EGL_DEVICE_ID"], "CUDA_VISIBLE_DEVICES" in environment) == ("1", False)
    assert "MUJOCO_EGL_DEVICE_ID" not in graphics_environment("osmesa")
    choose_device.cache_clear()
    monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", "5")
    assert choose_device() == Choice(None, "egl5")
    assert graphics_environment("egl")["MUJOCO_EGL_DEVICE_ID"] == "5"


def test_lists_of_gpus_are_read_and_missing_programs_are_none(monkeypatch, tmp_path):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '0, GPU-AA11-22, 00000000:3B:00.0, NVIDIA H200'\necho 'no devices'\n")
    smi.chmod(0o755)
    monkeypatch.setattr(gpu, "_SMI", (str(smi),))
    assert gpu.list_gpus() == [Gpu(0, "aa1122", "0000:3b:00.0", "NVIDIA H200")]
    monkeypatch.setattr(gpu, "_SMI", (str(tmp_path / "missing"),))
    monkeypatch.setattr(gpu, "_LIST", (sys.executable, "-c", "import time; time.sleep(60)"))
    assert gpu.list_gpus() == []
    assert gpu.list_egl_devices(timeout=0.2) == []


def test_egl_devices_are_listed_without_visible_ones(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    told = '[{"cuda": 0, "uuid": "aa11", "pci": null}, {"cuda": null, "uuid": null, "pci": "0000:86:00.0"}]'
    program = f"import os; assert 'CUDA_VISIBLE_DEVICES' not in os.environ; print('{told}')"
    monkeypatch.setattr(gpu, "_LIST", (sys.executable, "-c", program))
    assert gpu.list_egl_devices() == [EglDevice(0, "aa11", None), EglDevice(None, None, "0000:86:00.0")]
    for broken in (f"print('{told}'); raise SystemExit(1)", "print('no EGL')"):
        monkeypatch.setattr(gpu, "_LIST", (sys.executable, "-c", broken))
        assert gpu.list_egl_devices() == []


def test_where_egl_works_on_this_machine_it_has_devices():
    assert gpu.list_egl_devices() or backend._failure("egl", timeout=60.0)


def test_the_lock_is_one_a_gpu_and_open_to_every_user(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu.tempfile, "gettempdir", lambda: str(tmp_path))
    former = os.umask(0o077)
    try:
        with alone_on("aa11"), alone_on("bb22"):
            path = tmp_path / "workbench-render-aa11.lock"
            assert path.stat().st_mode & 0o444 == 0o444
            with open(path) as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.umask(former)
    with alone_on("aa11"), open(tmp_path / "workbench-render-bb22.lock") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
