"""The docs say what the source says: what is made from it is fresh, and what is written by hand names what exists."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main

import tutela
from tests.support.pictures import draw_scene, file_of
from tutela.cli.commands import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
COMMAND = typer.main.get_command(app)
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in _FENCE.findall(page.read_text()) if language in languages]


def reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "reference", "--check", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_what_is_made_from_the_source_is_fresh():
    """Settings, commands, codes, routes, tables of files, decisions, problems, names: `make reference` writes them."""
    checked = reference()
    assert checked.returncode == 0, checked.stderr


def test_the_python_page_names_everything_that_the_package_offers():
    page = (DOCS / "python.md").read_text()
    assert all(f"::: tutela.{name}\n" in page for name in tutela.__all__ if name != "__version__")


def pages_with_outputs() -> Iterator[object]:
    """The pages by what they begin with: those that begin with a demonstration share one, any other is run apart."""
    begun: list[str] = []
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        match re.search(r"<!-- output: (\w+)", page.read_text()):
            case None:
                continue
            case start if start[1] in ("site", "nothing"):
                yield pytest.param([name], id=name)
            case _:
                begun.append(name)
    yield pytest.param(begun, id="+".join(begun))


@pytest.mark.shown
@pytest.mark.parametrize("pages", list(pages_with_outputs()))
def test_what_pages_show_of_commands_is_what_they_print(pages):
    shown = reference("--outputs", *pages)
    assert shown.returncode == 0, shown.stderr


def test_every_transcript_is_made_by_the_build_or_says_why_not():
    for page in PAGES:
        for before in re.split(r"^```console$", page.read_text(), flags=re.MULTILINE)[:-1]:
            assert re.search(r"<!-- (output|by hand): [^>]+ -->\n+$", before), f"{page}: a transcript without a marker"


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_library_is_used_as_the_page_shows(page, tmp_path):
    """The block runs as it stands, but for the folder; a picture that nothing lists is published."""
    (block,) = blocks(ROOT / page, "python")
    published: list[bytes] = []
    upload = file_of(draw_scene(3), "JPEG")
    names: dict[str, Any] = {"upload": upload, "publish": published.append}
    exec(block.replace("/var/lib/tutela", str(tmp_path / "home")), names)
    assert names["verdict"].decision is tutela.Decision.ALLOW
    assert published == ([upload] if page == "README.md" else [])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_on_pages_is_python(page):
    for block in blocks(page, "python"):
        ast.parse(block if not block.startswith(" ") else "if True:\n" + block)


def commands_shown() -> Iterator[tuple[Path, str]]:
    """Every line of a block that calls `tutela`, with the lines that it goes on in."""
    for page in PAGES:
        for block in blocks(page, "", "sh", "console", "bash", "text"):
            for line in block.replace("\\\n", " ").splitlines():
                if call := re.match(r"(?:\$ )?(?:\S+/)?(tutela (?![+{]).*)", line):
                    yield page, call[1]


def fault_of(line: str) -> str | None:
    """What is wrong with a call: a command or an option that does not exist."""
    command = COMMAND
    known: set[str] = {"--help"}
    for word in shlex.split(re.split(r" [|<>&#…]|  ·", line)[0])[1:]:
        known |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if word.startswith("--") and word.partition("=")[0] not in known:
            return f"{command.name} has no option {word}"
        if isinstance(command, typer.core.TyperGroup) and re.fullmatch(r"[a-z_][a-z_-]*", word):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
    return None


def test_every_command_on_a_page_exists_with_its_options():
    shown = list(commands_shown())
    assert len(shown) > 100
    wrong = [f"{page.relative_to(ROOT)}: {line}: {fault}" for page, line in shown if (fault := fault_of(line))]
    assert not wrong, "\n".join(wrong)


def test_every_file_and_test_that_a_page_names_exists():
    """Places in backticks: paths from the root, and names of tests."""
    sources = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    known = set(re.findall(r"def (test_\w+)", sources))
    wrong: list[str] = []
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        places = re.findall(r"`((?:tests|tutela|native|examples|benchmarks|deploy)/[\w/.*-]*)`", text)
        missing = [place for place in places if not list(ROOT.glob(place.rstrip("/")))]
        missing += [name for name in re.findall(r"`(test_\w+)`", text) if name not in known]
        wrong += [f"{page.relative_to(ROOT)}: {name}" for name in missing]
    assert not wrong, "\n".join(wrong)


def test_the_page_of_a_signal_type_shows_the_example_as_it_is():
    page = (DOCS / "add-a-signal-type.md").read_text()
    shown = re.findall(r"```\w+ title=\"(examples/[\w/.]+)\"\n(.*?)```", page, flags=re.DOTALL)
    assert len(shown) == 3
    for name, block in shown:
        assert block in (ROOT / name).read_text(), f"{name} does not contain:\n{block}"
