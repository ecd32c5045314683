"""What is wrong with a report before it is sent: the published schema, and the rules that the schema does not say.

The schema belongs to NCMEC and is not part of Tutela. It is read from a file, or fetched from `GET /xsd` by the client.
"""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from lxml import etree

from tutela.casework.reports.cybertipline.elements import Element
from tutela.casework.reports.cybertipline.report import FileDetails, Report
from tutela.casework.reports.cybertipline.vocabulary import FileRelevance
from tutela.errors import InputError, TutelaError

MAX_TEXT = 3_000
"""Characters of `additionalInfo` and `escalateToHighPriority`; they must not be blank either."""
_LIMITED = ("additional_info", "escalate_to_high_priority")
_MAX_SCHEMA_BYTES = 4 * 1024 * 1024


class Schema:
    """The published CyberTipline schema."""

    def __init__(self, text: bytes) -> None:
        """Raises TutelaError when the text is not an XML schema."""
        try:
            self._schema = etree.XMLSchema(parse(text))
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
            raise TutelaError("this is not the CyberTipline schema: {error}", error=error) from error
        self.text = text

    @classmethod
    def read(cls, path: Path) -> "Schema":
        """The schema in a file. Raises InputError when it cannot be read."""
        try:
            return cls(path.read_bytes()[:_MAX_SCHEMA_BYTES])
        except OSError as error:
            raise InputError(
                "the CyberTipline schema {path} cannot be read: {why}", path=path, why=error.strerror
            ) from error

    def problems(self, document: bytes) -> list[str]:
        """Why the schema refuses this document; empty when it does not."""
        try:
            tree = parse(document)
        except etree.XMLSyntaxError as error:
            return [f"not well-formed: {error}"]
        if self._schema.validate(tree):
            return []
        return [f"line {error.line}: {error.message}" for error in self._schema.error_log]


def parse(document: bytes) -> etree._Element:
    """The root of an XML document that must have no document type and fetches nothing. Raises XMLSyntaxError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(document, parser)
    if root.getroottree().docinfo.doctype:
        raise etree.XMLSyntaxError("a document type is not allowed", 0, 0, 0)
    return root


def problems(report: Report, files: tuple[FileDetails, ...] = (), schema: Schema | None = None) -> list[str]:
    """What would have this report refused, as sentences; empty when nothing would. Without a schema, only the rest."""
    found = [*_limits(report, "report")]
    for position, details in enumerate(files, 1):
        where = f"file {position}"
        found += _limits(details, where)
        if details.file_relevance is FileRelevance.SUPPLEMENTAL and (
            details.industry_classification or details.potential_meme
        ):
            found.append(f"{where}: only a file of relevance Reported has a classification or is a potential meme")
    if schema is not None:
        found += [f"report, {what}" for what in schema.problems(report.xml())]
        for position, details in enumerate(files, 1):
            found += [f"file {position}, {what}" for what in schema.problems(details.of(1, "1").xml())]
    return found


def _limits(node: Element, where: str) -> Iterator[str]:
    for field in fields(node):
        value = getattr(node, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            place = f"{where}.{field.name}"
            if isinstance(item, Element):
                yield from _limits(item, place)
            elif field.name in _LIMITED and isinstance(item, str):
                if not item.strip():
                    yield f"{place} is blank; leave it out"
                elif len(item) > MAX_TEXT:
                    yield f"{place} has {len(item):,} characters; at most {MAX_TEXT:,} are taken"
