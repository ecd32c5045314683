"""What is loaded before any work is done: every command, and every start of a service, waits for it."""

import os
import subprocess
import sys

import pytest

SHOWING = frozenset(
    {
        *("typer", "annotated_doc", "shellingham", "rich", "pygments", "markdown_it", "mdurl"),
        *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "email", "attr"),
    }
)
"""What commands are read and shown with: Typer, Rich, and what these need."""
COSTLY = frozenset({"asyncio", "email", "multiprocessing", "sqlite3", "ssl", "unittest"})
"""Of the standard library."""
REFUSING = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if (top := name.partition(".")[0]) in MAY_BE_LOADED:
            return
        specs = filter(None, (finder.find_spec(name, path, target) for finder in sys.meta_path[1:]))
        if top in COSTLY or any("site-packages" in (spec.origin or "") for spec in specs):
            raise AssertionError(f"{name} is loaded")

sys.meta_path.insert(0, Refusing())
"""
READING = "from tutela.deployment.settings import load_settings; load_settings()"
EVERY_SECTION = "from tutela.deployment.settings.template import template; template()"
COMMAND = "from tutela.cli import main; main()"


def complaint(code: str, *arguments: str, besides: frozenset[str] = frozenset()) -> str:
    """What a new interpreter says that runs this with the standard library, ours, and nothing besides that.

    Where anything else is imported, that is the traceback: who imports it, and who imports that.
    """
    refusing = REFUSING.replace("MAY_BE_LOADED", repr({"tutela", *besides})).replace("COSTLY", repr(COSTLY))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUTELA_", "COV_"))}
    command = [sys.executable, "-c", refusing + code, *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    return ended.stderr if ended.returncode != 0 else ""


@pytest.mark.parametrize("code", [READING, EVERY_SECTION], ids=["read", "shown"])
def test_settings_need_the_standard_library_alone(code):
    assert complaint(code) == ""


@pytest.mark.parametrize("command", ["--version", "--help", "bank --help", "config check", "config show"])
def test_commands_that_touch_no_list_load_what_shows_them_and_nothing_else(command, tmp_path):
    assert complaint(COMMAND, "--home", str(tmp_path), *command.split(), besides=SHOWING) == ""


def test_whoever_brings_a_library_back_is_told_by_which_way():
    told = complaint("import tutela.foundation.outbox.webhooks")
    assert told.endswith("AssertionError: sqlalchemy is loaded\n")
    assert f"outbox{os.sep}webhooks.py" in told
    assert "asyncio is loaded" in complaint("import asyncio")
