"""What `tutela` says of itself: help, version, completion."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import tutela
from tests.support.processes import COMMAND, environment, tutela_run
from tutela.cli.commands import app


def commands() -> Iterator[tuple[str, ...]]:
    def below(command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*path, name))

    yield from below(typer.main.get_command(app), ())


@pytest.mark.slow
@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_explains_every_option(path):
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    assert " ".join(["Usage: tutela", *path]).strip() in result.output.replace("Usage: root", "Usage: tutela")
    assert command.help
    said = " ".join([command.help, *(parameter.help or "" for parameter in command.params)])
    for bracketed in re.findall(r"\[[^\]]*\]", said):  # Rich takes it for markup and leaves it out
        assert bracketed in result.output
    for parameter in command.params:
        assert parameter.help, f"{parameter.name} is not explained"
        if parameter.param_type_name == "option":
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert option in result.output
    for name in getattr(command, "commands", ()):
        assert re.search(rf"│ {name} ", result.output)


HEAVY = ("numpy", "sqlalchemy", "alembic", "fastapi", "uvicorn", "PIL", "asyncio", "tutela._native")


_LOADED = """
import sys
sys.argv = ["tutela", *sys.argv[1:]]
from tutela.cli import main
try:
    main()
except SystemExit as ended:
    assert ended.code in (0, None), ended.code
print("loaded", *sorted(sys.modules))
"""


@pytest.mark.parametrize("args", [["--help"], ["bank", "import", "--help"], ["--version"], ["screen", "--help"]])
def test_help_and_version_load_nothing_heavy(home, args):
    command = [sys.executable, "-c", _LOADED, *args]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(home))
    loaded = result.stdout.splitlines()[-1].split()
    assert (result.returncode, loaded[0]) == (0, "loaded")
    assert {"tutela.cli.commands", "typer"} <= set(loaded)
    assert set(HEAVY) & set(loaded) == set()
    assert not home.exists()


def test_the_version_is_printed(home):
    answer = tutela_run(home, "--version")
    assert (answer.code, answer.out, answer.err) == (0, f"{tutela.__version__}\n", "")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_choices(home):
    lines = ["tutela ba", "tutela bank imp", "tutela bank update known --thr", "tutela bank create known --action b"]
    script = 'eval "$(_TUTELA_COMPLETE=source_bash tutela)"\n' + "".join(
        f"COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _tutela_completion tutela;"
        ' echo "${COMPREPLY[*]}"\n'
        for line in lines
    )
    path = f"{Path(COMMAND[0]).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment(home, PATH=path)
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split("\n") == ["bank", "import", "--threshold", "block", ""]
