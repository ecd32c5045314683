"""Strata: how often accounts of each group are alarmed about, beside all others.

Ages are in the state. Language, region, or whatever else a service knows of its accounts is read from a file for one
replay and kept nowhere: Tutela holds no such thing of anybody.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tutela.errors import InputError
from tutela.screening.conversations.calibration import ratio

MAX_VALUES = 200
"""Groups that a column has at most: with more of them it tells accounts apart, not groups."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A group of accounts, beside all others."""

    alarmed: int
    accounts: int
    ratio: float
    """How many times as often as all others."""
    least: float
    most: float
    """What 95 % confidence leaves open."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which group each account is in, as the service tells it."""

    accounts: Sequence[str]
    """The platform's opaque names."""
    columns: Mapping[str, Sequence[str]]
    """By what tells groups apart: the group of each account, empty where nobody knows it."""


NO_GROUPS = Grouping((), {})


def strata(alarmed: Counter[str], everybody: Counter[str]) -> dict[str, Stratum]:
    """Of each group, given how many accounts of it were alarmed about and how many there are, in the latter's order."""
    return {
        group: Stratum(
            alarmed[group],
            accounts,
            *ratio((alarmed[group], accounts), (alarmed.total() - alarmed[group], everybody.total() - accounts)),
        )
        for group, accounts in everybody.items()
    }


def read_grouping(path: Path) -> Grouping:
    """A CSV file whose first column is `account`, and each other one a way to tell groups apart. Raises InputError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            head, *lines = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if row] or [(1, [])]
    except OSError as error:
        raise InputError("{file} cannot be read: {why}", file=path, why=error.strerror) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("{file} is not CSV in UTF-8: {why}", file=path, why=str(error)) from None
    names = head[1]
    if len(names) < 2 or names[0] != "account" or "" in names or len({*names}) < len(names):
        raise InputError("{file}: its first line must be account,language,region or the like", file=path)
    for number, row in lines:
        if len(row) != len(names) or not row[0]:
            raise InputError(
                "{file}: line {line} must have {count} cells, the first of them an account",
                file=path, line=number, count=len(names),
            )  # fmt: skip
    accounts = [row[0] for _, row in lines]
    if twice := [account for account, times in Counter(accounts).items() if times > 1]:
        raise InputError("{file}: {account!r} is there more than once", file=path, account=twice[0])
    columns = {name: [row[place] for _, row in lines] for place, name in enumerate(names) if place}
    for name, groups in columns.items():
        if len({*groups}) > MAX_VALUES:
            raise InputError("{file}: {column} has more than {most} groups", file=path, column=name, most=MAX_VALUES)
    return Grouping(accounts, columns)
