"""Guards of learning: what no single hand may teach, and what a new model must not do worse than the one before.

A lesson counts where two people confirmed it, once for all its near copies, and at most so much from one account or one
reviewer. What ordinary people say is no lesson, nor is what stands among it (by n-grams or, with an encoder, by
meaning) and is like nothing that was confirmed of anybody else; where many such are given, it is a campaign, and
nothing is learnt.
"""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from tutela.content.words import fold
from tutela.errors import InputError
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.model import TalkModel
from tutela.screening.conversations.training import Labelled, folds, share_under, standings
from tutela.screening.conversations.vectors import Vectors, held_out, learn

MOST_OF_ACCOUNT = 1 / 20
MOST_OF_REVIEWER = 1 / 4
"""Of the weight of all lessons. Two people confirm each, so that one alone teaches nothing."""
MOST_ORDINARY = 0.05
"""Of the lessons may be what ordinary people say as well; they are left out."""
LEAST_STANDING = 0.6
"""The share of ordinary messages that a lesson must be over, by a head that was shown no lesson of its account …"""
LEAST_STANDING_BY_VECTORS = 0.9
"""… and by vectors, which tell far more of what nobody said in these words before."""
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


@dataclass(frozen=True, slots=True)
class OperatorEncoder:
    """The operator's encoder, and the vectors of the first ordinary messages."""

    encode: Callable[[Sequence[str]], Vectors]
    ordinary: Vectors


def weigh(lessons: Sequence[Lesson], ordinary: Sequence[str], encoder: OperatorEncoder | None = None) -> list[Labelled]:
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
    accounts_of: dict[str, set[str]] = {}
    for lesson in confirmed:
        by_form.setdefault(form := fold(lesson.text), lesson)
        accounts_of.setdefault(form, set()).add(lesson.account)
    by_form.pop("", None)
    shared = {form for form, accounts in accounts_of.items() if len(accounts) > 1}
    unusual = {form: lesson for form, lesson in by_form.items() if form not in said}
    if by_form and 1 - len(unusual) / len(by_form) > MOST_ORDINARY:
        raise InputError(
            "{count} of {all} lessons are what ordinary people say: nothing is learnt from a campaign",
            count=len(by_form) - len(unusual),
            all=len(by_form),
        )
    again = np.array([form in shared for form in unusual], bool)
    counted = _standing_out([*unusual.values()], again, ordinary, encoder)
    least = round(1 / MOST_OF_ACCOUNT)
    if (accounts := len({account for one in counted for account in accounts_of[fold(one.text)]})) < least:
        raise InputError(
            "confirmed cases are of {accounts} accounts: at least {least} are needed, so that none teaches too much",
            accounts=accounts,
            least=least,
        )
    weights = _capped(counted, lambda one: () if fold(one.text) in shared else (one.account,))
    return [Labelled(one.text, one.stage, float(weight)) for one, weight in zip(counted, weights, strict=True)]


def _standing_out(
    lessons: list[Lesson], again: npt.NDArray[np.bool_], ordinary: Sequence[str], encoder: OperatorEncoder | None
) -> list[Lesson]:
    """The lessons without those that stand among ordinary talk: decisions that were flipped are of that kind. What was
    confirmed of another account too (`again`) is like something that was, whatever else it is like."""
    if not lessons or not ordinary:
        return lessons
    low = _stands_low(lessons, ordinary, encoder) & ~again
    if low.mean() > MOST_STANDING_LOW:
        raise InputError(
            "{count} of {all} lessons are like ordinary talk, and like nothing that was confirmed of anybody else:"
            " nothing is learnt from them",
            count=int(low.sum()),
            all=len(lessons),
        )
    return [one for one, among in zip(lessons, low, strict=True) if not among]


def _stands_low(
    lessons: Sequence[Lesson], ordinary: Sequence[str], encoder: OperatorEncoder | None
) -> npt.NDArray[np.bool_]:
    """Which lessons stand among ordinary talk: by n-grams or by vectors, whichever of them sets lessons apart more."""
    groups = [one.account for one in lessons]
    by_words = standings([Labelled(one.text, one.stage) for one in lessons], groups, ordinary)
    found: npt.NDArray[np.bool_] = by_words < LEAST_STANDING
    if encoder is None:
        return found
    vectors, by_vectors = encoder.encode([one.text for one in lessons]), np.zeros(len(lessons))
    for rows, shown in folds(groups):
        model = learn(vectors[shown], encoder.ordinary)
        by_vectors[rows] = share_under(model.nearness(held_out(encoder.ordinary)), model.nearness(vectors[rows]))
    return by_vectors < LEAST_STANDING_BY_VECTORS if by_vectors.mean() > by_words.mean() else found


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


def _capped(lessons: Sequence[Lesson], of_account: Callable[[Lesson], Iterable[str]]) -> list[float]:
    """Weights under which no account and no reviewer has more than their share; what was confirmed of several accounts
    none of them taught alone."""
    weights = np.ones(len(lessons))
    groups: list[tuple[list[int], float]] = []
    for most, names in ((MOST_OF_ACCOUNT, of_account), (MOST_OF_REVIEWER, _of_reviewers)):
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


def _of_reviewers(lesson: Lesson) -> Iterable[str]:
    return lesson.reviewers
