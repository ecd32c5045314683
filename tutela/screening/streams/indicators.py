"""Weak signals about a stream that are not pictures: what financial intelligence units and safety teams have published
as typical of abuse that is streamed to order. They rank streams for a person, and end none.

Sources: FATF, "Detecting, Disrupting and Investigating Online Child Sexual Exploitation" (2025); Egmont Group, AUSTRAC,
UKFIU and AMLC (2020); AUSTRAC, financial crime guide (2022). Weights are ours, and measured by nobody yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tutela.errors import InputError

MAX_REASON = 300


class Indicator(StrEnum):
    """What the platform may tell."""

    SMALL_PAYMENTS = "small-repeated-payments"
    """Small, even, repeated sums to one receiver."""
    NIGHT_PAYMENTS = "payments-at-night"
    """Late in the payer's night: another time zone."""
    ROUTE = "payment-route"
    """From where such payments often come to where they often go."""
    WORDING = "payment-wording"
    """Support, medical bills, uniforms, accommodation."""
    FEW_VIEWERS = "few-viewers"
    """One or few viewers of an unlisted stream."""
    NEW_ACCOUNT = "new-account"
    ONE_DEVICE = "one-device-many-accounts"
    PRIOR_REPORT = "prior-report"
    MOVED = "moved-to-private"
    """First contact in the open, then an invitation to somewhere private."""


WEIGHTS = {
    Indicator.SMALL_PAYMENTS: 1.0,
    Indicator.NIGHT_PAYMENTS: 0.5,
    Indicator.ROUTE: 0.5,
    Indicator.WORDING: 0.5,
    Indicator.FEW_VIEWERS: 0.3,
    Indicator.NEW_ACCOUNT: 0.3,
    Indicator.ONE_DEVICE: 0.5,
    Indicator.PRIOR_REPORT: 2.0,
    Indicator.MOVED: 0.5,
}


@dataclass(frozen=True, slots=True)
class WeakSignal:
    """One of them about one stream."""

    kind: Indicator
    weight: float
    reason: str
    """What the platform says of it, in words for a person."""


def weak_signal(kind: str, reason: str) -> WeakSignal:
    """A signal as the platform tells it. Raises InputError."""
    if kind not in set(Indicator):
        raise InputError("an indicator is one of {indicator}", indicator=", ".join(Indicator), field="kind")
    if len(reason) > MAX_REASON:
        raise InputError("a reason has at most {max_reason} characters", max_reason=MAX_REASON, field="reason")
    return WeakSignal(Indicator(kind), WEIGHTS[Indicator(kind)], reason)


def rank(signals: Sequence[WeakSignal]) -> float:
    """The order in which people look: each kind counts once, however often it was told."""
    return sum({signal.kind: signal.weight for signal in signals}.values())
