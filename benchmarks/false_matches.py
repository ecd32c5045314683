"""False matches: drawn pictures looked up in a million hashes of others of the same families.

No picture is in a bank, so every match is a false one. What a view set finds is counted picture by picture, so that two
sets are compared on the same ones; and by how much wider or narrower the thresholds are, so that one sees more than one
point. There are two banks: plain hashes of a million pictures, as outside lists are, and the hashes that
`tutela bank add` lists of some thousands. A quarter as many pictures are looked up once more with a transparent ground,
by every reading: on white, on black, on greys and without transparency.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from PIL import Image

from benchmarks.generic_pictures import FAMILIES, draw_generic
from benchmarks.report import Scale, Table
from tutela import _native
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet
from tutela.lists.banks.values import MIN_LISTED_QUALITY, can_match
from tutela.screening.evaluation.attacks.base import Encoding
from tutela.screening.evaluation.attacks.catalogue import encoded
from tutela.screening.evaluation.intervals import interval, ratio_interval
from tutela.screening.evaluation.subjects import TrialListing, listed_samples
from tutela.screening.evaluation.trials import ASKED, limit_of
from tutela.screening.evaluation.unrelated import MARGINS, SearchedBank, Unrelated, able_samples, count_one, searched

_SCALES = {Scale.TINY: (1, 300), Scale.USUAL: (20, 100_000), Scale.FULL: (1_000, 1_000_000)}
"""Pictures of each family that are looked up, hashes in each bank."""
_ASKED_FROM, _LIST_FROM, _BANK_FROM = 1_000_000_000, 2_000_000_000, 3_000_000_000
"""The first seeds of what is looked up and of the two banks. Those under 1,000,000,000 served to choose thresholds."""
_SAME_COLOUR = 12
"""Of 255 steps: so far from the first corner's colour, a pixel belongs to the ground."""
_SMALL = 0.3
"""Pictures that only their plain hash is listed of are drawn smaller: it is nearly the same, and they are a million."""

_Counts = Mapping[str, Mapping[ViewSet, Unrelated]]
"""By family."""


