"""Content that is open: bytes with a sniffed type, and the picture in them, decoded once and only when asked for."""

from functools import cached_property

from tutela.content.media.confined.decode import decode_picture
from tutela.content.media.content import Mode, Picture
from tutela.content.media.limits import Limits
from tutela.content.media.plain import as_utf8, is_text
from tutela.content.media.sniff import MediaType, sniff


class OpenedContent:
    """Bytes with a sniffed type and a lazily decoded picture."""

    def __init__(self, data: bytes | memoryview, mode: Mode, limits: Limits) -> None:
        self.data = data
        self.mode = mode
        self.limits = limits

    @classmethod
    def of_picture(cls, picture: Picture, mode: Mode, limits: Limits) -> "OpenedContent":
        """Content without bytes of its own: a frame, or a page that was drawn."""
        content = cls(b"", mode, limits)
        vars(content)["picture"] = picture
        return content

    @cached_property
    def media_type(self) -> MediaType | None:
        """The type by content, never by name; None where it is not a known one."""
        return sniff(self.data)

    @cached_property
    def is_text(self) -> bool:
        """Whether its bytes are text; looked at once, though several containers ask."""
        return is_text(self.data)

    @cached_property
    def text(self) -> bytes:
        """Its bytes as containers read them that go through text; copied once for all of them."""
        return as_utf8(self.data)

    @property
    def decoded(self) -> Picture | None:
        """The picture, where it was asked for and had."""
        return vars(self).get("picture")

    @cached_property
    def picture(self) -> Picture:
        """The (first) picture. Raises UnscreenableError with the reason where there is none to be had."""
        return decode_picture(self.data, self.media_type, self.mode, self.limits)
