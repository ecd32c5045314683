"""Hosts that look like others (UTS 39): what a host would be if each letter were the usual one that it is drawn like.

A host that looks like a listed one is somebody's trick, or chance: it is said, and never blocks.
"""

from tutela.content.links.link import Link
from tutela.content.words.fold import fold

_DRAWN_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"))


def looks_like(link: Link) -> tuple[str, ...]:
    """The hosts that a link's host can be taken for; without itself. Empty for addresses."""
    if link.is_address:
        return ()
    folded = ".".join(map(_folded, link.host.split(".")))
    name, dot, last = folded.rpartition(".")
    drawn = name
    for seen, meant in _DRAWN_ALIKE:
        drawn = drawn.replace(seen, meant)
    candidates = (folded, f"{drawn}{dot}{last}")
    return tuple(dict.fromkeys(each for each in candidates if each != link.host and each.isascii() and "." in each))


def _folded(label: str) -> str:
    """A label with its letters as the usual ones."""
    if label.startswith("xn--"):
        try:
            label = label[4:].encode("ascii").decode("punycode")
        except (UnicodeError, ValueError):
            return label
    return "-".join(fold(piece).replace(" ", "") for piece in label.split("-"))
