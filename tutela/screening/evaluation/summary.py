"""Trials counted: the share that each view set finds, by attack and strength, by attack, and by group of attacks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutela.content.views.view_set import ViewSet
from tutela.screening.evaluation.attacks.catalogue import ATTACKS
from tutela.screening.evaluation.cost import Cost
from tutela.screening.evaluation.intervals import interval
from tutela.screening.evaluation.subjects import Left
from tutela.screening.evaluation.trials import Trial
from tutela.screening.evaluation.unrelated import MARGINS, Unrelated

COLUMNS: dict[str, Callable[[Trial], bool]] = {
    "plain": lambda trial: trial.found[ViewSet.PLAIN].plain_bank,
    "standard, plain bank": lambda trial: trial.found[ViewSet.STANDARD].plain_bank,
    "standard": lambda trial: trial.found[ViewSet.STANDARD].views_bank,
    "thorough, plain bank": lambda trial: trial.found[ViewSet.THOROUGH].plain_bank,
    "thorough": lambda trial: trial.found[ViewSet.THOROUGH].views_bank,
}
"""What is counted: a view set, and whether the bank lists plain hashes only or further views too."""


@dataclass(frozen=True, slots=True)
class FoundShare:
    """How many of the trials of a row were found."""

    found: int
    trials: int

    @property
    def share(self) -> float:
        """0-1."""
        return self.found / self.trials if self.trials else 0.0

    def document(self) -> dict[str, Any]:
        """The share as a JSON object, with its 95 % interval."""
        low, high = interval(self.found, self.trials)
        return {"found": self.found, "trials": self.trials, "share": self.share, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    group: str
    attack: str
    """Empty for a whole group."""
    strength: float | None
    shares: dict[str, FoundShare]

    def document(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {
            "group": self.group,
            "attack": self.attack,
            "strength": self.strength,
            "unit": ATTACKS[self.attack].unit if self.attack else "",
            "shares": {name: share.document() for name, share in self.shares.items()},
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that a report shows."""

    settings: dict[str, Any]
    left_out: Sequence[Left]
    groups: Sequence[Row]
    rows: Sequence[Row]
    unrelated: dict[ViewSet, Unrelated]
    bank_size: int
    cost: dict[ViewSet, Cost]

    def document(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return {
            "settings": self.settings,
            "left_out": [asdict(item) for item in self.left_out],
            "groups": [row.document() for row in self.groups],
            "rows": [row.document() for row in self.rows],
            "unrelated": {
                views.value: _counted(count)
                | {
                    "bank": self.bank_size,
                    "matched": count.matched,
                    "share": count.matched / max(1, count.pictures),
                    "interval": interval(count.matched, count.pictures),
                }
                for views, count in self.unrelated.items()
            },
            "cost": {views.value: asdict(cost) for views, cost in self.cost.items()},
        }


def _counted(count: Unrelated) -> dict[str, Any]:
    """What was counted, with the whole curve in place of each picture's margin."""
    document = asdict(count)
    del document["margins"]
    return document | {"pictures": count.pictures, "matched_at": {bits: count.matched_at(bits) for bits in MARGINS}}


def count(trials: Iterable[Trial]) -> tuple[list[Row], list[Row]]:
    """(rows by group, rows by attack and strength), in the order of the catalogue."""
    by_cell: dict[tuple[str, float], list[Trial]] = defaultdict(list)
    by_group: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_cell[trial.attack, trial.strength].append(trial)
        by_group[ATTACKS[trial.attack].group].append(trial)
    groups = [Row(group, "", None, _shares(cell)) for group, cell in by_group.items()]
    rows = [Row(ATTACKS[attack].group, attack, strength, _shares(cell)) for (attack, strength), cell in by_cell.items()]
    return groups, rows


def _shares(trials: Sequence[Trial]) -> dict[str, FoundShare]:
    return {name: FoundShare(sum(map(is_found, trials)), len(trials)) for name, is_found in COLUMNS.items()}
