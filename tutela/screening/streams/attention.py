"""Whether every interval between key frames is looked into: where these show little, or what lies between them is like
neither, somebody may be hiding something there."""

from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.screening.streams.model import ScreenedFrames

ATTENDED_S = 60.0
"""After the last doubt."""
_POOR_QUALITY = 50
_OTHER_PICTURE = 60
"""Bits between the hashes of two frames that do not show the same scene."""


class Attention:
    """What the looks at one stream say of its key frames."""

    def __init__(self) -> None:
        self.attends = False
        self._until = float("-inf")
        self._key: Sample | None = None
        self._between: Sample | None = None

    def changes(self, frames: ScreenedFrames, whole: Sample, at: float) -> bool:
        """Whether a look at a frame, whose whole is hashed so, changes `attends`; `at` is on any clock."""
        if frames is ScreenedFrames.FOLLOWED:
            return False
        if frames is not ScreenedFrames.KEY:
            self._between = whole
        else:
            if self._is_doubtful(whole):
                self._until = at + ATTENDED_S
            self._key, self._between = whole, None
        before, self.attends = self.attends, at < self._until
        return self.attends != before

    def _is_doubtful(self, key: Sample) -> bool:
        if (key.quality or 0) < _POOR_QUALITY:
            return True
        if self._between is None or self._key is None:
            return False
        return _differ(self._between, key) and _differ(self._between, self._key)


def _differ(one: Sample, other: Sample) -> bool:
    return PDQ.distance(one.value, other.value) > _OTHER_PICTURE
