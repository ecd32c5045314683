"""Pieces of one picture that lie beside each other in a container, put together by their edges alone.

Documents, pages and presentations show many pictures as one, each in its own language. Where a piece goes is seen by
what stands at its sides: no format has to be known for that. Pieces are compared by how well the lines at one's side
go on in the other (Pomeranz, Shemesh, Ben-Shahar, "A fully automated greedy square jigsaw puzzle solver", 2011), and
joined as trees, the surest first (Gallagher, "Jigsaw puzzles with pieces of unknown orientation", 2012).
"""

import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Content, Mode, Picture

MOST_PIECES = 1_024
"""Pictures that are compared with each other: the work grows with their square."""
_FEWEST = 4
"""Pieces of a picture, but where nothing else lies beside them."""
_LEAST_FILLED = 0.75
"""Of a picture's places. Pieces that show nothing, such as a sky, fit everywhere and are left out."""
_SAMPLES = 64
"""Of each side."""
_MOST_LEVELS = 64.0
"""A line that goes on otherwise by more levels of grey is no worse for it: edges of things lie along sides, too."""
_AS_BEFORE, _ROUNDING = 2.5, 2.0
"""What fits goes on at most so many times as badly as both do two lines before their sides; and levels of grey."""
_NO_PROOF = 256.0
"""Levels that a side costs which is all alike: the ground of a sign fits every other, and joins none."""
_MISFIT, _LIKELY_MISFIT = 512.0, 40.0
"""Levels by which what does not fit costs more, and how much more of it may fill a place that is left."""
_SUREST, _LEVEL = 0.95, 1.0
"""What fits another piece nearly as well is not joined; levels of grey below which all fits alike."""
_GO_ON = 0.7
"""Of the sides at which two groups touch."""
_LEAST_CELL, _MOST_CELLS = 8, 64
"""Pixels of a cell, and cells in a row, of a picture that is cut up in itself."""
_A_CUT = 4.0
"""Cuts at even distances are sharper than other lines are by so many standard errors."""
_MOST_PLACES = 4 * MOST_PIECES
"""Of a group that is framed: its pieces may have been joined to a line."""
_PIECE, _PIECE_OF_MANY, _WHOLE = 256, 64, 512
"""The longest sides of what is kept of a piece, and of what is put together."""

Lines = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]
Place = tuple[int, int]
"""Column and row, from anywhere."""
Group = dict[int, Place]
"""Pieces by their numbers."""
Costs = dict[Place, Samples]
"""By the step from one piece to another: [one, other], as `_compared` has it; infinite for sides of other lengths."""
_RIGHT, _BELOW = (1, 0), (0, 1)


@dataclass(frozen=True, slots=True)
class _Piece:
    size: tuple[int, int]
    """Width and height, in the file."""
    image: Image.Image
    left: Lines
    """The three outermost lines of a side, from its end inwards."""
    top: Lines
    right: Lines
    bottom: Lines

    @property
    def shows_nothing(self) -> bool:
        """Whether all its sides are alike."""
        return all(np.ptp(side[0]) == 0 for side in (self.left, self.top, self.right, self.bottom))


