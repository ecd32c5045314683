"""How near a sample must come to an entry, and how good both must be: by the bank's policy, and by their views."""

from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ, shows_enough
from tutela.content.signals.registry import composite_type, signal_type
from tutela.content.signals.vpdq import VPDQ
from tutela.content.views.thresholds import largest_distance, need
from tutela.content.views.view import TURNS
from tutela.lists.banks.model import Bank, BankKind, Listed

POOR_QUALITY = 20
"""From here on a picture that is poorer than its bank asks for holds, where it is ..."""
POOR_DISTANCE = 10
"""... so near."""


def threshold(bank: Bank, signal: str) -> int:
    """The distance within which a bank's entries of a type match. An allow list is exact unless it says otherwise."""
    default = 0 if bank.kind is BankKind.ALLOW else signal_type(signal).default_threshold
    return bank.policy.thresholds.get(signal, default)


def limit(sample: Sample, listed: Listed) -> int:
    """A bank's threshold for a sample. A view that is one of many must come nearer, but for a turned one of a video:
    the other frames speak for it."""
    filmed = _are_frames(sample, listed)
    views = [view for view in (sample.view, listed.view) if not (filmed and view in TURNS)]
    return largest_distance(threshold(listed.bank, _compared_as(sample, listed)), *views)


def radius(bank: Bank, sample: Sample) -> int:
    """How far a bank's entries may be from a sample; the frames of its videos are listed as pictures."""
    most = largest_distance(threshold(bank, sample.signal), sample.view)
    if sample.signal != PDQ.name:
        return most
    of_videos = threshold(bank, VPDQ.name)
    turned_frame = sample.seconds is not None and sample.view in TURNS
    return max(most, of_videos if turned_frame else largest_distance(of_videos, sample.view))


def good_enough(sample: Sample, listed: Listed) -> bool:
    """Whether a sample and what is near it are both of a quality that counts for its bank."""
    return _reach(sample, listed, filmed=_are_frames(sample, listed))


def good_enough_alone(sample: Sample, listed: Listed) -> bool:
    """Whether both would count if they were no frames of videos."""
    return _reach(sample, listed, filmed=False)


def is_poor(sample: Sample, needed: int) -> bool:
    """Whether a whole picture shows too little to match, and enough for a person to look where an entry is very near: a
    copy of a tenth of the contrast has the same hash, and a third of the quality."""
    known = sample.signal == PDQ.name and need(sample.view).ceiling is None and sample.quality is not None
    return known and POOR_QUALITY <= (sample.quality or 0) < needed


def near_though_poor(sample: Sample, listed: Listed, distance: int) -> bool:
    """Whether an entry holds a sample that is too poor to match."""
    bank = listed.bank
    listed_enough = listed.quality is None or listed.quality >= POOR_QUALITY
    is_candidate = bank.kind is BankKind.KNOWN and listed.seconds is None and need(listed.view).ceiling is None
    return (
        is_candidate
        and listed_enough
        and distance <= min(POOR_DISTANCE, limit(sample, listed))
        and is_poor(sample, needed_quality(bank.policy.min_quality, sample.view, filmed=False))
    )


def needed_quality(min_quality: int, view: str, filmed: bool) -> int:
    """The quality from which on a view counts: the bank's, and that of its family. Among frames of videos only the
    bank's, because there one alone is no match: a run of them must agree."""
    return min_quality if filmed else max(min_quality, need(view).quality)


def _reach(sample: Sample, listed: Listed, *, filmed: bool) -> bool:
    return (filmed or shows_enough(sample)) and all(
        one.quality is None or one.quality >= needed_quality(listed.bank.policy.min_quality, one.view, filmed)
        for one in (sample, listed)
    )


def _are_frames(sample: Sample, listed: Listed) -> bool:
    return sample.seconds is not None and listed.seconds is not None


def _compared_as(sample: Sample, listed: Listed) -> str:
    """The signal type whose threshold counts: a frame's is that of its video."""
    return listed.entry.signal if composite_type(listed.entry.signal) else sample.signal
