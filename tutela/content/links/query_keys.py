"""Which parameters of a page's query count: `example.org/page?id=7 keys=id` is that page whatever else its query has.

An entry with a query is dodged by one more parameter, so it may name those that count. Such a page has a text of its
own, with these parameters alone and in order of name, so it is never taken for the page of exactly that query. A
link is asked for once for each set of names that any list uses (`Banks.query_keys`), where it has them all.
"""

from tutela.content.links.link import KEYS_MARK, QueryKeys
from tutela.errors import InvalidSignalError

MAX_KEYS = 4
"""Of one entry."""
MAX_SETS = 64
"""Different sets of names that entries may use: each costs every link that has such parameters one more look-up."""


def split_keys(text: str) -> tuple[str, QueryKeys]:
    """A page's text as listed, and the names after it; none where it names none. Raises InvalidSignalError."""
    page, mark, said = text.strip().rpartition(KEYS_MARK)
    if not mark:
        return text.strip(), ()
    keys = tuple(sorted({name.strip() for name in said.split(",")}))
    if not all(keys) or len(keys) > MAX_KEYS or any(set("&=# ") & set(name) for name in keys):
        raise InvalidSignalError(
            "{said!r} does not name the parameters that count: give one to {most} names, as in keys=id,lang",
            said=said[:80],
            most=MAX_KEYS,
        )
    return page, keys