class Jigsaw:
    """The pictures that lie in one container."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []
        self._seen: set[bytes] = set()

    def add(self, picture: Picture) -> None:
        """One more of them; not kept but for its sides and a small copy."""
        pixels, (height, width, _) = picture.displayed()
        if pixels.ndim != 2 or min(pixels.shape) < 3:
            return
        image = Image.fromarray(pixels)
        longest = _PIECE if len(self._pieces) < MOST_PIECES else _PIECE_OF_MANY
        smaller = image.reduce(max(1, max(image.size) // longest))
        seen = hashlib.blake2b(b"%d %d" % image.size + smaller.tobytes(), digest_size=16).digest()
        if seen in self._seen:  # twice, no piece fits another better than anything else does
            return
        self._seen.add(seen)
        across, down = pixels.T, pixels
        sides = (lines.copy() for lines in (across[:3], down[:3], across[:-4:-1], down[:-4:-1]))
        self._pieces.append(_Piece((width, height), smaller, *sides))

    def put_together(self, budget: Budget) -> Iterator[tuple[int, Picture]]:
        """(number of pieces, picture) of what pieces make, of each pool the one of the most pieces first."""
        for pool in self._pools():
            yield from _Pool(pool).put_together(budget)

    def _pools(self) -> Iterator[list[_Piece]]:
        """Pieces that may lie beside each other: all, or where they are many, those of one size with such as fit them,
        so that no others take their place."""
        if len(self._pieces) <= MOST_PIECES:
            yield self._pieces
            return
        sizes = Counter(piece.size for piece in self._pieces)
        pooled: set[tuple[int, int]] = set()
        for size, count in sizes.most_common():
            if count < _FEWEST or size in pooled:
                continue
            same = [piece for piece in self._pieces if piece.size == size]
            fitting = [piece for piece in self._pieces if sum(map(int.__eq__, piece.size, size)) == 1]
            pool = [*same, *fitting][:MOST_PIECES]
            pooled.update(piece.size for piece in pool)
            yield pool


class _Pool:
    """Pieces that are compared with each other."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces

    def put_together(self, budget: Budget) -> Iterator[tuple[int, Picture]]:
        """As `Jigsaw` has it."""
        if len(self._pieces) < 2:
            return
        costs = self._costs(budget)
        for group in sorted(self._joined(costs), key=len, reverse=True):
            if len(group) < min(_FEWEST, len(self._pieces)):
                return
            budget.check_time()
            framed = _framed(group)
            if not _may_be_filled(framed, len(self._pieces)):
                continue
            places = self._completed(framed, costs)
            if _may_be_filled(places, len(places)):
                yield len(places), self._drawn(places)

    def _costs(self, budget: Budget) -> Costs:
        """Of all pairs with sides of one length."""
        costs: Costs = {}
        for step, before, behind, along in ((_RIGHT, "right", "left", 1), (_BELOW, "bottom", "top", 0)):
            of_length: dict[int, list[int]] = defaultdict(list)
            for number, piece in enumerate(self._pieces):
                of_length[piece.size[along]].append(number)
            costs[step] = np.full((len(self._pieces),) * 2, np.inf, np.float32)
            for numbers in of_length.values():
                if len(numbers) > 1:
                    budget.check_time()
                    sides = ([getattr(self._pieces[number], side) for number in numbers] for side in (before, behind))
                    costs[step][np.ix_(numbers, numbers)] = _compared(*sides)
        return costs

    def _joined(self, costs: Costs) -> list[Group]:
        """Every group of pieces that go on in each other, each piece with its place."""
        group_of: list[Group] = [{number: (0, 0)} for number in range(len(self._pieces))]
        surest = ((doubt, one, other, step) for step in costs for doubt, one, other in _surest(costs[step]))
        for _, first, second, step in sorted(surest):
            one, other = group_of[first], group_of[second]
            if one is other:
                continue
            across, down = (at + by - to for at, by, to in zip(one[first], step, other[second], strict=True))
            if len(other) > len(one):
                one, other, across, down = other, one, -across, -down
            moved = {number: (x + across, y + down) for number, (x, y) in other.items()}
            if _go_on(one, moved, costs):
                one |= moved
                for number in moved:
                    group_of[number] = one
        return list({id(group): group for group in group_of}.values())

    def _completed(self, places: Group, costs: Costs) -> Group:
        """With what fits best of the others in the places that are left."""
        at = {place: number for number, place in places.items()}
        left, top, right, bottom = _bounds(places)
        holes = {(x, y) for x in range(left, right) for y in range(top, bottom)} - set(at)
        others = [number for number in range(len(self._pieces)) if number not in places]
        while holes and others:
            hole = max(holes, key=lambda place: len(_beside(place, at)))
            beside = _beside(hole, at)
            each = [costs[step][(one, others) if is_before else (others, one)] for one, step, is_before in beside]
            cost = np.mean(each, axis=0)
            best = int(np.argmin(cost))
            holes.remove(hole)
            if cost[best] < _MISFIT + _LIKELY_MISFIT:
                at[hole] = others.pop(best)
        return {number: place for place, number in at.items()}

    def _drawn(self, places: Group) -> Picture:
        """The whole, with what is missing as grey as pieces are that show nothing, which are there once however often
        they are shown; else as all that found no place."""
        widths: dict[int, int] = defaultdict(int)
        heights: dict[int, int] = defaultdict(int)
        for number, (column, row) in places.items():
            width, height = self._pieces[number].size
            widths[column], heights[row] = max(widths[column], width), max(heights[row], height)
        left, top = _ends(widths), _ends(heights)
        scale = min(1.0, _WHOLE / max(left[max(left)], top[max(top)]))
        size = (max(1, round(left[max(left)] * scale)), max(1, round(top[max(top)] * scale)))
        others = [piece.image for number, piece in enumerate(self._pieces) if number not in places]
        others = [piece.image for piece in self._pieces if piece.shows_nothing] or others
        grey = round(np.mean([np.asarray(image).mean() for image in others])) if others else 128
        whole = Image.new("L", size, grey)
        for number, (column, row) in places.items():
            box = [round(at * scale) for at in (left[column - 1], top[row - 1], left[column], top[row])]
            if box[0] < box[2] and box[1] < box[3]:
                piece = self._pieces[number].image.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BOX)
                whole.paste(piece, (box[0], box[1]))
        return Picture(np.asarray(whole), *size)


