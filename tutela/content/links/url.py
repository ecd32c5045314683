"""`url`: exactly one page. An entry with a query is that page with that query; one without is the page with any."""

from tutela.content.links.digest import LinkDigest
from tutela.content.links.link import URL, Link


class _Page(LinkDigest):
    __slots__ = ()

    def _text_of(self, link: Link, text: str) -> str:
        return link.page


PAGE = _Page(URL)
