"""Training: decided messages and ordinary ones become a model. Deterministic: equal texts in equal order, equal bytes.

Ordinary messages are free and matter most: a wording that nobody confirmed is told by all that is not like it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.content.words import fold, folding
from tutela.errors import InputError
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.model import (
    DRIFT_SHARE,
    GATE_SHARES,
    MAIN_BITS,
    OTHER_BITS,
    OTHERS,
    TalkModel,
    sums,
)

LEAST_ORDINARY = 6_000
"""Fewer ordinary messages are refused."""
LEAST_POSITIVE = 20
EPOCHS, RATE, DECAY, CONSTANT = 8, 0.1, 1e-6, -8.0
RANK_CONSTANT = -2.0
"""Higher than the other, so that ordinary talk teaches the head that ranks."""
_HELD_OUT = 5
"""Every fifth ordinary message is not learnt from, but tells how ordinary talk scores."""
_MOST_WEIGHT = 10.0
_MOST_WORDS = 50_000
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message that people decided about."""

    text: str
    stage: ConversationStage
    weight: float = 1.0


def train(
    positives: Sequence[Labelled],
    ordinary: Sequence[str],
    nearness: npt.NDArray[np.float32] | None = None,
    *,
    least_ordinary: int = LEAST_ORDINARY,
) -> TalkModel:
    """A model. Raises InputError where there is too little to learn from.

    `nearness` is how near the first ordinary messages come to what was confirmed, by their vectors (`vectors.py`): from
    it n-grams learn which messages a vector would tell more about.
    """
    positives = _once(positives)
    if len(positives) < LEAST_POSITIVE or len(ordinary) < least_ordinary:
        raise InputError(
            "too little to learn from: {positives} messages that people confirmed and that stand out from ordinary"
            " talk (at least {least_positive}), and {ordinary:,} ordinary ones (at least {least_ordinary:,})",
            positives=len(positives),
            least_positive=LEAST_POSITIVE,
            ordinary=len(ordinary),
            least_ordinary=least_ordinary,
        )
    learnt = [text for place, text in enumerate(ordinary) if place % _HELD_OUT]
    held_out = [text for place, text in enumerate(ordinary) if place % _HELD_OUT == 0]
    texts = [one.text for one in positives] + learnt
    main = _main(positives, learnt)
    other = _stages(positives, learnt)
    words = _words(texts)
    strange = _native.familiarity(held_out, folding(), words)[:, :2].sum(axis=0)
    share = float(strange[1] / max(1, strange[0]))
    usual = _usual(main, held_out)
    made_from = {
        "positive": str(len(positives)),
        "ordinary": str(len(ordinary)),
        "digest": hashlib.sha256("\0".join([*texts, *held_out]).encode("utf-8", "replace")).hexdigest(),
    }
    drift = float(np.quantile(usual, DRIFT_SHARE))
    rank = None if nearness is None else _rank(positives, ordinary, nearness)
    ranked = usual if rank is None else _usual(rank, held_out, True)
    gates = float(np.quantile(ranked, GATE_SHARES[0])), float(np.quantile(ranked, GATE_SHARES[1]))
    return TalkModel(
        main, other, words, share, float(usual.mean()), float(usual.std()) or 1.0, drift, gates, rank, made_from
    )


def _usual(head: npt.NDArray[np.int8], ordinary: Sequence[str], by_words: bool = False) -> npt.NDArray[np.float32]:
    """A head's sums of those ordinary texts that have n-grams."""
    found = sums(head, ordinary, by_words)
    return found[found > -1e8]