def _bounds(places: Group) -> tuple[int, int, int, int]:
    """Left, top, right and bottom; the last two behind the last."""
    columns, rows = zip(*places.values(), strict=True)
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


def _may_be_filled(places: Group, pieces: int) -> bool:
    """Whether so many pieces are enough for the frame around some."""
    left, top, right, bottom = _bounds(places)
    return pieces >= _LEAST_FILLED * (right - left) * (bottom - top)


def _beside(place: Place, at: Mapping[Place, int]) -> list[tuple[int, Place, bool]]:
    """(number, step, whether it comes before) of the pieces at a place's sides."""
    x, y = place
    sides = ((step, is_before, -1 if is_before else 1) for step in (_RIGHT, _BELOW) for is_before in (True, False))
    found = ((at.get((x + sign * step[0], y + sign * step[1])), step, is_before) for step, is_before, sign in sides)
    return [(number, step, is_before) for number, step, is_before in found if number is not None]


def _go_on(one: Group, other: Group, costs: Costs) -> bool:
    """Whether no place is taken twice, and most of the sides at which two groups touch go on in each other."""
    at = {place: number for number, place in one.items()}
    if any(place in at for place in other.values()):
        return False
    touching = [
        costs[step][(beside, number) if is_before else (number, beside)] < _MISFIT
        for number, place in other.items()
        for beside, step, is_before in _beside(place, at)
    ]
    return bool(np.mean(touching) >= _GO_ON)


def _framed(places: Group) -> Group:
    """Those within the frame that has the most pieces, and the fewest places without one."""
    left, top, right, bottom = _bounds(places)
    columns, rows = right - left, bottom - top
    if not len(places) < columns * rows <= _MOST_PLACES:
        return places
    sums = np.zeros((rows + 1, columns + 1), int)
    for x, y in places.values():
        sums[y - top + 1, x - left + 1] = 1
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    best = (2 * len(places) - columns * rows, left, top, right, bottom)
    for width, height in itertools.product(range(1, columns + 1), range(1, rows + 1)):
        filled = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
        most = int(filled.max())
        if 2 * most - width * height > best[0]:
            y, x = (int(at) for at in np.unravel_index(filled.argmax(), filled.shape))
            best = (2 * most - width * height, left + x, top + y, left + x + width, top + y + height)
    _, left, top, right, bottom = best
    return {n: (x, y) for n, (x, y) in places.items() if left <= x < right and top <= y < bottom}


