"""What other systems' lists of links and words mean here: those of HMA, and of ThreatExchange.

`url` is a page, `raw_text` a whole text. A trend query of plain words is a keyword with companions and exclusions, one
for each choice of its alternatives. What is searched by other means there (regular expressions, TLSH, an MD5 of a
link's text) means nothing here, and whoever brings it is told why.
"""

import json
from itertools import product

from tutela.content.links.link import DOMAIN, URL
from tutela.content.words import KEYWORD
from tutela.content.words.text import TEXT
from tutela.errors import InvalidSignalError

MAX_TERMS = 50
"""Keywords that one trend query may become."""
_SAME = {"raw_text": TEXT.name, "text_string": TEXT.name, "uri": URL, "raw_uri": URL, "domain": DOMAIN}
_QUERY = "trend_query"
_NOT_HERE = {
    "url_md5": "it is an MD5 of a link's text, by which no page is found however it is written",
    "hash_url_md5": "it is an MD5 of a link's text, by which no page is found however it is written",
    "tlsh": "a TLSH of text is near to others and equal to none; it cannot be searched here",
    "text_tlsh": "a TLSH of text is near to others and equal to none; it cannot be searched here",
    "hash_text_tlsh": "a TLSH of text is near to others and equal to none; it cannot be searched here",
}
_REGULAR = "regex-"


def is_foreign(name: str) -> bool:
    """Whether a type's name is one of another system's."""
    return name.lower() in _SAME or name.lower() == _QUERY or name.lower() in _NOT_HERE


def read_foreign(name: str, text: str) -> list[tuple[str, str]]:
    """Signal type and text of each value that such a value means here. Raises InvalidSignalError with why it means
    none."""
    kind = name.lower()
    if (why := _NOT_HERE.get(kind)) is not None:
        raise InvalidSignalError("{name} is not searched: {why}", name=name, why=why)
    if kind == _QUERY:
        return [(KEYWORD.name, term) for term in _terms(text)]
    return [(_SAME[kind], text)]


def _terms(text: str) -> list[str]:
    """The keywords of `{"and": [{"or": [...]}, ...], "not": [...]}`."""
    try:
        query = json.loads(text)
        groups = [[str(term) for term in group["or"]] for group in query["and"]]
        never = [str(term) for term in query.get("not", [])]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidSignalError("a trend query is JSON such as {'and': [{'or': [...]}], 'not': [...]}") from None
    if not groups or not all(groups):
        raise InvalidSignalError("the trend query asks for nothing")
    terms = [*never, *(term for group in groups for term in group)]
    if any(term.startswith(_REGULAR) for term in terms):
        raise InvalidSignalError("the trend query has regular expressions, which are not searched: list its words")
    if any(sign in f" {term} " for term in terms for sign in (" + ", " - ")):
        raise InvalidSignalError("a term of the trend query has a ' + ' or ' - ' in it")
    count = 1
    for group in groups:
        count *= len(group)
    if count > MAX_TERMS:
        raise InvalidSignalError(
            "the trend query has {count:,} choices of words, more than {max_terms}", count=count, max_terms=MAX_TERMS
        )
    without = "".join(f" - {term}" for term in never)
    return ["".join((first, *(f" + {other}" for other in others), without)) for first, *others in product(*groups)]
