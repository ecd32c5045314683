"""Every route of the HTTP API with the scope that its key needs, at the end of docs/api.md."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from pages.page import DOCS, ROOT, Page, PageError, table, with_made_parts

_METHODS = {"get", "post", "put", "patch", "delete"}


def pages() -> Iterator[Page]:
    """The page of the API. Raises PageError for a route whose scope cannot be told."""
    rows = [row for file in sorted((ROOT / "tutela" / "api").glob("*_routes.py")) for row in _rows(file)]
    yield with_made_parts(DOCS / "api.md", "routes", lambda _: table(("route", "scope"), rows))


def _rows(file: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(file.read_text())
    named = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    named |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.AsyncFunctionDef)}
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in function.decorator_list:
            match decorator:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=router), attr=method), args=[ast.Constant(str(path))]
                ) if method in _METHODS and "include_in_schema=False" not in ast.unparse(decorator):
                    found = _scopes(function.args, named) or _scopes(named[router], named)
                    if len(found) != 1:
                        raise PageError(f"{file.relative_to(ROOT)}: {function.name} needs one scope, not {found}")
                    prefix = next(
                        (ast.literal_eval(k.value) for k in _keywords(named[router]) if k.arg == "prefix"), ""
                    )
                    yield f"`{method.upper()} {prefix}{path}`", f"`{found.pop()}`"


def _keywords(call: ast.AST) -> list[ast.keyword]:
    return call.keywords if isinstance(call, ast.Call) else []


def _scopes(node: ast.AST, named: Mapping[str, ast.AST]) -> set[str]:
    """The scopes that something names, itself or by what it names in its module."""
    found = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Attribute(value=ast.Name(id="Scope"), attr=scope):
                found.add(scope.lower())
            case ast.Name(id=name) if name in named and named[name] is not node:
                found |= _scopes(named[name], named)
    return found
