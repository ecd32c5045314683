"""A draft: everything that a report will say, before it is filed. It is stored sealed and read back as it was."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, Protocol

from tutela.casework.reports.cybertipline.elements import lexical, writable
from tutela.casework.reports.cybertipline.report import FileDetails, Report
from tutela.casework.reports.cybertipline.schema import Schema
from tutela.casework.reports.cybertipline.schema import problems as problems_of
from tutela.errors import InputError

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """One file that goes with a report: where its sealed bytes are, and what is said of it."""

    evidence: str
    """The evidence's own name."""
    md5: str | None = None
    """Of the bytes, in lower-case hexadecimal; the server's answer is compared with it."""
    details: FileDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A report with its files."""

    report: Report
    files: tuple[DraftFile, ...] = ()

    def problems(self, schema: Schema | None = None) -> list[str]:
        """What would have it refused; empty when nothing would."""
        return problems_of(self.report, tuple(file.details for file in self.files), schema)

    def xml(self) -> list[bytes]:
        """The documents as they will be sent: the report, then each file's details, whose numbers come later."""
        return [self.report.xml(), *(file.details.xml() for file in self.files)]

    def json(self) -> bytes:
        """The draft as JSON, with what no XML carries as an escape; `Draft.read` reads it back."""
        return json.dumps(_plain(_adapter().dump_python(self))).encode()

    @classmethod
    def read(cls, text: bytes | str) -> "Draft":
        """A draft from its JSON. Raises InputError that says where it is wrong."""
        from pydantic import ValidationError
        from pydantic_core import from_json

        try:
            # So that no text of a report stays in memory: an adapter of a dataclass takes no setting for that.
            return _adapter().validate_python(from_json(text, cache_strings="keys"))
        except ValidationError as error:
            found = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10]]
            raise InputError("this is no draft of a report: {found}", found="; ".join(found)) from None
        except ValueError as error:
            raise InputError("this is no draft of a report: {found}", found=str(error)) from None

    def with_files(self, files: tuple[DraftFile, ...]) -> "Draft":
        """The draft with other files."""
        return replace(self, files=files)


class Sealing(Protocol):
    """Keeps drafts from whoever has no review key: `tutela.casework.evidence`'s, or any other."""

    def seal(self, plain: bytes) -> bytes:
        """The bytes, readable only with the review key."""

    def unseal(self, sealed: bytes) -> bytes:
        """The bytes as they were. Raises TutelaError without the key."""


class FileSource(Protocol):
    """Gives the bytes of evidence to whoever files a report."""

    def open(self, evidence: str) -> BinaryIO:
        """The bytes of that piece of evidence, as a seekable file. Raises TutelaError."""


@cache
def _adapter() -> "TypeAdapter[Draft]":
    from pydantic import TypeAdapter

    return TypeAdapter(Draft)


def _plain(value: object) -> object:
    match value:
        case StrEnum():
            return value.value
        case str():
            return writable(value)
        case datetime() | date():
            return lexical(value)
        case frozenset():
            return sorted(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return value
