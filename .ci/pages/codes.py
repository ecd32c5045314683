"""Tables of codes – reasons of verdicts, scopes of keys – from the members of enumerations and their docstrings.

A marker names them: `<!-- codes: tutela/api/keys.py:Scope -->`.
"""

import ast
from collections.abc import Iterator

from pages.page import DOCS, ROOT, Page, PageError, table, with_made_parts

_PAGES = ("api.md", "operate.md")


def pages() -> Iterator[Page]:
    """The pages with tables of codes. Raises PageError for a code without a docstring, or a reason without a member."""
    _check_reasons()
    for name in _PAGES:
        yield with_made_parts(DOCS / name, "codes", _table)


def _table(marker: str) -> str:
    rows = [row for place in marker.split() for row in _rows(*place.split(":"))]
    return table(("code", "meaning"), rows)


def _rows(file: str, name: str) -> Iterator[tuple[str, str]]:
    """Each member's value and docstring, in the order of the source."""
    members = next(node for node in ast.walk(_tree(file)) if isinstance(node, ast.ClassDef) and node.name == name).body
    for member, after in zip(members, [*members[1:], None], strict=True):
        match member, after:
            case ast.Assign(value=ast.Constant(str(code))), ast.Expr(value=ast.Constant(str(meaning))):
                yield f"`{code}`", " ".join(meaning.split()).removesuffix(".")
            case ast.Assign(value=ast.Constant(str(code))), _:
                raise PageError(f"{file}: {name} does not say what {code!r} means")


def _check_reasons() -> None:
    """That every reason of a verdict is a member of an enumeration: a bare text would be missing in the tables."""
    for file in (ROOT / "tutela").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Reason"), args=[ast.Constant(str(code)), *_]):
                    raise PageError(f"{file.relative_to(ROOT)}: the reason {code!r} is not a member of an enumeration")


def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())
