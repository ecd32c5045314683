"""What `make messages` finds in code: texts marked with `message` or `said`, and what rooms say when they refuse.

Rooms speak English and know no catalogue. Their refusals are in it all the same, each with the context `said` and with
named places for what a refusal names; `Language.said` finds the one that a refusal was made from.
"""

import ast
import tomllib
from collections.abc import Collection, Iterator
from typing import BinaryIO

from tutela.console.words import SAID

Found = tuple[int, str | None, str | tuple[str, str], list[str]]
"""A line, the function that a message is given to, the message (with its context), and comments."""


def extract_code(file: BinaryIO, keywords: Collection[str], tags: Collection[str], options: object) -> Iterator[Found]:
    """Messages of a Python file, as Babel wants them."""
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("message", "said"):
            for text in filter(None, map(sentence, node.args)):
                yield node.lineno, *((None, text) if node.func.id == "message" else ("pgettext", (SAID, text))), []
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for text in filter(None, map(sentence, node.exc.args)):
                if " " in text:
                    yield node.lineno, "pgettext", (SAID, text), []


def extract_helplines(
    file: BinaryIO, keywords: Collection[str], tags: Collection[str], options: object
) -> Iterator[Found]:
    """The names and notes of the helplines that come with Tutela."""
    for line in tomllib.load(file)["helpline"]:
        yield from ((1, None, line[name], []) for name in ("name", "note"))


def sentence(node: ast.expr) -> str | None:
    """A text as a message: `%(name)s` stands where it names something. None where it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    places: dict[str, int] = {}
    return "".join(_piece(value, places) for value in node.values)


def _piece(node: ast.expr, places: dict[str, int]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)
    name = _name(node.value)
    places[name] = places.get(name, 0) + 1
    return f"%({name}{places[name] if places[name] > 1 else ''})s"


def _name(node: ast.AST) -> str:
    """What a place is called: as the value is, whatever is done to it first."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Call(func=ast.Attribute(value=ast.Name("self"), attr=name)):
            return name.strip("_").lower()
        case ast.Call(func=ast.Attribute(value=ast.expr() as value)) if not isinstance(value, ast.Constant):
            return _name(value)
        case ast.Call(args=[*_, last]):
            return _name(last)
        case ast.Subscript(value=value):
            return _name(value)
        case _:
            return "value"
