"""A model of made-up wording A among benign chats, benign accounts that it never saw, and how early it finds planted
talk. It compares designs and says nothing about real grooming.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.support.recruiter import WORDING_A, Talk, benign_talks, first, plant, positives, split
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.model import TalkModel
from tutela.screening.conversations.training import Labelled, train

HALF_SPEED_AT = 40
"""An alarm at this message has half the speed of one at the first."""
_PENALTY = math.log(3) / (HALF_SPEED_AT - 1)


@dataclass(frozen=True)
class World:
    """A model, benign accounts that it never saw, and the threshold that one in a hundred of those comes to."""

    model: TalkModel
    calibration: list[Talk]
    test: list[Talk]
    threshold: float

    @classmethod
    def made(cls) -> "World":
        """Of `chitchat-dataset`, always the same."""
        learnt, calibration, test = split(benign_talks())
        ordinary = [line for talk in learnt for line in talk.lines]
        random.Random(3).shuffle(ordinary)
        model = train([Labelled(*one) for one in positives(WORDING_A)], ordinary[:6_000])
        calibration, test = [[first(talk) for talk in talks] for talks in (calibration, test)]
        bare = cls(model, calibration, test, 0.0)
        heights = sorted((bare.height(talk) for talk in calibration + test), reverse=True)
        return cls(model, calibration, test, heights[len(heights) // 100])

    def height(self, talk: Talk) -> float:
        """The evidence of a whole talk."""
        return float(self.model.score(talk.lines).trust.sum())

    def recall(self, talks: list[Talk]) -> float:
        """The share of talks over the threshold."""
        return float(np.mean([self.height(talk) > self.threshold for talk in talks]))

    def alarm_at(self, talk: Talk) -> int | None:
        """The message, from 1 on, at which a talk comes over the threshold; None where it does not."""
        return alarm_at(np.cumsum(self.model.score(talk.lines).trust), self.threshold)

    def planted(
        self,
        share: float,
        count: int,
        disguise: Callable[[str], str] = str,
        wording: dict[ConversationStage, tuple[str, ...]] = WORDING_A,
    ) -> list[Talk]:
        """Benign talks in which a recruiter wrote that share of the lines."""
        chance = random.Random(int(share * 100))
        talks = [plant(chance.choice(self.test), wording, share, chance) for _ in range(count)]
        lines = [
            tuple(disguise(line) if hidden else line for line, hidden in zip(talk.lines, talk.planted, strict=True))
            for talk in talks
        ]
        return [Talk(talk.account, those, talk.planted) for talk, those in zip(talks, lines, strict=True)]


def alarm_at(heights: np.ndarray, threshold: float) -> int | None:
    """The first message, from 1 on, at which heights come over a threshold."""
    over = np.flatnonzero(np.asarray(heights) > threshold)
    return int(over[0]) + 1 if len(over) else None


def f_latency(alarms: Sequence[int | None], wrong: int, benign: int) -> float:
    """F1 over as many planted as benign accounts, times the speed of the true alarms (Sadeque et al., 2018)."""
    found = [at for at in alarms if at is not None]
    if not found:
        return 0.0
    recall, false_rate = len(found) / len(alarms), wrong / benign
    precision = recall / (recall + false_rate)
    penalties = [-1 + 2 / (1 + math.exp(-_PENALTY * (at - 1))) for at in found]
    return 2 * precision * recall / (precision + recall) * (1 - float(np.median(penalties)))
