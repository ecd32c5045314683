"""What happens to cases, as data: by bank, with a default for what no bank's policy names.

A match only ever touches content. Accounts are touched by a person's decision, and only where the
operator's policy says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tutela.casework.cases.model import ACCOUNT_EFFECTS, Effect, Outcome
from tutela.errors import InputError


@dataclass(frozen=True, slots=True)
class CasePolicy:
    """What a match, and each outcome, ask of the platform and of people. Raises InputError."""

    on_match: tuple[Effect, ...] = (Effect.HIDE,)
    """At match time, before anybody looked: effects on content only."""
    on_outcome: Mapping[Outcome, tuple[Effect, ...]] = field(
        default_factory=lambda: {Outcome.REJECT: (Effect.RESTORE,)}
    )
    """When a decision is final."""
    second_opinion: frozenset[Outcome] = frozenset()
    """Outcomes that two people must agree on."""
    alarm_after: timedelta = timedelta(hours=24)
    """How long a case may be undecided; the alarm then repeats at the same interval."""

    def __post_init__(self) -> None:
        if punishing := ACCOUNT_EFFECTS & set(self.on_match):
            raise InputError(f"a match alone must not {', '.join(sorted(punishing))} an account; let a decision do it")
        if self.alarm_after < timedelta(minutes=1):
            raise InputError("alarms repeat at most once a minute")
        if Outcome.ESCALATE in self.on_outcome or Outcome.ESCALATE in self.second_opinion:
            raise InputError("to escalate is no final outcome: nothing can follow from it")


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long evidence is kept; what is undecided, or confirmed and not yet reported, is kept without a limit."""

    reported: timedelta = timedelta(days=365)
    """From the report: 18 U.S.C. 2258A(h) asks for one year."""
    against_rules: timedelta = timedelta(days=90)
    """From the decision."""
    rejected: timedelta = timedelta(days=30)
    """From the decision: time for a complaint about it."""

    def after(self, outcome: Outcome) -> timedelta | None:
        """How long from the decision; None without a limit."""
        return {Outcome.REJECT: self.rejected, Outcome.AGAINST_RULES: self.against_rules}.get(outcome)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one deployment."""

    default: CasePolicy = field(default_factory=CasePolicy)
    by_bank: Mapping[str, CasePolicy] = field(default_factory=dict)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    allow_bank: str = "rejected-matches"
    """The allow list that rejected matches go to; made on first use."""
    unsealed_reasons: frozenset[str] = frozenset()
    """Reason codes of holds that open no case and keep no evidence, such as unsupported-type."""

    def of(self, banks: Iterable[str]) -> tuple[CasePolicy, ...]:
        """The policies that apply to a match with these banks; the default where there are none."""
        found = tuple(self.by_bank.get(bank, self.default) for bank in dict.fromkeys(banks))
        return found or (self.default,)

    def on_match(self, banks: Iterable[str]) -> tuple[Effect, ...]:
        """What a match with these banks asks of the platform: everything that one of their policies asks."""
        return tuple(dict.fromkeys(effect for policy in self.of(banks) for effect in policy.on_match))

    def on_outcome(self, banks: Iterable[str], outcome: Outcome) -> tuple[Effect, ...]:
        """What a final outcome asks of the platform."""
        return tuple(
            dict.fromkeys(effect for policy in self.of(banks) for effect in policy.on_outcome.get(outcome, ()))
        )

    def needs_second(self, banks: Iterable[str], outcome: Outcome) -> bool:
        """Whether two people must agree on this outcome."""
        return any(outcome in policy.second_opinion for policy in self.of(banks))

    def alarm_after(self, banks: Iterable[str]) -> timedelta:
        """How long a case may be undecided: the shortest time that one of the policies gives."""
        return min(policy.alarm_after for policy in self.of(banks))
