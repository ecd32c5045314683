"""`tutela init`: from nothing to a service and a console with a reviewer signed in, by four commands."""

import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from tests.support.browser import Somebody, open_browser
from tests.support.pictures import draw_scene, file_of
from tests.support.service import free_port, is_up
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.casework.evidence.review_key import read_review_key
from tutela.cli.commands import app
from tutela.deployment.installation import AUDIT_KEY, REVIEW_KEY, keys_beside
from tutela.deployment.settings import load_settings
from tutela.deployment.settings.check import check_settings


def init(home: Path, *arguments: str) -> Result:
    return CliRunner(env=dict.fromkeys(os.environ, None) | {"TUTELA_DECODERS": "1"}).invoke(
        app, ["--home", str(home), "init", *arguments]
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "tutela.db" not in path.name
    }


def test_what_is_made_works_and_is_made_once(tmp_path):
    home = tmp_path / "home"
    first = init(home, "--yes")
    assert first.exit_code == 0, first.output
    settings = load_settings(home=home, environment={})
    check_settings(settings)
    for path in (home, keys_beside(home)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (home / "tutela.toml", home / AUDIT_KEY, keys_beside(home) / REVIEW_KEY):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert settings.evidence is not None
    key = read_review_key(keys_beside(home) / REVIEW_KEY, home, recipients=settings.evidence.recipients)
    assert key.recipients == settings.evidence.recipients
    assert not any(b"AGE-SECRET-KEY" in content for content in snapshot(home).values())
    before = snapshot(tmp_path)
    again = init(home, "--yes", "--port", "9999")
    assert again.exit_code == 0
    assert "nothing was changed" in again.output
    assert "tutela_" not in again.output
    assert "/enrol/" not in again.output
    assert snapshot(tmp_path) == before


def test_a_run_that_was_killed_is_taken_up(tmp_path):
    home = tmp_path / "home"
    init(home, "--yes")
    (home / "tutela.toml").unlink()
    again = init(home, "--yes")
    assert again.exit_code == 0, again.output
    settings = load_settings(home=home, environment={})
    assert settings.evidence is not None
    read_review_key(keys_beside(home) / REVIEW_KEY, home, recipients=settings.evidence.recipients)


def test_the_review_key_may_be_shown_once_and_written_nowhere(tmp_path):
    made = init(tmp_path / "home", "--yes", "--print-review-key")
    (line,) = [line.strip() for line in made.output.splitlines() if "AGE-SECRET-KEY" in line]
    assert not any(line.encode() in content for content in snapshot(tmp_path).values())
    assert "AGE-SECRET-KEY" not in init(tmp_path / "home", "--yes", "--print-review-key").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "add --yes"),
        (("--yes", "--keys", "HOME/keys"), "lies in the home"),
        (("--yes", "--origin", "http://far.example"), "origin must be https"),
    ],
)
def test_what_cannot_be_made_is_said_and_nothing_is_made(tmp_path, arguments, said):
    home = tmp_path / "home"
    refused = init(home, *(argument.replace("HOME", str(home)) for argument in arguments))
    assert said in str(refused.exception)
    assert not home.exists()


@contextlib.contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUTELA_")}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment | {"TUTELA_DECODERS": "1"})
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.mark.slow
def test_four_commands_lead_from_nothing_to_a_reviewer_who_is_signed_in(tmp_path):
    """As the README has them: init, serve, console serve, open the link."""
    home, port, console_port = tmp_path / "home", free_port(), free_port()
    made = init(home, "--yes", "--port", str(port), "--console-port", str(console_port), "--person", "Rae")
    lines = [line.strip() for line in made.output.splitlines()]
    (key,) = [line for line in lines if line.startswith("tutela_")]
    commands = [line.split()[1:] for line in lines if line.startswith(f"tutela --home {home} ")]
    (link,) = [line.removeprefix("open ") for line in lines if line.startswith("open ")]
    assert [command[2:] for command in commands] == [["serve"], ["console", "serve"]]

    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(open_browser())
        for command in commands:
            name = tmp_path / f"{command[-2]}.log"
            stack.enter_context(running(sys.executable, "-m", "tutela", *command, log=name))
        wait_until(lambda: is_up(f"http://127.0.0.1:{port}/readyz"), "the service is ready")
        wait_until(lambda: is_up(f"http://localhost:{console_port}/sign-in"), "the console is up")
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/screen",
            content=file_of(draw_scene(1), "PNG"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE_S,
        )
        assert json.loads(answer.text)["decision"] == "allow"
        rae = Somebody(browser, f"http://localhost:{console_port}")
        rae.enrol(link)
        assert "Rae" in rae.page.inner_text("body")
        assert rae.problems == []
