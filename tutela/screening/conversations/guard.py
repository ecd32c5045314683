"""Guards of learning: what no single hand may teach, and what a new model must not do worse than the one before.

A lesson counts where two people confirmed it, once for all its near copies, and at most so much from one account or one
reviewer. What ordinary people say is no lesson, nor is what stands among it and is like nothing that was confirmed of
anybody else; where many such are given, it is a campaign, and nothing is learnt.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from tutela.content.words import fold
from tutela.errors import InputError
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.model import TalkModel
from tutela.screening.conversations.training import Labelled, standings

MOST_OF_ACCOUNT = 1 / 20
MOST_OF_REVIEWER = 1 / 4
"""Of the weight of all lessons. Two people confirm each, so that one alone teaches nothing."""
MOST_ORDINARY = 0.05
"""Of the lessons may be what ordinary people say as well; they are left out."""
LEAST_STANDING = 0.6
"""The share of ordinary messages that a lesson must be over, by a head that was shown no lesson of its account."""
MOST_STANDING_LOW = 1 / 3
"""Of the lessons may stand lower; they are left out."""
_ROUNDS = 60
_MORE_ALARMS = 1.1
_LESS_RECALL = 0.05
_MOVED_BY_IDENTITY = 0.05
"""Standard deviations that a sentence may move by when the term for who somebody is is swapped."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A message of an account about which people decided finally that it approaches a child."""

    text: str
    stage: ConversationStage
    account: str
    """A pseudonym."""
    reviewers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Canaries:
    """Benign talk that a model must leave alone."""

    hard: tuple[str, ...]
    swaps: tuple[tuple[str, str], ...]
    """Two sentences that differ by a term for who somebody is."""


def canaries() -> Canaries:
    """Those that come with Tutela."""
    text = (files("tutela.screening.conversations") / "canaries.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)
    swaps = [(one.format(first), one.format(second)) for one in read["sentences"] for first, second in read["terms"]]
    return Canaries(tuple(read["hard"]), tuple(swaps))


def weigh(lessons: Sequence[Lesson], ordinary: Sequence[str]) -> list[Labelled]:
    """The lessons that count, with their weights. Raises InputError where nothing may be learnt from them."""
    confirmed = [one for one in lessons if len(one.reviewers) >= 2]
    if lessons and not confirmed:
        raise InputError(
            "none of {count} messages was confirmed by two people: let cases of contacts have a second opinion"
            ' (second_opinion = ["confirm"] in [cases.default])',
            count=len(lessons),
        )
    said = {fold(text) for text in ordinary}
    by_form: dict[str, Lesson] = {}
    for lesson in confirmed:
        by_form.setdefault(fold(lesson.text), lesson)
    by_form.pop("", None)
    unusual = [lesson for form, lesson in by_form.items() if form not in said]
    if by_form and 1 - len(unusual) / len(by_form) > MOST_ORDINARY:
        raise InputError(
            "{count} of {all} lessons are what ordinary people say: nothing is learnt from a campaign",
            count=len(by_form) - len(unusual),
            all=len(by_form),
        )
    unusual = _standing_out(unusual, ordinary)
    least = round(1 / MOST_OF_ACCOUNT)
    if (accounts := len({lesson.account for lesson in unusual})) < least:
        raise InputError(
            "confirmed cases are of {accounts} accounts: at least {least} are needed, so that none teaches too much",
            accounts=accounts,
            least=least,
        )
    weights = _capped(unusual)
    return [Labelled(one.text, one.stage, float(weight)) for one, weight in zip(unusual, weights, strict=True)]


def _standing_out(lessons: list[Lesson], ordinary: Sequence[str]) -> list[Lesson]:
    """The lessons without those that stand among ordinary talk: decisions that were flipped are of that kind."""
    if not lessons or not ordinary:
        return lessons
    given = [Labelled(one.text, one.stage) for one in lessons]
    low = standings(given, [one.account for one in lessons], ordinary) < LEAST_STANDING
    if low.mean() > MOST_STANDING_LOW:
        raise InputError(
            "{count} of {all} lessons are like ordinary talk, and like nothing that was confirmed of anybody else:"
            " nothing is learnt from them",
            count=int(low.sum()),
            all=len(lessons),
        )
    return [one for one, among in zip(lessons, low, strict=True) if not among]


def compare(before: TalkModel | None, after: TalkModel, confirmed: Sequence[str], benign: Canaries) -> None:
    """Raise InputError where a new model is worse: it alarms more about benign talk, finds less of what was
    confirmed, or moves with who somebody is."""
    hard_after = float(after.score(benign.hard).trust.sum())
    hard_before = float(before.score(benign.hard).trust.sum()) if before is not None else 0.25 * len(benign.hard)
    if hard_after > _MORE_ALARMS * hard_before + 1.0:
        raise InputError("the new model would alarm more about benign talk: the one before stays")
    first, second = (after.score([pair[side] for pair in benign.swaps]).trust for side in (0, 1))
    if len(first) and float(np.abs(first - second).mean()) > _MOVED_BY_IDENTITY:
        raise InputError("the new model moves with who somebody is: the one before stays")
    if before is not None and len(confirmed):
        found = [float((model.score(confirmed).trust > 0).mean()) for model in (before, after)]
        if found[1] < found[0] - _LESS_RECALL:
            raise InputError("the new model finds less of what was confirmed: the one before stays")


def _capped(lessons: Sequence[Lesson]) -> list[float]:
    """Weights under which no account and no reviewer has more than their share."""
    weights = np.ones(len(lessons))
    groups: list[tuple[list[int], float]] = []
    for most, names in ((MOST_OF_ACCOUNT, _of_account), (MOST_OF_REVIEWER, _of_reviewers)):
        by_name: dict[str, list[int]] = {}
        for place, lesson in enumerate(lessons):
            for name in names(lesson):
                by_name.setdefault(name, []).append(place)
        # With so few reviewers that their shares cannot be kept, each may have what is even.
        share = max(most, 2 / len(by_name)) if names is _of_reviewers and by_name else most
        groups += [(places, share) for places in by_name.values()]
    for _ in range(_ROUNDS):
        for places, share in groups:
            own, total = weights[places].sum(), weights.sum()
            if own > share * total:
                weights[places] *= share * total / own
    return [float(weight) for weight in weights / max(weights.max(), 1e-12)]


def _of_account(lesson: Lesson) -> Iterable[str]:
    return (lesson.account,)


def _of_reviewers(lesson: Lesson) -> Iterable[str]:
    return lesson.reviewers