def run(scale: Scale) -> Iterator[Table]:
    """For each bank: matches by family, of all families by how much wider the thresholds are, and by view."""
    each, size = _SCALES[scale]
    listings = {
        "plain hashes": plain_list(size, _LIST_FROM),
        "what `tutela bank add` lists": own_bank(size, _BANK_FROM),
    }
    with ExitStack() as stack:
        banks = {name: stack.enter_context(searched(listing)) for name, listing in listings.items()}
        found = look_up(banks, range(_ASKED_FROM, _ASKED_FROM + each), as_photo)
        seen_through = look_up(banks, range(_ASKED_FROM, _ASKED_FROM + max(1, each // 4)), seen_through_samples)
    for name, counts in found.items():
        yield _by_family(name, counts, size)
        yield _by_family(f"{name}, grounds transparent,", seen_through[name], size)
        yield _by_threshold(name, counts)
        yield _by_view(name, counts)


def plain_list(size: int, first_seed: int) -> TrialListing:
    """The plain hashes of as many pictures, the families taking turns."""
    values: list[bytes] = []
    seed = first_seed
    while len(values) < size:
        for family in FAMILIES:
            value, quality = _native.pdq(np.ascontiguousarray(np.asarray(draw_generic(family, seed, _SMALL))))
            if quality >= MIN_LISTED_QUALITY:
                values.append(value)
        seed += 1
    return TrialListing.of_plain(np.frombuffer(b"".join(values[:size]), np.uint8).reshape(size, 32))


def own_bank(size: int, first_seed: int) -> TrialListing:
    """What a bank lists of pictures that the curator holds, until there are as many hashes."""
    parts: list[TrialListing] = []
    seed, listed = first_seed, 0
    while listed < size:
        for family in FAMILIES:
            samples = [s for s in listed_samples(draw_generic(family, seed)) if can_match(s)]
            if samples:
                parts.append(TrialListing.of(samples))
                listed += len(samples)
        seed += 1
    return TrialListing.together(parts, size)


def as_photo(picture: Image.Image) -> Mapping[ViewSet, Sequence[Sample]]:
    """What is looked up of it as a JPEG."""
    return able_samples(encoded(picture, Encoding("JPEG", 85)))


def seen_through_samples(picture: Image.Image) -> Mapping[ViewSet, Sequence[Sample]]:
    """What is looked up of it where its first corner's colour is transparent: of each ground that shines through."""
    colours = np.asarray(picture.convert("RGB")).astype(np.int16)
    alpha = np.where(np.abs(colours - colours[0, 0]).max(axis=2) <= _SAME_COLOUR, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.dstack([colours.astype(np.uint8), alpha])).save(file, "PNG")
    return {views: _of_readings(file.getvalue(), Limits(views=views)) for views in ASKED}


def _of_readings(data: bytes, limits: Limits) -> list[Sample]:
    whole = OpenedContent(data, Mode.FAST, limits)
    ways = [replace(whole.picture, pixels=pixels, readings=()) for _, pixels in whole.picture.readings]
    contents = [whole, *(OpenedContent.of_picture(way, Mode.FAST, limits) for way in ways)]
    return [sample for content in contents for sample in PDQ.compute(content) if limit_of(sample) >= 0]


def look_up(
    banks: Mapping[str, SearchedBank],
    seeds: range,
    samples_of: Callable[[Image.Image], Mapping[ViewSet, Sequence[Sample]]],
) -> Mapping[str, _Counts]:
    """Every family's pictures of these seeds, in each bank by every view set."""
    found = {name: {family: {views: Unrelated() for views in ASKED} for family in FAMILIES} for name in banks}
    for family in FAMILIES:
        for seed in seeds:
            samples = samples_of(draw_generic(family, seed))
            for name, bank in banks.items():
                count_one(samples, bank, found[name][family])
    return found


def _by_family(name: str, counts: _Counts, size: int) -> Table:
    table = Table(
        f"False matches against {name} of others",
        ("family", "pictures", *(f"{views.value}, %" for views in ASKED), "standard × plain", "95 % interval"),
        f"Pictures with a match among {size:,} hashes; in brackets the 95 % interval.",
    )
    for family in (*FAMILIES, "all"):
        pictures = sum(len(margins) for margins in _margins(counts, ViewSet.PLAIN, family))
        matched = {views: _matched(counts, views, 0, family) for views in ASKED}
        shares = [f"{100 * hits / pictures:.2f} ({_percent(hits, pictures)})" for hits in matched.values()]
        table.add(family, f"{pictures:,}", *shares, *_ratio(matched[ViewSet.PLAIN], matched[ViewSet.STANDARD]))
    return table


def _by_threshold(name: str, counts: _Counts) -> Table:
    table = Table(
        f"False matches against {name} of others, by bits that thresholds are wider",
        ("bits", *(f"{views.value}, pictures" for views in ASKED), "standard × plain", "95 % interval"),
    )
    for bits in MARGINS:
        matched = {views: _matched(counts, views, bits) for views in ASKED}
        cells = [f"{hits:,}" for hits in matched.values()]
        table.add(f"{bits:+d}", *cells, *_ratio(matched[ViewSet.PLAIN], matched[ViewSet.STANDARD]))
    return table


def _by_view(name: str, counts: _Counts) -> Table:
    table = Table(
        f"False matches against {name} of others, by what matched",
        ("view", *(f"{views.value}, pictures" for views in ASKED)),
    )
    by_set = {views: [count[views].matched_by for count in counts.values()] for views in ASKED}
    for view in sorted({view for found in by_set.values() for one in found for view in one}) or ["none"]:
        table.add(view, *(f"{sum(one.get(view, 0) for one in found):,}" for found in by_set.values()))
    return table


def _margins(counts: _Counts, views: ViewSet, family: str = "all") -> list[list[int]]:
    return [count[views].margins for name, count in counts.items() if family in ("all", name)]


def _matched(counts: _Counts, views: ViewSet, bits: int, family: str = "all") -> int:
    return sum(margin <= bits for margins in _margins(counts, views, family) for margin in margins)


def _percent(hits: int, pictures: int) -> str:
    low, high = interval(hits, pictures)
    return f"{100 * low:.2f}–{100 * high:.2f}"


def _ratio(plain: int, standard: int) -> tuple[str, str]:
    if not standard:
        return "–", "–"
    low, high = ratio_interval(plain, standard)
    return f"{standard / plain:.2f}" if plain else "–", f"{low:.2f}–{high:.2f}"