def _words(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The commonest words of these texts, those that stand in two of them at least, and their letters."""
    counts = Counter(word for text in texts for word in set(_native.normal_form(text, folding())[0].split()))
    known = sorted((word for word, count in counts.items() if count >= 2), key=lambda word: (-counts[word], word))
    known = known[:_MOST_WORDS]
    return _native.known_words([*known, *sorted({letter for word in known for letter in word})])


def standings(positives: Sequence[Labelled], groups: Sequence[str], ordinary: Sequence[str]) -> npt.NDArray[np.float64]:
    """For each message which share of ordinary ones scores less, by a head that was shown nothing of its group; shape
    (positives,). One that stands among the ordinary is like nothing that was confirmed of anybody else.
    """
    learnt = [text for place, text in enumerate(ordinary) if place % _HELD_OUT]
    held_out = [text for place, text in enumerate(ordinary) if place % _HELD_OUT == 0]
    found = np.zeros(len(positives))
    for rows, shown in folds(groups):
        head = _main([positives[row] for row in shown], learnt)
        found[rows] = share_under(sums(head, held_out), sums(head, [positives[row].text for row in rows]))
    return found


def folds(groups: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Rows to judge, and rows of other groups to learn from; each row is judged once, unless there is one group."""
    part_of = {group: place % _FOLDS for place, group in enumerate(dict.fromkeys(groups))}
    for part in range(_FOLDS):
        rows = [row for row, group in enumerate(groups) if part_of[group] == part]
        shown = [row for row, group in enumerate(groups) if part_of[group] != part]
        if rows and shown:
            yield rows, shown


def share_under(usual: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Of each score, which share of the usual ones is under it."""
    return np.searchsorted(np.sort(usual), scores) / max(1, len(usual))


def _main(positives: Sequence[Labelled], learnt: Sequence[str]) -> npt.NDArray[np.int8]:
    """The main head: what was confirmed, told from ordinary talk by sound."""
    return _told(positives, learnt, np.zeros(len(learnt), np.float32))


def _told(
    positives: Sequence[Labelled],
    learnt: Sequence[str],
    like: npt.NDArray[np.float32],
    by_words: bool = False,
    constant: float = CONSTANT,
) -> npt.NDArray[np.int8]:
    """A head that tells what was confirmed from ordinary messages; from 0 to 1, how much each is `like` it."""
    targets = np.concatenate([np.ones(len(positives), np.float32), like])
    balance = min(_MOST_WEIGHT, len(learnt) / len(positives))
    weights = np.array([one.weight * balance for one in positives] + [1.0] * len(learnt), np.float32)
    texts = [*(one.text for one in positives), *learnt]
    return _whole(_head(texts, targets, weights, MAIN_BITS, by_words, constant)[:-1])


def _rank(
    positives: Sequence[Labelled], ordinary: Sequence[str], nearness: npt.NDArray[np.float32]
) -> npt.NDArray[np.int8]:
    """The head that ranks: in equal parts how unlike ordinary talk the words are, and what they tell of the vectors'
    answer. The second reaches wordings nobody confirmed: ordinary messages teach which words come near in meaning."""
    learnt = [place for place in range(len(nearness)) if place % _HELD_OUT]
    texts = [ordinary[place] for place in learnt]
    held_out = [ordinary[place] for place in range(0, len(nearness), _HELD_OUT)]
    like = 1 / (1 + np.exp(np.quantile(nearness, DRIFT_SHARE) - nearness[learnt]))
    unlike = _told(positives, texts, np.zeros(len(texts), np.float32), True)
    near = _told(positives, texts, like.astype(np.float32), True, RANK_CONSTANT)
    first, second = (head / (float(_usual(head, held_out, True).std()) or 1.0) for head in (unlike, near))
    return _whole((first + second).astype(np.float32))


def _once(positives: Sequence[Labelled]) -> list[Labelled]:
    """Each text once, whatever it is folded from: a campaign of copies counts as one."""
    found: dict[str, Labelled] = {}
    for one in positives:
        found.setdefault(fold(one.text), one)
    return [one for form, one in found.items() if form]


def _stages(positives: Sequence[Labelled], ordinary: Sequence[str]) -> npt.NDArray[np.int8]:
    """A head for each stage, told from the other stages and from some ordinary talk."""
    table = np.zeros((1 << OTHER_BITS, OTHERS), np.int8)
    some = list(ordinary[:: max(1, len(ordinary) // (4 * len(positives)))])
    texts = [one.text for one in positives] + some
    weights = np.ones(len(texts), np.float32)
    for stage in ConversationStage:
        targets = np.array([float(one.stage is stage) for one in positives] + [0.0] * len(some), np.float32)
        if targets.any():
            table[:, stage.value - 1] = _whole(_head(texts, targets, weights, OTHER_BITS)[:-1])
    return table.reshape(-1)


def _head(
    texts: list[str],
    targets: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    bits: int,
    by_words: bool = False,
    constant: float = CONSTANT,
) -> npt.NDArray[np.float32]:
    return _native.train_head(texts, folding(), targets, weights, bits, by_words, EPOCHS, RATE, DECAY, constant)


def _whole(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """The weights as whole numbers up to 127: sums of them are the same on every processor."""
    largest = float(np.abs(weights).max()) or 1.0
    found: npt.NDArray[np.int8] = np.rint(weights / largest * 127).astype(np.int8)
    return found
