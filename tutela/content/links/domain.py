"""`domain`: a host name with every name below it, or one address. A page is never turned into a domain."""

from tutela.content.links.digest import LinkDigest
from tutela.content.links.link import DOMAIN, Link
from tutela.errors import InvalidSignalError


class _Domain(LinkDigest):
    __slots__ = ()

    def _text_of(self, link: Link, text: str) -> str:
        if link.query is not None or link.path != "/":
            raise InvalidSignalError(
                "{text!r} is a page, not a domain: list it in a bank of pages (type 'url')", text=text[:80]
            )
        if not link.is_address and "." not in link.host:
            raise InvalidSignalError(
                "{text!r} is not a domain: a single label would cover everything below it", text=text[:80]
            )
        if "*" in link.host:
            raise InvalidSignalError(
                "{text!r} has a '*': a domain covers itself and every name below it", text=text[:80]
            )
        return link.host


HOST = _Domain(DOMAIN)
