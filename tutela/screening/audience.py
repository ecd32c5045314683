"""Who takes the samples of a video as it is watched: searches them, and says when a match blocks the content anyway."""

from collections.abc import Sequence

from tutela.content.signals.base import WHOLE, Sample
from tutela.lists.banks.model import Action
from tutela.screening.matching import Matching

MAX_FRAMES_SHOWN = 1_000
"""Frames whose hashes a verdict lists; the rest are searched as well."""
_GROWTH = 1.25


class SearchingAudience:
    """Takes samples into a `Matching`. Not thread-safe."""

    def __init__(self, matching: Matching) -> None:
        self.shown: list[Sample] = []
        """What a verdict lists of what was taken: of frames only the whole as displayed, and not without end."""
        self._frames_shown = 0
        self._matching = matching
        self._near = 0
        self._judged = 0
        self._blocked = False

    def take(self, samples: Sequence[Sample]) -> bool:
        """Search samples. True when a match blocks the content: nothing that follows can change that."""
        frames = [sample for sample in samples if sample.seconds is not None and sample.view == WHOLE]
        frames = frames[: MAX_FRAMES_SHOWN - self._frames_shown]
        self._frames_shown += len(frames)
        self.shown += [sample for sample in samples if sample.seconds is None] + frames
        near = self._matching.add(samples)
        self._near += near
        if near and self._near >= self._judged * _GROWTH:
            self._judged = self._near
            self._blocked = any(
                match.action is Action.BLOCK and match.suppressed_by is None for match in self._matching.matches()
            )
        return self._blocked

    def undecided(self) -> Sequence[float]:
        """Seconds of frames that are near an entry which does not match yet."""
        return self._matching.undecided()
