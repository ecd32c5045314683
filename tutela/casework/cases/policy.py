"""What happens to cases, as data: by bank, with a default for what no bank's policy names.

A match only ever touches content. Accounts are touched by a person's decision, and only where the
operator's policy says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tutela.casework.cases.outcomes import ACCOUNT_EFFECTS, CONTACT_EFFECTS, Effect, Outcome
from tutela.foundation.options import OptionError, require
from tutela.screening.reason_codes import require_overridable


@dataclass(frozen=True, slots=True)
class CasePolicy:
    """What a match, and each outcome, ask of the platform and of people. Raises InputError."""

    on_match: tuple[Effect, ...] = (Effect.HIDE,)
    """Effects requested at match time, before anyone has looked: on content only."""
    on_outcome: Mapping[Outcome, tuple[Effect, ...]] = field(
        default_factory=lambda: {Outcome.REJECT: (Effect.RESTORE,)}
    )
    """Effects requested when a decision is final, by its outcome."""
    second_opinion: frozenset[Outcome] = frozenset()
    """Outcomes that two people must agree on."""
    alarm_after_hours: float = 24.0
    """How long a case may be undecided; the alarm then repeats at the same interval."""

    def __post_init__(self) -> None:
        if punishing := ACCOUNT_EFFECTS & set(self.on_match):
            names = ", ".join(sorted(punishing))
            raise OptionError("on_match", "must not {names} an account: that takes a decision", names=names)
        of_contacts = CONTACT_EFFECTS & set(self.on_match)
        require(
            not of_contacts, "on_match", f"must not have {', '.join(sorted(of_contacts))}: a match is about content"
        )
        within = 1 / 60 <= self.alarm_after_hours <= 24 * 365
        require(within, "alarm_after_hours", "must be from a minute to a year: alarms repeat at most once a minute")
        for key in ("on_outcome", "second_opinion"):
            final = Outcome.ESCALATE not in getattr(self, key)
            require(final, key, "must not name escalate: it is not a final outcome, and nothing can follow from it")

    @property
    def alarm_after(self) -> timedelta:
        """How long a case may be undecided."""
        return timedelta(hours=self.alarm_after_hours)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long evidence is kept; what is undecided, or confirmed and not yet reported, is kept without a limit."""

    reported_days: float = 365.0
    """From the report: 18 U.S.C. 2258A(h) asks for one year."""
    against_rules_days: float = 90.0
    """From the decision that content is against the rules."""
    rejected_days: float = 30.0
    """From the decision that a match was false: time for a complaint about it."""

    def __post_init__(self) -> None:
        require(self.reported_days >= 1, "reported_days", "must be at least 1")
        for key in ("against_rules_days", "rejected_days"):
            require(getattr(self, key) >= 0, key, "must be at least 0")

    @property
    def reported(self) -> timedelta:
        """How long from the report."""
        return timedelta(days=self.reported_days)

    def after(self, outcome: Outcome) -> timedelta | None:
        """How long from the decision; None without a limit."""
        days = {
            Outcome.REJECT: self.rejected_days,
            Outcome.NOT_OURS: self.rejected_days,
            Outcome.NO_GROUND: self.rejected_days,
            Outcome.UPHOLD: self.rejected_days,
            Outcome.LIFT: self.rejected_days,
            Outcome.AGAINST_RULES: self.against_rules_days,
            Outcome.PASS_ON: self.reported_days,
        }.get(outcome)
        return None if days is None else timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one deployment."""

    default: CasePolicy = field(default_factory=CasePolicy)
    """For every bank that has no policy of its own."""
    banks: Mapping[str, CasePolicy] = field(default_factory=dict)
    """By bank; for what is not named, the default."""
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    """How long evidence is kept."""
    allow_bank: str = "rejected-matches"
    """The allow list that rejected matches go to; made on first use."""
    unsealed_reasons: frozenset[str] = frozenset()
    """Reason codes of holds that open no case and keep no evidence, such as unsupported-type."""

    def __post_init__(self) -> None:
        require_overridable(self.unsealed_reasons, "unsealed_reasons")

    def of(self, banks: Iterable[str]) -> tuple[CasePolicy, ...]:
        """The policies that apply to a match with these banks; the default where there are none."""
        found = tuple(self.banks.get(bank, self.default) for bank in dict.fromkeys(banks))
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

    @property
    def longest_alarm(self) -> timedelta:
        """The longest of all times that a case may be undecided."""
        return max(policy.alarm_after for policy in (self.default, *self.banks.values()))

    def alarm_after(self, banks: Iterable[str]) -> timedelta:
        """How long a case may be undecided: the shortest time that one of the policies gives."""
        return min(policy.alarm_after for policy in self.of(banks))
