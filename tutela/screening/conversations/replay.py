"""Replay: the ledger's last days once more, by another policy. Nothing is raised; what would have been is counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutela.errors import InputError
from tutela.screening.conversations.calibration import MILLION, Threshold, threshold
from tutela.screening.conversations.events import CLEARED, AgeBand
from tutela.screening.conversations.ledger import EventBatch
from tutela.screening.conversations.levels import Level
from tutela.screening.conversations.policy import RiskPolicy
from tutela.screening.conversations.records import Pseudonyms
from tutela.screening.conversations.scorers.contacts import CONTACTS
from tutela.screening.conversations.state import ACCOUNT, FEATURES, RiskState
from tutela.screening.conversations.strata import Grouping, Stratum, strata
from tutela.screening.evaluation.intervals import interval


class Batches(Protocol):
    """A ledger, or several that are read as one."""

    def read(self) -> Iterator[EventBatch]:
        """Every batch, in its order."""
        ...


@dataclass(frozen=True, slots=True)
class WouldBe:
    """How many accounts a rule, or a level, would have alarmed about."""

    accounts: int
    per_million: float
    least_per_million: float
    most_per_million: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy would have made of the ledger."""

    accounts: int
    events: int
    days: float
    levels: Mapping[str, WouldBe]
    rules: Mapping[str, WouldBe]
    """Rules in shadow too."""
    unknown: Mapping[str, int]
    """Rules that could not be told, and how often."""
    by_age: Mapping[str, Stratum]
    """How often accounts of each age band would have been alarmed about."""
    by_group: Mapping[str, Mapping[str, Stratum]]
    """The same of each group that a service told, by what tells them apart."""


def replay(ledger: Batches, policy: RiskPolicy, grouping: Grouping, pseudonyms: Pseudonyms) -> Replayed:
    """Judge every event of the ledger by a policy. An account counts once for each rule and for its highest level."""
    state = _state(policy.gates)
    highest: dict[int, Level] = {}
    by_rule: dict[str, set[int]] = {rule.name: set() for rule in policy.rules}
    unknown: dict[str, int] = {}
    events, first_ms, last_ms = 0, None, 0
    for batch in ledger.read():
        events += int(((batch.records["kind"] > 0) & (batch.records["kind"] < CLEARED)).sum())
        first_ms = int(batch.records["received_s"][0]) if first_ms is None else first_ms
        last_ms = int(batch.records["received_s"][-1])
        for crossing in state.apply(batch.records):
            judged = policy.judge(crossing.features)
            highest[crossing.account] = max(judged.level, highest.get(crossing.account, Level.NONE))
            for name in (*judged.rules, *(name for name, _ in judged.shadow)):
                by_rule[name].add(crossing.account)
            for name in judged.unknown:
                unknown[name] = unknown.get(name, 0) + 1
    accounts = state.table.accounts
    levels = {
        level.word: _would_be(sum(found is level for found in highest.values()), accounts)
        for level in (Level.NOTICE, Level.REVIEW, Level.URGENT)
    }
    rules = {name: _would_be(len(found), accounts) for name, found in by_rule.items()}
    days = (last_ms - (first_ms or 0)) / 86_400
    alarmed = {account for account, level in highest.items() if level is not Level.NONE}
    by_group = _by_group(state, alarmed, grouping, pseudonyms)
    events -= state.table.odd[0]
    return Replayed(accounts, events, days, levels, rules, unknown, _by_age(state, alarmed), by_group)


def _by_age(state: RiskState, alarmed: Set[int]) -> dict[str, Stratum]:
    counts = np.zeros(len(AgeBand), np.int64)
    for number in range(state.table.account_chunks()):
        counts += np.bincount(np.frombuffer(state.table.account_chunk(number), ACCOUNT)["band"], minlength=len(AgeBand))
    names = [band.name.lower().replace("_", "-") for band in AgeBand]
    everybody = Counter({name: int(count) for name, count in zip(names, counts, strict=True) if count})
    known = [state.account(account) for account in alarmed]
    return strata(Counter(names[one["band"]] for one in known if one is not None), everybody)


def _by_group(
    state: RiskState, alarmed: Set[int], grouping: Grouping, pseudonyms: Pseudonyms
) -> dict[str, dict[str, Stratum]]:
    """Of the accounts that are in the state and whose group is told."""
    keys = pseudonyms.all(grouping.accounts).tolist()
    known = [key if state.account(key) is not None else None for key in keys]
    found = {}
    for name, groups in grouping.columns.items():
        told = [(key, group) for key, group in zip(known, groups, strict=True) if key is not None and group]
        everybody = Counter(dict(Counter(group for _, group in told).most_common()))
        found[name] = strata(Counter(group for key, group in told if key in alarmed), everybody)
    return found


def calibrated(ledger: Batches, feature: str, budget_per_million: float) -> Threshold:
    """The threshold of a feature that keeps a budget, by what accounts of the ledger came to.

    Raises InputError for an unknown feature, BudgetError where there are too few accounts.
    """
    if feature not in FEATURES:
        raise InputError(
            "there is no feature {feature!r}; there are {features}", feature=feature, features=", ".join(FEATURES)
        )
    return threshold(heights(ledger, feature), budget_per_million)


def heights(ledger: Batches, feature: str) -> npt.NDArray[np.float32]:
    """The highest value of a feature that each account came to, shape (accounts,); those without any are 0."""
    state, place = _state([(feature, np.nextafter(np.float32(0), np.float32(1)))]), FEATURES.index(feature)
    found: dict[int, float] = {}
    for batch in ledger.read():
        for crossing in state.apply(batch.records):
            value = float(crossing.features[place])
            if value > found.get(crossing.account, 0.0):
                found[crossing.account] = value
    values = np.zeros(max(len(found), state.table.accounts), np.float32)
    values[: len(found)] = list(found.values())
    return values


def _state(gates: list[tuple[str, float]]) -> RiskState:
    state = RiskState()
    state.weigh(CONTACTS.scales, CONTACTS.weights)
    state.watch([(name, float(value)) for name, value in gates])
    return state


def _would_be(found: int, accounts: int) -> WouldBe:
    low, high = interval(found, accounts)
    return WouldBe(found, MILLION * found / accounts if accounts else 0.0, low * MILLION, high * MILLION)
