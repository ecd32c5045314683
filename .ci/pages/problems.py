"""The table of problem types in docs/problems.md: every one that the source raises, by status."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from pages.page import DOCS, ROOT, Page, PageError, table, with_made_parts

_RAISED = {"Problem", "problem_response"}
_FRAMEWORK = {"not-found": 404, "method-not-allowed": 405, "bad-request": 400}
"""What the framework answers by itself, as `tutela.api.problems` names it."""


def pages() -> Iterator[Page]:
    """The page of problems. Raises PageError where it describes another set of them."""
    path = DOCS / "problems.md"
    kinds = _raised()
    described = {line[3:] for line in path.read_text().splitlines() if line.startswith("## ")}
    if described != set(kinds):
        missing, unknown = sorted(set(kinds) - described), sorted(described - set(kinds))
        raise PageError(f"docs/problems.md does not describe {missing}; the source does not raise {unknown}")
    by_status = defaultdict(list)
    for kind, status in sorted(kinds.items()):
        by_status[status].append(f"[{kind}](#{kind})")
    rows = [(str(status), ", ".join(of)) for status, of in sorted(by_status.items())]
    yield with_made_parts(path, "problems", lambda _: table(("status", "problems"), rows))


def _raised() -> dict[str, int]:
    """Every problem type that the source raises, with its status. Raises PageError where one has two."""
    kinds = dict(_FRAMEWORK)
    for file in (ROOT / "tutela").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id=name), args=[ast.Constant(int(status)), ast.Constant(str(kind)), *_]
                ) if name in _RAISED:
                    if kinds.setdefault(kind, status) != status:
                        raise PageError(f"the problem {kind} has the status {status} and {kinds[kind]}")
    return kinds
