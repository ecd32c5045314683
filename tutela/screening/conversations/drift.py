"""Drift: whether talk still scores as it did when the scorers were put in place. People are told; no threshold moves by
itself. Only counts are kept, of how much evidence messages had.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela.screening.conversations.records import READ, UNCOVERED, Records

FILE = "usual.json"
USUAL = 10_000
"""So many messages that were scored say what is usual, from when the scorers were put in place."""
WINDOW = 5_000
"""So many are then held against them, again and again."""
LEAST = 0.025
"""The share of messages that must score otherwise; benign talk of strangers differs by less than 0.01."""
_EDGES = np.array([0.0, 0.25, 1.0, 2.0, 3.0, 6.0])
_KINDS = len(_EDGES) + 2
"""No evidence, five spans of it and what is over them, and texts in a language that is not covered."""
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drifted:
    """Talk scores otherwise than it did."""

    share: float
    """Of messages: the distance of total variation."""
    not_covered_before: float
    not_covered_now: float
    """The share of messages in a language that no scorer reads."""


class DriftWatch:
    """Holds the messages of the ledger against what was usual. For one thread at a time."""

    def __init__(self, path: Path, versions: Mapping[str, str]) -> None:
        """With what was usual for these versions of the scorers, where that was written down."""
        self._path = path
        self._versions = dict(versions)
        self._usual: Counts = np.zeros(_KINDS, np.int64)
        self._now: Counts = np.zeros(_KINDS, np.int64)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["versions"] == self._versions:
                self._usual, self._now = (np.array(found[name], np.int64).reshape(_KINDS) for name in ("usual", "now"))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing is usual yet

    def take(self, records: Records) -> Drifted | None:
        """Count records; what they show once a window is full, and has moved past chance and over `LEAST`."""
        kinds = _kinds(records)
        for begin in range(0, len(kinds), 1_000):
            counts = np.bincount(kinds[begin : begin + 1_000], minlength=_KINDS)
            if self._usual.sum() < USUAL:
                self._usual += counts
                continue
            self._now += counts
            if self._now.sum() >= WINDOW:
                before, now = self._usual / self._usual.sum(), self._now / self._now.sum()
                chance = _chance(before, int(self._usual.sum()), int(self._now.sum()))
                self._now = np.zeros(_KINDS, np.int64)
                share = float(np.abs(before - now).sum() / 2)
                if share > max(LEAST, chance):
                    return Drifted(share, float(before[-1]), float(now[-1]))
        return None

    def save(self) -> None:
        """Write the counts down."""
        beside = self._path.with_suffix(".new")
        document = {"versions": self._versions, "usual": self._usual.tolist(), "now": self._now.tolist()}
        beside.write_text(json.dumps(document), encoding="utf-8")
        beside.replace(self._path)


def _kinds(records: Records) -> npt.NDArray[np.int64]:
    """Of each message that was scored how much evidence it had, or that it was not covered."""
    read = records[(records["flags"] & READ) != 0]
    spans = np.searchsorted(_EDGES, read["trust"] + read["coercion"], "left")
    found: npt.NDArray[np.int64] = np.where((read["flags"] & UNCOVERED) != 0, _KINDS - 1, spans).astype(np.int64)
    return found


def _chance(shares: npt.NDArray[np.float64], first: int, second: int) -> float:
    """What the distance of two samples of the same talk stays under: its mean and three times its deviation, about."""
    each = np.sqrt(shares * (1 - shares) * (1 / first + 1 / second))
    return float(each.sum() / 2 * math.sqrt(2 / math.pi) + 3 * math.sqrt((each**2).sum()) / 2)
