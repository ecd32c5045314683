"""Code that is named as text – tasks of workers, modules of child processes, factories, entry points – is there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_STOREYS = "api|casework|cli|console|content|deployment|foundation|gateways|lists|screening"
_NAME = re.compile(rf"tutela\.({_STOREYS})(\.\w+)*(:\w+)?")
_COMMAND = re.compile(r"-m (tutela(?:\.\w+)*)")
_MAY_NAME = re.compile(r"""["']tutela\.|-m tutela""")
_MAY_IMPORT_THE_FACE = re.compile(r"^\s*(?:from tutela import|import .*\btutela\b(?!\.))", re.MULTILINE)
_CLASS = re.compile(r"^ *class ([A-Za-z]\w*)[:(\[]", re.MULTILINE)
_LOGGERS = {"getLogger", "get_logger"}


def named() -> Iterator[tuple[str, str]]:
    """Every text in the code that is a name of our code, and where it stands."""
    for path, source in sources(_MAY_NAME):
        tree = ast.parse(source)
        loggers = {
            id(argument)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and _called(node.func) in _LOGGERS
            for argument in node.args
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in loggers:
                if _NAME.fullmatch(node.value):
                    yield node.value, str(path.relative_to(ROOT))
                for module in _COMMAND.findall(node.value):
                    yield module, str(path.relative_to(ROOT))
    for path in (ROOT / "Makefile", *(path for path in (ROOT / ".ci").rglob("*") if path.is_file())):
        for module in _COMMAND.findall(path.read_text(errors="replace")):
            yield module, path.name
    for group in PROJECT["entry-points"].values():
        yield from ((name, "pyproject.toml") for name in group.values())
    yield from ((name, "pyproject.toml") for name in PROJECT["scripts"].values())


def sources(among: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    """The files of code in which there is such a thing: to parse all of them takes a second and a half."""
    for path in sorted((ROOT / "tutela").rglob("*.py")):
        source = path.read_text()
        if among.search(source):
            yield path, source


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@pytest.fixture(scope="module")
def names() -> list[tuple[str, str]]:
    return sorted(set(named()))


def test_what_is_named_as_text_is_there(names):
    assert [f"{name} in {place}" for name, place in names if not _is_there(name)] == []


def _is_there(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return hasattr(import_module(module), attribute) if attribute else find_spec(module) is not None


def test_the_names_that_matter_are_among_them(names):
    found = {name for name, _ in names}
    assert {
        "tutela.screening.inspection:task",
        "tutela.console.rendition:render",
        "tutela.foundation.receiver:Receiver",
        "tutela.lists.rebuild",
        "tutela.lists.exchanges",
        "tutela.cli:main",
        "tutela.content.signals.pdq:PDQ",
        "tutela.lists.exchanges.ncmec:KIND",
    } <= found


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        ("tutela.console", "templates"),
        ("tutela.console", "static"),
        ("tutela.console", "locale"),
        ("tutela.casework.reports", "templates"),
        ("tutela.foundation.store", "migrations"),
    ],
)
def test_what_is_read_beside_code_lies_there(package, folder):
    assert (files(package) / folder).is_dir()


def test_nothing_inside_imports_the_packages_own_face():
    """`from tutela import _native` is all that the import contracts leave out."""
    looked_at = 0
    for path, source in sources(_MAY_IMPORT_THE_FACE):
        looked_at += 1
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "tutela":
                assert [name.name for name in node.names] == ["_native"], path
            if isinstance(node, ast.Import) and path.name != "__main__.py":
                assert "tutela" not in [name.name for name in node.names], path
    assert looked_at > 20


def test_no_class_name_is_used_for_two_things():
    """A name that a reader meets in one room means the same in every other; see the glossary."""
    places: dict[str, list[str]] = {}
    for path, source in sources(_CLASS):
        for name in _CLASS.findall(source):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert len(places) > 500
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "tutela").rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_what_a_room_offers_is_listed_in_order(path):
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=ast.List(elts=listed)):
                names = [ast.literal_eval(name) for name in listed]
                assert names == sorted(set(names))


# --- the face for plug-ins


@pytest.mark.parametrize("kind", ["exchanges", "gateways", "scorers", "signals"])
def test_what_plug_ins_are_offered_is_there(kind):
    face = import_module(f"tutela.plugins.{kind}")
    assert len(face.__all__) > 5
    assert [name for name in face.__all__ if not hasattr(face, name)] == []


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "examples").glob("*_plugin/*.py")), *sorted((ROOT / "docs").glob("add-*.md"))], ids=str
)
def test_plug_ins_are_shown_with_their_face_alone(path):
    imported = set(re.findall(r"^from (tutela\S*) import", path.read_text(), re.MULTILINE))
    assert all(module.startswith("tutela.plugins.") for module in imported), imported
