"""OGBench's rotations on plain floats: its `lie.SO3` spends most of its time making arrays of four numbers.

Every operation and its order are OGBench's, so the results are equal bit for bit. Trigonometry stays NumPy's, whose
last bit may differ from the `math` module's.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

Quaternion: TypeAlias = Sequence[float]
"""Real part first."""

_SMALL = 1e-10  # of a squared angle: below it, OGBench takes the Taylor series


def times(left: Quaternion, right: Quaternion) -> Quaternion:
    """The rotation `right`, then `left`."""
    w0, x0, y0, z0 = left
    w1, x1, y1, z1 = right
    return (
        -x0 * x1 - y0 * y1 - z0 * z1 + w0 * w1,
        x0 * w1 + y0 * z1 - z0 * y1 + w0 * x1,
        -x0 * z1 + y0 * w1 + z0 * x1 + w0 * y1,
        x0 * y1 - y0 * x1 + z0 * w1 + w0 * z1,
    )


def inverse(rotation: Quaternion) -> Quaternion:
    """The rotation back."""
    w, x, y, z = rotation
    return w, -x, -y, -z


def yaw(rotation: Quaternion) -> float:
    """Angle about the z axis."""
    w, x, y, z = rotation
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2)))


def about_z(angle: float) -> Quaternion:
    """The rotation by an angle about the z axis."""
    return exponential(0.0, 0.0, angle, angle * angle)


def exponential(x: float, y: float, z: float, squared: float) -> Quaternion:
    """The rotation about an axis by the length of it, given with the square of that length."""
    if squared < _SMALL:
        fourth = squared * squared
        real = 1.0 - squared / 8.0 + fourth / 384.0
        imaginary = 0.5 - squared / 48.0 + fourth / 3840.0
    else:
        angle = math.sqrt(squared)
        real = float(np.cos(0.5 * angle))
        imaginary = float(np.sin(0.5 * angle)) / angle
    return real, imaginary * x, imaginary * y, imaginary * z


def turned(rotation: Quaternion, vector: Sequence[float]) -> Sequence[float]:
    """A vector after the rotation."""
    return times(times(rotation, (0.0, *vector)), inverse(rotation))[1:]
