"""Who imports whom, type-only imports too. The contracts that `make lint` keeps are in pyproject.toml."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    ".".join(path.parent.relative_to(ROOT).parts): ast.parse(path.read_text())
    for path in sorted((ROOT / "tutela").rglob("__init__.py"))
    if "migrations" not in path.parts
}
_IMPORT = re.compile(r"^\s*(from tutela\b\S* import (?:\([^)]*\)|[^(\n].*))", re.MULTILINE)
_ANY_IMPORT = re.compile(r"^\s*(?:from|import) ", re.MULTILINE)
_IMPORT_OF_A_TEST = re.compile(r"^\s*(?:from|import) tests\b[^\n]*(?:\([^)]*)?\btest_.*", re.MULTILINE)


def offers(room: str) -> set[str]:
    """What a room says that others may import: names, and modules of its own."""
    for node in ROOMS[room].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def imported(path: Path) -> Iterator[list[str]]:
    """Every name of the package that a file imports from it, as its steps: `tutela`, `lists`, `banks`, …

    Nothing else of the file is parsed: that takes ten times as long.
    """
    for statement in _IMPORT.findall(path.read_text()):
        (node,) = ast.parse(statement).body
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        yield from ([*node.module.split("."), alias.name] for alias in node.names)


def test_no_chain_of_imports_leads_back_to_where_it_began():
    graph = grimp.build_graph("tutela", cache_dir=None)
    # `from tutela import _native` is the compiled core, not what the package's face names for type checkers.
    imports = {module: graph.find_modules_directly_imported_by(module) - {"tutela"} for module in graph.modules}
    assert len(imports) > 500
    TopologicalSorter(imports).prepare()  # raises CycleError, which shows the circle


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for_and_what_it_offers_is_there(room):
    assert ast.get_docstring(ROOMS[room])
    module = import_module(room)
    absent = [name for name in offers(room) if not hasattr(module, name) and find_spec(f"{room}.{name}") is None]
    assert absent == []


def test_a_room_is_imported_only_by_what_it_offers():
    taken, unoffered = 0, set()
    for path in sorted((ROOT / "tutela").rglob("*.py")):
        importer = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for steps in imported(path):
            for depth in range(2, len(steps)):
                room = ".".join(steps[:depth])
                if room in ROOMS and not importer.startswith(f"{room}."):
                    taken += 1
                    if steps[depth] not in offers(room):
                        unoffered.add(f"{importer} imports {steps[depth]} of {room}")
    assert taken > 1000
    assert sorted(unoffered) == []


def test_no_test_is_imported():
    """By another, or by what tests share: what two tests need is in tests/support."""
    looked_at, found = 0, set()
    for path in sorted((ROOT / "tests").rglob("*.py")):
        source = path.read_text()
        looked_at += len(_ANY_IMPORT.findall(source))
        found |= {f"{path.relative_to(ROOT)}: {statement}" for statement in _IMPORT_OF_A_TEST.findall(source)}
    assert looked_at > 1000
    assert found == set()