def _sampled(lines: Lines) -> Samples:
    """[3, _SAMPLES]: the mean of what each sample covers, or of what is next to it in a short line."""
    length = lines.shape[1]
    if length <= _SAMPLES:
        return lines[:, np.arange(_SAMPLES) * length // _SAMPLES].astype(np.float32)
    ends = np.arange(_SAMPLES + 1) * length // _SAMPLES
    sums = np.add.reduceat(lines, ends[:-1], axis=1, dtype=np.uint32)
    return np.asarray(sums / np.diff(ends), np.float32)


def _compared(first: Sequence[Lines], second: Sequence[Lines]) -> Samples:
    """[i, j]: how badly the lines at side i of the first go on at side j of the second, both ways, in levels of grey;
    `_NO_PROOF` more where a side is all alike, `_MISFIT` more where they go on much worse than before their sides,
    infinite for a piece with itself."""
    (line, ahead, within), (other_line, other_ahead, other_within) = _sides(first), _sides(second)
    costs = np.empty((len(first), len(second)), np.float32)
    for number in range(len(first)):
        both = _unlike(ahead[number], other_line) + _unlike(other_ahead, line[number])
        fits = both <= _AS_BEFORE * (within[number] + other_within + _ROUNDING)
        costs[number] = np.where(fits, both, both + _MISFIT)
    flat, other_flat = (np.ptp(each, axis=1) == 0 for each in (line, other_line))
    costs[flat[:, None] | other_flat] += _NO_PROOF
    np.fill_diagonal(costs, np.inf)
    return costs


def _sides(sides: Sequence[Lines]) -> tuple[Samples, Samples, Samples]:
    """Of each side its outermost line, how it would go on, and how badly the line before that one goes on both ways."""
    line, before, inner = np.stack([_sampled(lines) for lines in sides], axis=1)
    return line, 2 * line - before, _unlike(2 * before - inner, line)


def _unlike(expected: Samples, line: Samples) -> Samples:
    return np.asarray(np.abs(expected - line).clip(0, _MOST_LEVELS).mean(axis=-1), np.float32)


def _surest(costs: Samples) -> Iterator[tuple[float, int, int]]:
    """(doubt, i, j) of the pairs that fit each other clearly better than anything else fits either."""
    costs = np.where(costs < _NO_PROOF, costs, np.inf)
    behind, before = costs.argmin(axis=1), costs.argmin(axis=0)
    of_first, of_second = np.partition(costs, 1, axis=1)[:, 1], np.partition(costs, 1, axis=0)[1]
    for one, other in enumerate(behind):
        cost = costs[one, other]
        if before[other] == one and np.isfinite(cost):
            doubt = float((cost + _LEVEL) / (min(of_first[one], of_second[other]) + _LEVEL))
            if doubt <= _SUREST:
                yield doubt, one, int(other)


def _ends(lengths: dict[int, int]) -> dict[int, int]:
    """Where each column or row ends; the one before the first at 0."""
    first = min(lengths)
    ends = itertools.accumulate((lengths[place] for place in range(first, max(lengths) + 1)), initial=0)
    return dict(enumerate(ends, first - 1))


def put_right(content: Content, budget: Budget) -> Iterator[tuple[int, Picture]]:
    """(number of pieces, picture) of what the cells of an even grid in a picture make where they lie in another order,
    as a page shows them that moves each to its place."""
    if (shown := content.picture).pixels.ndim != 2 or len(list(_grid(shown.pixels))) < _FEWEST:
        return
    budget.check_time()
    whole = OpenedContent(content.data, Mode.EXACT, content.limits).picture  # brought down, a cut is no longer sharp
    pixels = np.asarray(Image.fromarray(whole.displayed()[0]).convert("L"))
    jigsaw = Jigsaw()
    for cell in _grid(pixels):
        jigsaw.add(Picture(np.ascontiguousarray(pixels[cell]), *pixels[cell].shape[::-1]))
    yield from jigsaw.put_together(budget)


def _grid(pixels: Lines) -> Iterator[tuple[slice, slice]]:
    """The cells of an even grid of cuts from side to side; the whole where there are none."""
    return itertools.product(_cells(pixels), _cells(pixels.T))


def _cells(lines: Lines) -> list[slice]:
    """Where lines are cut: whether any is sharper says little, whether all at one distance are says much."""
    count = len(lines)
    some = lines[:, :: max(1, lines.shape[1] // _SAMPLES)].astype(np.int16)
    breaks = np.zeros(count)
    breaks[1:-1] = np.abs(2 * some[1:-1] - some[:-2] - some[2:]).mean(axis=1)
    near = np.max([breaks[:-2], breaks[1:-1], breaks[2:]], axis=0)  # the first is that of line 1
    usual, spread = near.mean(), near.std() + 1
    surest, cells = _A_CUT, 1
    for number in range(2, min(_MOST_CELLS, count // _LEAST_CELL) + 1):
        cuts = np.arange(1, number) * count // number - 1
        sure = (near[cuts].mean() - usual) / spread * math.sqrt(number - 1)
        if sure > surest:
            surest, cells = sure, number
    return [slice(-(-number * count // cells), (number + 1) * count // cells) for number in range(cells)]
