"""What the pages print works: each command that they show is one, with options that exist; the first are run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.support.service import free_port
from tutela.cli.commands import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md"))
    if "decisions" not in path.parts
)
_BLOCK = re.compile(r"^```(\w*).*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(tutela [^`]+)`(?!`)")
_COMMAND = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*(?:\w+=\$\()?(?:\S+/)?tutela (.*?)\)?$")
_ENDS = ("|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "·")


def shown() -> Iterator[tuple[str, str]]:
    """Page and command, of every command in blocks and in running text."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        for language, block in _BLOCK.findall(text):
            if language in ("", "sh", "console", "bash"):
                for line in block.replace("\\\n", " ").splitlines():
                    if found := _COMMAND.match(line.strip()):
                        yield str(page), found[1]
        for command in _INLINE.findall(_BLOCK.sub("", text)):
            yield str(page), " ".join(command.split()).removeprefix("tutela ")


def words_of(command: str) -> list[str]:
    """The words up to what belongs to the shell. What a page leaves out, it writes as an ellipsis."""
    lexer = shlex.shlex(command.replace("…", "'…'"), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in _ENDS:
            break
        words.append(word)
    return words


COMMANDS = sorted(set(shown()))
TREE = typer.main.get_command(app)


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_that_a_page_shows_is_one(page, command):
    here = TREE
    words, path = words_of(command), ["tutela"]
    while hasattr(here, "commands"):
        options = {option: parameter for parameter in here.params for option in parameter.opts}
        while words and words[0].startswith("-"):
            name = words.pop(0).partition("=")[0]
            if name in ("--help", "--version"):
                return
            if not getattr(options[name], "is_flag", False) and words:
                words.pop(0)
        if not words or words[0] in ("…", "COMMAND", "{"):  # the last begins a block of another program's settings
            return
        assert words[0] in here.commands, f"{page}: there is no {' '.join(path)} {words[0]}"
        path.append(words.pop(0))
        here = here.commands[path[-1]]
    known = {option for parameter in here.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in {*known, "--help"}, f"{page}: {' '.join(path)} has no option {word}"


def test_many_commands_are_found():
    assert len(COMMANDS) > 200


def first_blocks() -> list[str]:
    """The blocks of the README that begin with what can be run where Tutela is installed."""
    blocks = [block for _, block in _BLOCK.findall((ROOT / "README.md").read_text())]
    return [block for block in blocks if "list.csv" in block or "curl" in block]


def test_the_readmes_commands_work_as_printed(tmp_path):
    """All but `pip install`; on a port that is free, and with one worker."""
    screening, serving = first_blocks()
    port = free_port()
    screening = screening.replace("pip install", ": pip install")
    assert "serve --port 8080 --workers 4 &" in serving
    serving = serving.replace("8080", str(port)).replace("--workers 4", "--workers 1")
    serving = serving.replace("curl ", "curl --silent --retry 60 --retry-delay 1 --retry-all-errors ")
    script = f"{screening}\necho status $?\n{serving}\nkill %1; wait %1"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = os.environ | {"TUTELA_HOME": str(tmp_path / "home"), "PATH": path, "TUTELA_DECODERS": "1"}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=told, capture_output=True, text=True, timeout=120)
    assert "2 lines: 1 listed" in done.stdout, done.stdout + done.stderr
    assert "status 1" in done.stdout, done.stdout + done.stderr
    assert '"decision":"block"' in done.stdout, done.stdout + done.stderr
