"""Statistics of success counts, in plain numpy."""

import math


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    r"""Wilson score interval of a success rate; 95 % by default.

    $$\frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1 + z^2/n}$$

    Stays inside [0, 1] and is sensible at 0 and n successes. Raises `ValueError` unless 0 ≤ successes ≤ n and n > 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} trials is no rate.")
    p = successes / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
