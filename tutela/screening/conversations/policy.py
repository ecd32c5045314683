"""The policy: a file of rules that say which counts of an account make it a notice, a review, or urgent.

A rule's `when` is an expression in CEL over a declared vocabulary. Rules run only where a feature reaches the least
that they ask of it, which is compiled out of them; a rule in shadow counts and has no effect; nothing here punishes
anybody.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

import cel
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tutela.errors import InputError
from tutela.screening.conversations.levels import Level
from tutela.screening.conversations.state import FEATURES

FILE = "risk.toml"
_WHEN_KEYS = frozenset(FEATURES)
_LEAST = re.compile(r"^\s*([a-z_]+)\s*(>=|>)\s*([0-9]+(?:\.[0-9]+)?)\s*$")
_NUMBER = re.compile(r"(?<![\w.])(\d+)(?![\w.])")


class RuleState(StrEnum):
    """Whether a rule has effects."""

    SHADOW = "shadow"
    LIVE = "live"


class RuleText(BaseModel):
    """A rule as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    when: str = Field(max_length=1_000)
    level: str = Field(pattern="^(notice|review|urgent)$")
    reason: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="What people are told first.")
    state: RuleState = RuleState.SHADOW
    budget_per_million: float | None = Field(default=None, gt=0, description="Alarms a million accounts and day.")


class PolicyText(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    author: str = Field(default="", max_length=128)
    rule: list[RuleText] = Field(default_factory=list, max_length=200)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, compiled."""

    name: str
    when: str
    level: Level
    reason: str
    state: RuleState
    budget_per_million: float | None
    program: cel.Program
    gates: tuple[tuple[str, float], ...]
    """One feature and the least that it must be, for each way in which the rule can hold."""

    def holds(self, features: Mapping[str, float]) -> bool | None:
        """Whether it holds; None where that cannot be told, which is counted and never taken for no."""
        try:
            answer = self.program.execute(dict(features))
        except (RuntimeError, ValueError, TypeError):
            return None
        return answer if isinstance(answer, bool) else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules make of an account."""

    level: Level
    rules: tuple[str, ...]
    """The live ones that hold, the highest level first."""
    reasons: tuple[str, ...]
    shadow: tuple[tuple[str, Level], ...]
    """Rules in shadow that would have held, and what they would have said."""
    unknown: tuple[str, ...]
    """Rules of which it cannot be told."""


class RiskPolicy:
    """The rules of a deployment. Thread-safe."""

    def __init__(self, text: PolicyText, version: str) -> None:
        """Raises InputError for a rule that is not of the vocabulary, or that asks for no least of anything."""
        self.rules = tuple(_compiled(rule) for rule in text.rule)
        self.author = text.author
        self.version = version
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise InputError("two rules of the policy have the same name")

    @property
    def gates(self) -> list[tuple[str, float]]:
        """The least of each feature at which some rule must be asked."""
        least: dict[str, float] = {}
        for rule in self.rules:
            for name, value in rule.gates:
                least[name] = min(value, least.get(name, value))
        return sorted(least.items())

    def in_shadow(self) -> "RiskPolicy":
        """The same rules without any effect."""
        found = copy(self)
        found.rules = tuple(replace(rule, state=RuleState.SHADOW) for rule in self.rules)
        return found

    def judge(self, features: npt.NDArray[np.float32]) -> Judgement:
        """What the rules make of these features, in the order of `FEATURES`."""
        named = dict(zip(FEATURES, map(float, features), strict=True))
        held: list[Rule] = []
        shadow: list[tuple[str, Level]] = []
        unknown: list[str] = []
        for rule in self.rules:
            match rule.holds(named), rule.state:
                case True, RuleState.LIVE:
                    held.append(rule)
                case True, _:
                    shadow.append((rule.name, rule.level))
                case None, _:
                    unknown.append(rule.name)
        held.sort(key=lambda rule: -rule.level)
        level = held[0].level if held else Level.NONE
        return Judgement(
            level,
            tuple(rule.name for rule in held),
            tuple(dict.fromkeys(rule.reason for rule in held)),
            tuple(shadow),
            tuple(unknown),
        )


def read_policy(path: Path | None) -> RiskPolicy:
    """The policy in a file; the one that is shipped where there is none. Raises InputError."""
    own = path is not None and path.exists()
    name = str(path) if own else FILE
    try:
        text = path.read_text(encoding="utf-8") if path is not None and own else _shipped()
        return RiskPolicy(PolicyText.model_validate(tomllib.loads(text)), _version(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError("{name} cannot be read: {error}", name=name, error=error) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "{name}: {loc}: {msg}", name=name, loc=".".join(map(str, first["loc"])), msg=first["msg"]
        ) from None


def _shipped() -> str:
    return (files("tutela.screening.conversations") / FILE).read_text(encoding="utf-8")


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _compiled(rule: RuleText) -> Rule:
    """A rule whose whole numbers are read as what features are. Raises InputError."""
    when = _NUMBER.sub(r"\1.0", rule.when)
    try:
        program = cel.compile(when)
    except (ValueError, RuntimeError) as error:
        raise InputError("rule {name}: {error}", name=rule.name, error=str(error).splitlines()[0][:200]) from None
    if unknown := sorted(set(program.variables()) - _WHEN_KEYS):
        raise InputError(
            "rule {name}: there is no {unknown}; there are {features}",
            name=rule.name,
            unknown=", ".join(unknown),
            features=", ".join(FEATURES),
        )
    answer = Rule(rule.name, when, Level.NONE, rule.reason, rule.state, None, program, ()).holds(
        dict.fromkeys(FEATURES, 0.0)
    )
    if answer is None:
        raise InputError("rule {name}: does not come to true or false", name=rule.name)
    if answer:
        raise InputError("rule {name}: holds of an account that did nothing", name=rule.name)
    return Rule(
        rule.name, when, Level[rule.level.upper()], rule.reason, rule.state, rule.budget_per_million, program,
        _gates(rule.name, when),
    )  # fmt: skip


def _gates(name: str, when: str) -> tuple[tuple[str, float], ...]:
    """For each alternative of the expression one of its comparisons `feature >= number`: nothing less can hold."""
    found = []
    for alternative in _split(when, "||"):
        inner = alternative.strip()
        least = [match for part in _split(inner, "&&") if (match := _LEAST.match(part)) and float(match[3]) > 0]
        if not least:
            raise InputError("rule {name}: each alternative must ask for a least: feature >= number && …", name=name)
        rarest = next((match for match in least if match[1] not in _COMMON), least[0])
        found.append((rarest[1], float(rarest[3])))
    return tuple(found)


_COMMON = frozenset({"share_minors", "acceptance", "stages", "age_days", "is_minor", "contacts_week", "requests_week"})


def _split(text: str, sign: str) -> Sequence[str]:
    """The parts of an expression between signs that stand in no brackets."""
    parts, depth, begin = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and text.startswith(sign, place):
            parts.append(text[begin:place])
            begin = place + len(sign)
    return [*parts, text[begin:]]
