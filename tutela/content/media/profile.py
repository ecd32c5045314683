"""What a service expects to get: pictures and films, or files of every kind. One table says what passes.

Whatever is in it is searched for pictures first, in either profile. What is not in it is held.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Profile(StrEnum):
    """What is expected of uploads."""

    PICTURES = "pictures"
    """Pictures and films, and what carries them, such as archives and documents. The rest is held."""
    FILES = "files"
    """Ordinary files, as a chat, mail or file service has them: what is known to show nothing passes as what it is."""


class FileKind(StrEnum):
    """What a file is that shows no picture by itself."""

    TEXT = "text"
    FONT = "font"
    SYSTEM = "system"
    """What systems put beside files: `.DS_Store`, AppleDouble."""
    AUDIO = "audio"
    """Its covers are looked at."""
    SIGNATURE = "signature"
    """Signatures, certificates and public keys: S/MIME, OpenPGP."""
    PROGRAM = "program"
    DATA = "data"
    """Databases, settings, translations and the like, of a known form."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What passes."""

    alone: frozenset[FileKind]
    """As an upload of its own."""
    inside: frozenset[FileKind]
    """As a part of an archive, a document or a mail."""
    trailing: bool
    """Whether any bytes may stand behind a file's end, once they were searched: notes of makers, depth maps."""


EXPECTED: Mapping[Profile, Expected] = {
    Profile.PICTURES: Expected(
        alone=frozenset(),
        inside=frozenset({FileKind.TEXT, FileKind.FONT, FileKind.SYSTEM}),
        trailing=False,
    ),
    Profile.FILES: Expected(
        alone=frozenset(FileKind),
        inside=frozenset(FileKind),
        trailing=True,
    ),
}
