"""Load profiles as Python functions."""

import math


def waves(t_s: float) -> float:
    """Iterations per second, t_s seconds after the test's start: a wave of 20 seconds that grows."""
    return 20 + t_s / 3 * (1 - math.cos(t_s / 20 * 2 * math.pi))
