"""What lists call their fields: which columns carry hashes, of which type each, and which are left out.

A row may have several hashes of one picture. Each is read where its column, or what stands beside it, names a type that
is known here; the columns of the others are named to whoever imports the list.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tutela.errors import InputError

HASHES = ("pdq", "md5", "sha1", "sha256", "photodna", "tmk", "vpdq")
"""Types whose name is a column's name. What a column says of links and words may be anything, so they need a word."""
NESTED = ("hashes", "alternativehashes")
"""Fields that list further hashes, each with its name."""
_OTHER_NAMES = {"pdna": "photodna", "tmkpdqf": "tmk", "tmkpdq": "tmk", "pdqf": "tmk"}
NOT_KNOWN = re.compile(
    r"sha(224|384|512)|sha3\w*|ssdeep|tlsh|crc\d*|blake\w*|[adpw]hash|neuralhash|ed2k|whirlpool|tiger"
)
"""Names of hashes, as squashed, that no signal type here stands for."""
_BESIDE = re.compile(r"(hash|value|digest|hex|base64)")
_LOOKS_LIKE_ONE = re.compile(r"[0-9A-Fa-f]{32,}")
_GENERIC = ("value", "hash", "hash_value", "hashvalue", "indicator")
_FIELDS = ("signal", "label", "reference", "note", "state")


def squashed(name: str) -> str:
    """A column's name without what tells `SHA-1`, `Sha 1` and `sha1` apart."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def hash_named(name: str) -> str | None:
    """The type of hash that a column or an algorithm is named after."""
    word = _BESIDE.sub("", squashed(name))
    word = _OTHER_NAMES.get(word, word)
    return word if word in HASHES else None


def has_hashes(name: str) -> bool:
    """Whether a field of that name is, or lists, hashes."""
    return hash_named(name) is not None or squashed(name) in (*NESTED, *map(squashed, _GENERIC))


def looks_like_a_hash(text: str) -> bool:
    """Whether it can hardly be anything else."""
    return bool(_LOOKS_LIKE_ONE.fullmatch(text.strip()))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a list has what."""

    hashes: tuple[tuple[str, str | None], ...]
    """Columns, each with the type that its name says."""
    fields: Mapping[str, str]
    """The columns of the other fields, by field."""
    left_out: tuple[str, ...]
    """Columns that carry hashes by their names and are not read."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What a list calls its fields. The first name that a list has counts."""

    value: tuple[str, ...] = _GENERIC
    """The column of hashes whose type is said elsewhere. Where it is named here, it is the only one that is read."""
    signal: tuple[str, ...] = ("signal", "type", "hash_type", "hashtype", "signal_type", "signaltype", "algorithm")
    label: tuple[str, ...] = ("label", "category", "classification", "class")
    reference: tuple[str, ...] = ("reference", "id", "ref", "identifier", "mediaid", "media_id")
    note: tuple[str, ...] = ("note", "comment", "description")
    state: tuple[str, ...] = ("state",)

    def of(self, names: Iterable[str], *, besides: bool = False) -> Layout:
        """Where these columns have what. Raises InputError when none carries a hash, unless they are `besides`."""
        names = list(names)
        by_name = {name.strip().lower().replace(" ", "_"): name for name in names}
        fields = {
            field: by_name[candidate]
            for field in _FIELDS
            for candidate in reversed(getattr(self, field))
            if candidate in by_name
        }
        chosen = next((by_name[candidate] for candidate in self.value if candidate in by_name), None)
        hashes: list[tuple[str, str | None]] = [] if chosen is None else [(chosen, hash_named(chosen))]
        left_out: list[str] = []
        for name in names:
            if name == chosen or name in fields.values():
                continue
            kind = hash_named(name)
            if kind is not None and self.value == _GENERIC:
                hashes.append((name, kind))
            elif kind is not None or NOT_KNOWN.fullmatch(squashed(name)):
                left_out.append(name)
        if not hashes and not besides:
            wanted = ", ".join(dict.fromkeys((*self.value, *(HASHES if self.value == _GENERIC else ()))))
            raise InputError("no column is called {wanted}; name the one that holds the hashes", wanted=wanted)
        return Layout(tuple(hashes), fields, tuple(left_out))
