"""`url-tree`: a folder of exactly one host, with every page below it. The text ends with the folder's slash."""

from tutela.content.links.digest import LinkDigest
from tutela.content.links.link import URL_TREE, Link
from tutela.errors import InvalidSignalError


class _Folder(LinkDigest):
    __slots__ = ()

    def _text_of(self, link: Link, text: str) -> str:
        if link.query is not None or not link.path.endswith("/"):
            raise InvalidSignalError("{text!r} is a page: a folder ends with '/' and has no query", text=text[:80])
        return link.page


FOLDER = _Folder(URL_TREE)
