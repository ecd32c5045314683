"""Links in text, in all their disguises: `hxxp`, `[.]`, spaces inside, zero-width, full-width and circled letters.

Flow: the text as it stands, and as it reads once each disguise is undone → what looks like a link in any of these →
each once, with where it begins in the text as it was given. What is found too much costs a look-up and matches nothing.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MAX_LINKS = 2_000
"""Of one text; what is beyond is counted by the caller as not looked up."""

_LABEL = r"[^\s\x00-\x20/\\?#@:.\[\]<>\"'`,;|(){}]"
_ADDRESS = r"\[[0-9a-fA-F:.]{2,45}\]"
_REST = r"[^\s<>\"`|\u2028\u2029]*"
_SCHEME = re.compile(rf"(?:https?|hxxps?|ftp|wss?):[/\\]*(?:[^\s/\\?#<>\"]+@)?(?:{_ADDRESS}|{_LABEL}){_REST}", re.I)
_BARE = re.compile(rf"(?<![\w@.%-])(?:{_LABEL}{{1,63}}\.)+{_LABEL}{{2,63}}\.?(?::\d{{1,5}})?(?:[/\\?#]{_REST})?", re.I)
_SLASHES = re.compile(rf"(?<![\w:/\\])//(?:{_LABEL}{{1,63}}\.)+{_LABEL}{{2,63}}{_REST}", re.I)
_AROUND = ".,;:!?'\"*_~)]}>»”’…"
_TRAILING = re.compile(rf"[{re.escape(_AROUND)}]+$")

_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_DOTS = re.compile(r"\s?[\[({<]\s?(?:\.|dot|punkt|point|punto)\s?[\])}>]\s?|\s+dot\s+|\\\.", re.I)
_COLONS = re.compile(r"\[:\]|\(:\)|\[://\]|\(://\)|:\s*[\[(]//[\])]|\[:(?=//)")
_OTHER_SCHEMES = re.compile(r"\b(?:h[x*_]{2}p|h\s?t\s?t\s?p|hp|ttp|meow)(s?)(?=\s?:\s?[/\\]{1,3})", re.I)
_SPACES_INSIDE = re.compile(r"(?<=\S)[ \t]*([./:])[ \t]*(?=\S)")
_SPACED_OUT = re.compile(r"(?:(?<=\s)|^)(\S(?:[ \t_*~\u00a0\u2009]\S){4,})([.,;:!?)]*)(?=\s|$)")
_LINE_END = re.compile(r"[\r\n]+[ \t]*")


@dataclass(frozen=True, slots=True)
class FoundLink:
    """Something in a text that may be a link."""

    url: str
    """As it reads, its disguise undone; not yet in its one form."""
    at: int
    """Where it begins in the text, in characters."""


def find_links(text: str) -> list[FoundLink]:
    """Every link of a text, in the order in which they begin; at most `MAX_LINKS`."""
    found: dict[str, int] = {}
    for reading in _readings(text):
        for url, at in _candidates(reading):
            if url not in found:
                found[url] = at
                if len(found) >= MAX_LINKS:
                    break
    ordered = sorted(found.items(), key=lambda item: item[1])
    return [FoundLink(url, at) for url, at in ordered]


@dataclass(frozen=True, slots=True)
class _Text:
    """A text and where each of its characters came from."""

    text: str
    places: list[int] | None = None
    """None where nothing moved."""

    def place(self, at: int) -> int:
        if self.places is None:
            return at
        return self.places[at] if at < len(self.places) else (self.places[-1] + 1 if self.places else 0)

    def _places(self, begin: int, end: int) -> Sequence[int]:
        return range(begin, end) if self.places is None else self.places[begin:end]

    def replaced(self, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str], *, needs: str = "") -> "_Text":
        """With every hit replaced; itself where there is none. Every hit holds one of the letters that it `needs`: many
        texts have none, and to see that is much faster than to look for hits."""
        if needs and not any(letter in self.text for letter in needs):
            return self
        pieces: list[str] = []
        places: list[int] = []
        end = 0
        for hit in pattern.finditer(self.text):
            new = by(hit)
            pieces += (self.text[end : hit.start()], new)
            places += self._places(end, hit.start())
            places += [self.place(hit.start())] * len(new)
            end = hit.end()
        if not pieces:
            return self
        pieces.append(self.text[end:])
        places += self._places(end, len(self.text))
        return _Text("".join(pieces), places)

    def folded(self) -> "_Text":
        """With full-width, circled and other compatible letters as the usual ones (NFKC), and nothing invisible."""
        if self.text.isascii():
            return self
        seen = self.replaced(_INVISIBLE, lambda _: "")
        if unicodedata.is_normalized("NFKC", seen.text) and not any(dot in seen.text for dot in "。．｡"):
            return seen
        pieces: list[str] = []
        places: list[int] = []
        for at, letter in enumerate(seen.text):
            new = "." if letter in "。．｡․" else unicodedata.normalize("NFKC", letter)
            pieces.append(new)
            places += [seen.place(at)] * len(new)
        return _Text("".join(pieces), places)


def _readings(text: str) -> Iterator[_Text]:
    """The text as it stands, then with one disguise after the other undone, each where it changes anything."""
    seen = {text}
    plain = _Text(text)
    yield plain
    folded = plain.folded()
    undone = folded.replaced(_DOTS, lambda _: ".")
    undone = undone.replaced(_COLONS, lambda hit: "://" if "//" in hit[0] else ":", needs=":")
    undone = undone.replaced(_OTHER_SCHEMES, lambda hit: "http" + hit[1], needs=":")
    joined = undone.replaced(_SPACED_OUT, lambda hit: hit[1][::2] + hit[2])
    tight = joined.replaced(_SPACES_INSIDE, lambda hit: hit[1])
    unbroken = undone.replaced(_LINE_END, lambda _: "", needs="\r\n")
    for reading in (folded, undone, joined, tight, unbroken):
        if reading.text not in seen:
            seen.add(reading.text)
            yield reading


def _candidates(reading: _Text) -> Iterator[tuple[str, int]]:
    taken: list[tuple[int, int]] = []
    for pattern, needs in ((_SCHEME, ":"), (_SLASHES, "//"), (_BARE, ".")):
        if needs not in reading.text:
            continue
        spans = iter(sorted(taken))
        begin, end = next(spans, (0, 0))
        for hit in pattern.finditer(reading.text):
            while end and end <= hit.start():
                begin, end = next(spans, (0, 0))
            if begin <= hit.start() < end:
                continue  # it lies in a link that was found with its scheme
            taken.append(hit.span())
            at = reading.place(hit.start())
            yield hit[0], at
            bare = _TRAILING.sub("", hit[0])
            if bare != hit[0] and bare:
                yield bare, at
                # One closing bracket may belong to the link: `example.org/a_(b)`.
                if bare.count("(") > bare.count(")") and hit[0][len(bare) :].startswith(")"):
                    yield bare + ")", at
