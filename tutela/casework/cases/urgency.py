"""Which label is the severest, and what is looked at first."""

from collections.abc import Iterable, Mapping

from tutela.casework.cases.model import Queue
from tutela.lists.banks.labels import Label

_OF_QUEUE = {Queue.APPEAL: 60, Queue.CONTACT: 60, Queue.MATCH: 50, Queue.INTAKE: 40, Queue.UNSCREENED: 10}
_SEVEREST = 100
_STEP = 10
"""By how much a label is less urgent than the one before it in its scheme."""


def severest(labels: Iterable[str | None], known: Mapping[str, Label]) -> str | None:
    """The severest of these labels; one that is not known is the least severe, and none is none."""
    found = [label for label in labels if label is not None]
    return min(found, key=lambda label: (_severity(label, known), label), default=None)


def urgency_of(queue: Queue, label: str | None, known: Mapping[str, Label]) -> int:
    """0 to 100: by the label, or by the queue where there is none."""
    if label is None or label not in known or known[label].scheme == "tutela":
        return _OF_QUEUE[queue]
    return max(_OF_QUEUE[queue], _SEVEREST - _STEP * known[label].severity)


def _severity(label: str, known: Mapping[str, Label]) -> int:
    return known[label].severity if label in known and known[label].scheme != "tutela" else 1_000
