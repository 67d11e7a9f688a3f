"""The EGL devices of this machine and which GPU each is: run as a program, because a driver may crash or hang.

Prints a JSON list in EGL's own order, whose members are `EglDevice`'s fields; standard library only.
"""

import ctypes
import json
import os
from pathlib import Path
from typing import Any

EXTENSIONS, DRM_DEVICE_FILE, CUDA_DEVICE = 0x3055, 0x3233, 0x323A
DRM_RENDER_NODE_FILE, DEVICE_UUID = 0x3377, 0x335C
MOST = 64
BOOL, INT, POINTER = ctypes.c_uint, ctypes.c_int, ctypes.c_void_p


def list_devices() -> list[dict[str, Any]]:
    """CUDA number, UUID and PCI address of each device, None where the driver does not tell."""
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]

    def function(name: str, result: Any, *arguments: Any) -> Any:
        address = egl.eglGetProcAddress(name.encode())
        return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None

    enumerate_devices = function("eglQueryDevicesEXT", BOOL, INT, POINTER, POINTER)
    if enumerate_devices is None:
        return []
    devices, count = (ctypes.c_void_p * MOST)(), ctypes.c_int()
    if not enumerate_devices(MOST, devices, ctypes.byref(count)):
        return []
    text = function("eglQueryDeviceStringEXT", ctypes.c_char_p, POINTER, INT)
    whole = function("eglQueryDeviceAttribEXT", BOOL, POINTER, INT, POINTER)
    binary = function("eglQueryDeviceBinaryEXT", BOOL, POINTER, INT, INT, POINTER, POINTER)

    def describe(device: int) -> dict[str, Any]:
        has = set((text(device, EXTENSIONS) or b"").decode().split()) if text else set()
        cuda, uuid, size = ctypes.c_ssize_t(), (ctypes.c_ubyte * 16)(), ctypes.c_int()
        knows_cuda = "EGL_NV_device_cuda" in has and whole and whole(device, CUDA_DEVICE, ctypes.byref(cuda))
        asked = "EGL_EXT_device_persistent_id" in has and binary
        knows_uuid = asked and binary(device, DEVICE_UUID, 16, uuid, ctypes.byref(size)) and size.value == 16
        node = text(device, DRM_RENDER_NODE_FILE) if "EGL_EXT_device_drm_render_node" in has else None
        node = node or (text(device, DRM_DEVICE_FILE) if "EGL_EXT_device_drm" in has else None)
        return {
            "cuda": cuda.value if knows_cuda else None,
            "uuid": bytes(uuid).hex() if knows_uuid else None,
            "pci": _pci_address(node.decode()) if node else None,
        }

    return [describe(devices[i]) for i in range(count.value)]


def _pci_address(node: str) -> str | None:
    """Address such as `0000:3b:00.0` of the card behind a file like /dev/dri/renderD128."""
    link = Path("/sys/class/drm") / Path(node).name / "device"
    return os.path.basename(os.path.realpath(link)) if link.exists() else None


if __name__ == "__main__":
    print(json.dumps(list_devices()))
