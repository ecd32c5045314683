"""Which ways lead into content of a type. Each container is a file of its own, loaded when it is first needed."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

from tutela.content.media.confined.ordinary import is_audio
from tutela.content.media.confined.parts import Container
from tutela.content.media.content import Content
from tutela.content.media.sniff import PICTURES, VIDEOS, MediaType

__all__ = ["CONTAINERS", "containers_for"]

_PICTURE = ("metadata:MetadataBlocks", "trailing:Trailing")
_ANIMATED = ("frames:Frames", *_PICTURE)
_TEXT = ("page:WebPage", "drawn_text:DrawnText", "text:EncodedText")
_WAYS: Mapping[MediaType, Sequence[str]] = {
    MediaType.JPEG: (*_PICTURE, "gain_map:GainMap"),
    MediaType.BMP: ("trailing:Trailing", "unsaid:Unsaid"),
    MediaType.PNG: _ANIMATED,
    MediaType.GIF: (*_ANIMATED, "carved:Carved", "unsaid:Unsaid"),
    MediaType.WEBP: (*_ANIMATED, "unsaid:Unsaid"),
    MediaType.AVIF: ("items:Items", *_ANIMATED),
    MediaType.HEIC: ("items:Items", *_PICTURE),
    MediaType.TIFF: (
        *("frames:Frames", "directories:Directories", "appended:AppendedPages", "carved:Carved", "unsaid:Unsaid"),
    ),
    MediaType.JXL: ("frames:Frames", "carved:Carved"),
    MediaType.PSD: ("frames:Frames", "carved:Carved"),
    MediaType.ICO: ("icons:Icons", "carved:Carved"),
    **dict.fromkeys((MediaType.JPEG2000, MediaType.TGA, MediaType.PNM, MediaType.QOI), ("carved:Carved",)),
    **dict.fromkeys(VIDEOS, ("covers:Covers", "metadata:MetadataBlocks")),
    MediaType.MP4: ("covers:Covers", *_PICTURE, "unused:Unused"),
    MediaType.AVI: ("covers:Covers", *_PICTURE, "unused:Unused"),
    MediaType.WEBM: ("covers:Covers", "metadata:MetadataBlocks", "unused:Unused"),
    MediaType.ZIP: ("zip:Zip",),
    MediaType.TAR: ("tar:Tar",),
    MediaType.GZIP: ("compressed:Compressed",),
    MediaType.BZIP2: ("compressed:Compressed",),
    MediaType.XZ: ("compressed:Compressed",),
    MediaType.ZSTD: ("compressed:Compressed",),
    MediaType.SEVEN_ZIP: ("seven_zip:SevenZip",),
    MediaType.RAR: ("libarchive:Libarchive",),
    MediaType.CAB: ("libarchive:Libarchive",),
    MediaType.ISO: ("libarchive:Libarchive",),
    MediaType.AR: ("libarchive:Libarchive",),
    MediaType.RPM: ("libarchive:Libarchive",),
    MediaType.PDF: ("pdf:Pdf", "trailing:Trailing"),
    MediaType.EMAIL: ("mail:Mail",),
    MediaType.OLE: ("ole:Ole",),
    MediaType.HTML: _TEXT,
    MediaType.SVG: ("drawing:Drawing", "text:EncodedText"),
    MediaType.XPM: ("bitmap:Bitmap",),
    MediaType.EMF: ("metafile:Metafile",),
    MediaType.WMF: ("metafile:Metafile",),
    MediaType.SVM: ("metafile:Metafile",),
    MediaType.CMS: ("cms:Cms",),
    MediaType.POSTSCRIPT: ("postscript:PostScript",),
}
_LOOKED_THROUGH: Sequence[str] = ("carved:Carved",)
_MARKUP = "markup:Markup"
_AS_TEXT = frozenset({"page:WebPage", "text:EncodedText", "mail:Mail", "postscript:PostScript"})
"""What goes through the text as it stands has its markup, too."""
_AUDIO: Sequence[str] = ("covers:Covers", *_LOOKED_THROUGH)

_SHOWN = PICTURES | VIDEOS
CONTAINERS = frozenset(_WAYS) - _SHOWN
"""Types that are nothing but what they hold: looked into, they are screened."""


def containers_for(content: Content) -> Sequence[Container]:
    """The ways into the content. What is of no known type, or is not decoded, is searched for pictures all the same."""
    if not content.data:
        return ()
    if content.media_type is not None:
        ways = _WAYS.get(content.media_type, _LOOKED_THROUGH)
    else:
        ways = _AUDIO if is_audio(content.data) else _TEXT if content.is_text else _LOOKED_THROUGH
    if not (_AS_TEXT & set(ways)):
        ways = (*ways, _MARKUP)
    return [_container(way) for way in ways]


@cache
def _container(way: str) -> Container:
    module, _, name = way.partition(":")
    container: Container = getattr(import_module(f"tutela.content.media.confined.containers.{module}"), name)()
    return container


def prepare() -> None:
    """Import every container, while files may still be opened."""
    for way in {way for ways in (*_WAYS.values(), _AUDIO, (_MARKUP,)) for way in ways}:
        _container(way)
