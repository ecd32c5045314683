"""Listed terms in messages of 200 letters in four scripts: our folding and automaton, hyperscan's literals, and
`threatexchange`'s `trend_query` and `raw_text`.

Ours folds the message (case, accents, widths, look-alikes) and looks at it in two views; the peers look at the text
as it is.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence

import hyperscan
import numpy as np
from threatexchange.signal_type.raw_text import RawTextSignal
from threatexchange.signal_type.trend_query import TrendQuerySignal

from benchmarks.report import Scale, Table, duration, ratio
from tutela import _native
from tutela.content.words import KEYWORD, folding

_COUNTS = {Scale.TINY: [500], Scale.USUAL: [1_000, 35_000], Scale.FULL: [1_000, 35_000, 200_000]}
_QUERIES_UP_TO, _TEXTS_UP_TO = 10_000, 5_000
_SCRIPTS = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдежзиклмнопрстуфхцчшщэюя",
    "".join(map(chr, range(0x4E00, 0x4E00 + 2_000))),
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
)
_LETTERS = 200
_COLUMNS = ("terms", "search", "build", "a message", "of ours", "disguises found")
_ROUNDS = 5


def run(scale: Scale) -> Iterator[Table]:
    """One table: numbers of terms by searches."""
    table = Table(
        f"Listed terms in messages of {_LETTERS} letters, one core",
        _COLUMNS,
        "Processor time, the least of five rounds. Terms and messages of chance letters in Latin, Cyrillic, Han and "
        "Arabic. "
        "Disguises: listed Latin terms in capitals, with accents, full-width, s p a c e d and streeetched.",
    )
    for count in _COUNTS[scale]:
        for row in _of_size(count, 50 if scale is Scale.TINY else 1_000):
            table.add(*row)
    yield table


def disguises(term: str) -> list[str]:
    """Ways to write a Latin term."""
    return [
        term.upper(),
        "".join(f"{letter}\u0301" for letter in term),
        "".join(chr(ord(letter) + 0xFEE0) for letter in term),
        " ".join(term),
        term.replace(term[2], term[2] * 3, 1),
    ]


def _word(chance: random.Random) -> str:
    letters = _SCRIPTS[chance.randrange(len(_SCRIPTS))]
    return "".join(chance.choice(letters) for _ in range(chance.randint(4, 12)))


def _message(chance: random.Random, listed: Sequence[str]) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < _LETTERS:
        words.append(chance.choice(listed) if chance.random() < 0.01 else _word(chance))
    return " ".join(words)[:_LETTERS]


def _of_size(count: int, messages: int) -> Iterator[Sequence[str]]:
    chance = random.Random(count)
    terms = sorted({_word(chance) for _ in range(count)})
    asked = [_message(chance, terms) for _ in range(messages)]
    latin = [term for term in terms if term.isascii() and len(set(term)) == len(term) and len(term) > 6][:100]
    disguised = [f"so {written} then" for term in latin for written in disguises(term)]

    started = time.process_time()
    values = np.frombuffer(b"".join(map(KEYWORD.parse, terms)), np.uint8).reshape(-1, KEYWORD.width)
    data = _native.build_patterns(values, np.arange(len(values), dtype=np.uint64))
    built = time.process_time() - started
    patterns, table = _native.Patterns(np.frombuffer(data, np.uint8)), folding()
    ours = _row(count, "ours", built, lambda text: bool(patterns.find(text.encode(), table)), asked, disguised, None)
    yield ours[0]

    started = time.process_time()
    literal = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = [hyperscan.HS_FLAG_SINGLEMATCH] * len(terms)
    literal.compile(expressions=[term.encode() for term in terms], elements=len(terms), flags=flags, literal=True)
    built = time.process_time() - started

    def scan(text: str) -> bool:
        hits: list[int] = []
        literal.scan(text.encode(), match_event_handler=lambda number, *_: hits.append(number))
        return bool(hits)

    yield _row(count, "hyperscan, literal", built, scan, asked, disguised, ours[1])[0]
    for name, peer, most, few in (
        ("threatexchange trend_query", _trend_queries, _QUERIES_UP_TO, 20),
        ("threatexchange raw_text", _raw_texts, _TEXTS_UP_TO, 5),
    ):
        if count <= most:
            started = time.process_time()
            search = peer(terms)
            built = time.process_time() - started
            yield _row(count, name, built, search, asked[:few], [] if few < 20 else disguised[:50], ours[1])[0]


def _trend_queries(terms: Sequence[str]) -> Callable[[str], bool]:
    queries = [json.dumps({"and": [{"or": [term]}], "not": []}) for term in terms]
    index = TrendQuerySignal.get_index_cls().build((query, number) for number, query in enumerate(queries))
    return lambda text: bool(index.query(text))


def _raw_texts(terms: Sequence[str]) -> Callable[[str], bool]:
    """As many texts as there are terms. It raises for letters beyond ASCII, so they are replaced."""
    chance = random.Random(7)
    texts = [_message(chance, terms).encode("ascii", "replace").decode() for _ in terms]
    index = RawTextSignal.get_index_cls().build((text, number) for number, text in enumerate(texts))
    return lambda text: bool(index.query(text.encode("ascii", "replace").decode()))


def _row(
    count: int,
    name: str,
    built: float,
    search: Callable[[str], bool],
    asked: Sequence[str],
    disguised: Sequence[str],
    ours: float | None,
) -> tuple[Sequence[str], float]:
    took = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for text in asked:
            search(text)
        took.append((time.process_time() - started) / len(asked))
    found = f"{sum(map(search, disguised))} of {len(disguised)}" if disguised else ""
    row = (f"{count:,}", name, duration(built), duration(min(took)), ratio(min(took), ours or min(took)), found)
    return row, min(took)
