"""How a CyberTipline element is declared in Python, and how it becomes XML.

A model is a frozen dataclass that derives from `Element`. Its fields stand in the order of the schema's sequence, which
is the order in which they are written: the schema refuses any other. A field's Python name in camelCase is the name of
the XML element unless the field says another; `attribute()` and `content()` say what is not a child.
"""

import dataclasses
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, ClassVar, cast

from lxml import etree

from tutela.errors import InputError

_KIND, _NAME, _BITS = "kind", "name", "bits"


def element(name: str, default: Any = None) -> Any:
    """A child whose XML name is not its Python name in camelCase."""
    return dataclasses.field(default=default, metadata={_KIND: "element", _NAME: name})


def small_integer() -> Any:
    """A child that is a whole number of 32 bits."""
    return dataclasses.field(default=None, metadata={_BITS: 32})


def attribute(*, required: bool = False) -> Any:
    """An attribute of this element."""
    if required:
        return dataclasses.field(metadata={_KIND: "attribute"})
    return dataclasses.field(default=None, metadata={_KIND: "attribute"})


def content() -> Any:
    """The text that stands inside this element."""
    return dataclasses.field(metadata={_KIND: "content"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Element:
    """One XML element with its attributes and children, in the schema's order."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            where = f"{type(self).__name__}.{field.name}"
            for item in value if isinstance(value, tuple) else (value,):
                _check(where, item, field.metadata.get(_BITS, 64))
            if field.type == (date | None) and isinstance(value, datetime):
                raise InputError("{where}: {value} is a time; give a date", where=where, value=value)

    def to_xml(self, name: str) -> etree._Element:
        """This element under that name."""
        node = etree.Element(name)
        self._write_into(node)
        return node

    def _write_into(self, node: etree._Element) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kind = field.metadata.get(_KIND, "element")
            name = field.metadata.get(_NAME) or camel_case(field.name)
            if value is None:
                continue
            if kind == "attribute":
                node.set(name, lexical(value))
            elif kind == "content":
                node.text = lexical(value)
            else:
                node.extend(_children(name, value))


def document(root: Element, name: str) -> bytes:
    """A whole XML document in UTF-8."""
    return bytes(etree.tostring(root.to_xml(name), encoding="UTF-8", xml_declaration=True))


def camel_case(name: str) -> str:
    """`file_viewed_by_esp` as `fileViewedByEsp`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def lexical(value: object) -> str:
    """A value as XML Schema writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case StrEnum():
            return value.value
        case datetime():
            # XML Schema has no offsets with seconds, some time zones had; UTC is always writable.
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case float():
            return repr(value)
        case _:
            return writable(str(value))


def writable(text: str) -> str:
    """The text with every character that XML 1.0 cannot carry written as an escape such as `\\x00`.

    What an uploader wrote must neither stop a report nor vanish from it.
    """
    return "".join(character if _is_xml(character) else _escape(character) for character in text)


def _is_xml(character: str) -> bool:
    # https://www.w3.org/TR/xml/#charsets
    code = ord(character)
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _children(name: str, value: object) -> Iterator[etree._Element]:
    if isinstance(value, tuple):
        for item in value:
            yield from _children(name, item)
        return
    if isinstance(value, Element):
        yield value.to_xml(name)
        return
    node = etree.Element(name)
    if isinstance(value, frozenset):
        for flag in sorted(cast("frozenset[StrEnum]", value)):
            etree.SubElement(node, flag.value).text = "true"
        if not value:
            return
    else:
        node.text = lexical(value)
    yield node


def _check(where: str, value: object, bits: int) -> None:
    match value:
        case bool() | str():
            return
        case datetime():
            if value.utcoffset() is None:
                raise InputError("{where}: the time {value} has no time zone", where=where, value=value.isoformat())
            try:
                value.astimezone(UTC)
            except OverflowError:
                raise InputError(
                    "{where}: the time {value} is out of range in UTC", where=where, value=value.isoformat()
                ) from None
        case int():
            if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                raise InputError("{where}: {value} is out of range", where=where, value=value)
        case float():
            if not math.isfinite(value):
                raise InputError("{where}: {value} is not a finite number", where=where, value=value)


def exactly_one(choice: Element) -> None:
    """Raise InputError unless exactly one child of a choice is given."""
    given = [field.name for field in dataclasses.fields(choice) if getattr(choice, field.name) is not None]
    if len(given) != 1:
        raise InputError(
            "{kind} takes exactly one of its kinds, got {given}",
            kind=type(choice).__name__,
            given=", ".join(given) or "none",
        )
