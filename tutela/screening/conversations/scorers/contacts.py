"""`contacts`: what an account does to whom, without a word of content.

The counts are of strangers: a mutual contact, family, a group both are in, a declared role and whoever wrote first are
left out before anything is counted. Scales and weights are starting points that nobody has fitted to real cases; an
operator's own traffic calibrates what they come to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Contacts:
    """The scorer of contacts."""

    name: str = "contacts"
    version: str = "1"
    scales: Mapping[str, float] = field(
        default_factory=lambda: {
            "minors_hour": 8.0,
            "minors_day": 15.0,
            "minors_week": 30.0,
            "refused_week": 10.0,
            "insisted_week": 4.0,
            "rejected_month": 4.0,
            "moves_week": 5.0,
            "gifts_week": 5.0,
            "private_week": 10.0,
            "asks_week": 5.0,
            "night_week": 40.0,
            "same_day": 8.0,
        }
    )
    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "minors_hour": 1.0,
            "minors_day": 1.0,
            "minors_week": 1.0,
            "refused_week": 1.0,
            "insisted_week": 1.5,
            "rejected_month": 1.5,
            "moves_week": 1.5,
            "gifts_week": 1.5,
            "private_week": 0.5,
            "asks_week": 1.5,
            "night_week": 0.25,
            "same_day": 1.0,
        }
    )


CONTACTS = Contacts()
