"""What letters are folded to before words are compared: case, accents, widths and look-alikes do not count.

The table is made once, from Unicode (NFKD, case folding, general categories) and the look-alikes below, and handed to
the native core, which folds. Punctuation and spaces become one space, invisible characters nothing.
"""

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from tutela import _native

_END = 0x20000
"""Beyond stand rare Han, which fold to themselves."""

_LOOK_ALIKES = {
    # Cyrillic, Greek and Armenian letters that are drawn as Latin ones, after case folding.
    **dict(zip("аверсоухкмтнѕіјһԁԛԝӏґь", "abepcoyxkmthsijhdqwlrb", strict=True)),
    **dict(zip("αβεικνορτυχηω", "abeikvoptuxnw", strict=True)),
    **dict(zip("օսոհցզ", "ounhgq", strict=True)),
    # Latin letters with strokes, small capitals and phonetic ones.
    **dict(zip("ıłøđħŧɑɡɩʀʟɪɴɢʜʏʙɛɔʋ", "ilodhtagirlinghybeov", strict=True)),
    **dict(zip("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱ", "acdejkmoptuvwzfs", strict=True)),
    "æ": "ae",
    "œ": "oe",
    # Letters in boxes and discs, and those that flags are made of.
    **{chr(first + i): chr(ord("a") + i) for first in (0x1F130, 0x1F150, 0x1F170, 0x1F1E6) for i in range(26)},
}

_WHOLE = frozenset({"Lo", "Co"})
"""Categories of which what has no decomposition folds to itself, as Han does. Hangul has one that no table lists."""


def fold(text: str) -> str:
    """The text as words are compared in it: folded letters and digits, with single spaces between what is apart."""
    return folding().fold(text.encode("utf-8", "replace"))


@cache
def folding() -> _native.Folding:
    """The table, in the native core."""
    return _native.Folding(*folding_table())


def folding_table() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Where the letters of each code point begin, and all those letters."""
    folded = [*map(_folded, map(chr, range(_END)))]
    begins = np.zeros(_END + 1, np.uint32)
    np.cumsum([*map(len, folded)], out=begins[1:])
    return begins, np.frombuffer("".join(folded).encode("utf-32-le"), "<u4").astype(np.uint32)


def _folded(letter: str) -> str:
    if letter in _LOOK_ALIKES:
        return _LOOK_ALIKES[letter]
    if unicodedata.category(letter) in _WHOLE and not unicodedata.decomposition(letter) and not "가" <= letter <= "힣":
        return letter
    if unicodedata.category(letter) in ("Cn", "Cs"):
        return " "
    found = ""
    for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold()):
        category = unicodedata.category(part)
        if part in _LOOK_ALIKES:
            found += _LOOK_ALIKES[part]
        elif category in ("Mn", "Me", "Cf"):
            continue
        elif category[0] in "LN" or category == "Mc" or category == "Co":
            found += part
        else:
            found += " "
    return found
