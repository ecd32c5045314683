"""False matches: drawn scenes looked up in a million hashes of what other drawn scenes show.

No scene is in the bank, so every match is a false one. How many more match with wider thresholds is counted too: where
nothing matches, that still tells how much nearer to a false match one view set comes than another.
"""

from collections.abc import Iterator

from benchmarks.report import Scale, Table
from tutela.cli.demo import draw_scene
from tutela.evaluation.attacks.base import Encoding
from tutela.evaluation.attacks.catalogue import encoded
from tutela.evaluation.intervals import interval
from tutela.evaluation.subjects import Subject, hashes_of, indexed, listed_samples
from tutela.evaluation.trials import ASKED
from tutela.evaluation.unrelated import Unrelated, count_one, make_bank

_SIZE = (480, 360)
_SCENES = {Scale.TINY: (4, 4, 2_000), Scale.USUAL: (300, 300, 200_000), Scale.FULL: (2_000, 1_000, 1_000_000)}
"""Scenes that are looked up, scenes that the bank is made of, and its hashes."""
_WIDER = (0, 4, 6, 8, 10, 12, 14)
"""Bits by which every view's threshold is raised."""


def run(scale: Scale) -> Iterator[Table]:
    """A table: the share of scenes that match, by view set and by how much wider the thresholds are."""
    scenes, listed, size = _SCENES[scale]
    bank = make_bank([_subject(seed) for seed in range(1_000_000, 1_000_000 + listed)], size, 1)
    counts = {views: Unrelated() for views in ASKED}
    with indexed(bank) as segment:
        for seed in range(2_000_000, 2_000_000 + scenes):
            count_one(encoded(draw_scene(seed, _SIZE), Encoding("JPEG", 85)), segment, counts)

    table = Table(
        "False matches of drawn scenes, by bits that thresholds are wider",
        ("views", "scenes", "queries each", *(f"+{bits}" for bits in _WIDER), "95 % interval at +0"),
        f"Scenes with a match in {len(bank):,} hashes of {listed:,} others: listed views, random windows in all turns.",
    )
    for views, count in counts.items():
        low, high = interval(count.matched, scenes)
        wider = [str(count.matched_wider[bits]) for bits in _WIDER]
        table.add(views.value, str(scenes), f"{count.queries / scenes:.0f}", *wider, f"{low:.2%}-{high:.2%}")
    yield table


def _subject(seed: int) -> Subject:
    picture = draw_scene(seed, _SIZE)
    samples = listed_samples(picture)
    return Subject(str(seed), picture, hashes_of(samples), tuple(sample.view for sample in samples))
