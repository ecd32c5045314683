"""`url`: exactly one page. An entry with a query is that page with that query; one without is the page with any.

One that names the parameters that count, `example.org/page?id=7 keys=id`, is the page whatever else its query has.
"""

from tutela.content.links.digest import LinkDigest, is_digest
from tutela.content.links.link import URL, Link, parse_link
from tutela.content.links.query_keys import split_keys
from tutela.errors import InvalidSignalError


class _Page(LinkDigest):
    __slots__ = ()

    def parse(self, text: str) -> bytes:
        """As every link's; names of parameters may follow a digest, too."""
        page, _ = split_keys(text)
        return super().parse(page if is_digest(page) else text)

    def canonical(self, text: str) -> str:
        """As every link's; with the names of the parameters that count, where there are any."""
        page, keys = split_keys(text)
        link = parse_link(page)
        if not keys or link is None:
            return super().canonical(page)
        found = list(link.pages_by([keys]))
        if len(found) != 1:
            raise InvalidSignalError(
                "the query of {text!r} must have each of {keys} once", text=page[:80], keys=", ".join(keys)
            )
        return found[0]

    def _text_of(self, link: Link, text: str) -> str:
        return link.page


PAGE = _Page(URL)
