"""Confidence intervals of a share: 95 %, by Wilson, "Probable inference, the law of succession, and statistical
inference" (1927); for none or all of them by Clopper and Pearson (1934), which is then exact and simple."""

import math

Z = 1.959964


def interval(hits: int, trials: int) -> tuple[float, float]:
    """The least and the largest share that 95 % confidence leaves open."""
    if trials == 0:
        return 0.0, 1.0
    if hits == 0:
        return 0.0, 1 - 0.025 ** (1 / trials)
    if hits == trials:
        return 0.025 ** (1 / trials), 1.0
    share, z2 = hits / trials, Z * Z
    middle = share + z2 / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return (middle - spread) / (1 + z2 / trials), (middle + spread) / (1 + z2 / trials)


def ratio_interval(part: int, whole: int) -> tuple[float, float]:
    """How many times the part the whole may be, where all that is counted in the part is counted in the whole too.

    Given the whole, the part is a share of it: each of its members is one of the part's or not.
    """
    low, high = interval(part, whole)
    return 1 / high, 1 / low if low > 0 else math.inf
