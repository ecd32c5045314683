"""Calibration: from a budget of alarms a million accounts to a threshold, by the most that ordinary accounts come to in
a whole window; refused where there are too few of them to say. Repeated looks are in it, as the highest counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.errors import InputError
from tutela.screening.evaluation.intervals import interval

MILLION = 1_000_000
TRUE_PER_MILLION = 20.0
RECALL = 0.6
"""What the table of wrong alarms takes for granted where an operator knows no better."""


class BudgetError(InputError):
    """So few ordinary accounts cannot support such a budget. `needed` is how many can."""

    code = "budget"

    def __init__(self, budget_per_million: float, found: int, needed: int) -> None:
        super().__init__(
            f"{found:,} accounts are too few to tell {budget_per_million:,g} alarms in a million: that takes {needed:,}"
        )
        self.needed = needed


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold that keeps a budget."""

    value: float
    budget_per_million: float
    accounts: int
    over: int
    """Of those accounts, how many come to it."""
    least_per_million: float
    most_per_million: float
    """What of a million 95 % confidence leaves open."""


def threshold(heights: npt.NDArray[np.float32] | Sequence[float], budget_per_million: float) -> Threshold:
    """The least threshold at which p = (1 + accounts at or over it) / (accounts + 1) keeps the budget.

    `heights` are the highest scores of ordinary accounts in a window as long as the budget's. Raises BudgetError.
    """
    ordered = np.sort(np.asarray(heights, np.float64))[::-1]
    count, share = len(ordered), budget_per_million / MILLION
    needed = needed_for(budget_per_million)
    allowed = math.floor(share * (count + 1) + 1e-9) - 1
    if count < needed or allowed < 0:
        raise BudgetError(budget_per_million, count, needed)
    value = _over(float(ordered[allowed])) if allowed < count else float(ordered[-1])
    over = int((ordered >= value).sum())
    low, high = interval(over, count)
    return Threshold(value, budget_per_million, count, over, low * MILLION, high * MILLION)


def _over(height: float) -> float:
    """A number over another, also as a state's float, that is written in six digits: whoever copies it keeps the
    budget."""
    step = 10.0 ** (math.floor(math.log10(height)) - 5) if height > 0 else 1e-6
    value = float(f"{(math.floor(height / step) + 1) * step:.6g}")
    while float(np.float32(value)) <= height:
        step *= 10
        value = float(f"{value + step:.6g}")
    return value


def needed_for(budget_per_million: float) -> int:
    """How many ordinary accounts a budget needs at least."""
    if not 0 < budget_per_million <= MILLION:
        raise InputError("a budget is alarms a million accounts, over 0 and at most a million")
    return math.ceil(MILLION / budget_per_million - 1e-9) - 1


def wrong_of_hundred(
    budget_per_million: float, true_per_million: float = TRUE_PER_MILLION, recall: float = RECALL
) -> float:
    """How many of 100 alarms are expected to be wrong: the budget's, beside the share of true ones that is found."""
    right = true_per_million * recall
    return 100 * (1 - right / (right + budget_per_million))


def ratio(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float, float]:
    """How many times as often one group of accounts alarms as another, each as (alarmed, accounts); and what 95 %
    confidence leaves open (Katz et al., 1978, with half an account added to each count)."""
    (one, of_one), (other, of_other) = first, second
    found = ((one + 0.5) / (of_one + 0.5)) / ((other + 0.5) / (of_other + 0.5))
    spread = 1.96 * math.sqrt(1 / (one + 0.5) - 1 / (of_one + 0.5) + 1 / (other + 0.5) - 1 / (of_other + 0.5))
    return found, found * math.exp(-spread), found * math.exp(spread)
