"""The command line as somebody at a terminal has it: real processes, real files, exit codes."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.preloaded import SCRIPT, SHOWN, start_tutela
from tests.support.waiting import PATIENCE_S
from tutela.foundation.store.database import Store
from tutela.lists.banks.service import Banks

COMMAND = [SCRIPT]


def environment(home: Path, **changes: str) -> dict[str, str]:
    """A user's environment: no setting and no terminal of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUTELA_", *SHOWN))}
    return kept | {"TUTELA_HOME": str(home)} | changes


def tutela_process(
    home: Path, *args: str | bytes | Path, env: Mapping[str, str] | None = None, **changes: Any
) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    } | changes
    return start_tutela(args, env=environment(home, **(env or {})), **options | changes)


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """Its table, without the head."""
        return [[cell.strip() for cell in line.split("│")] for line in self.out.splitlines()[2:]]


def tutela_run(
    home: Path,
    *args: str | bytes | Path,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> Answer:
    """Run the command as a process of its own."""
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"stdin": subprocess.PIPE}
    with tutela_process(home, *args, env=env, **given, **options) as process:
        try:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        finally:
            process.kill()
    return Answer(process.returncode, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))


def banks_of(home: Path) -> Banks:
    return Banks(Store.open(f"sqlite:///{home / 'tutela.db'}"), home)


def as_nobody_special() -> None:
    """In a new process: let permissions count for root, too."""
    if os.geteuid() == 0:
        import ctypes

        drop_from_bounds, override, search = 24, 1, 2
        for capability in (override, search):
            if ctypes.CDLL(None).prctl(drop_from_bounds, capability, 0, 0, 0) != 0:
                os._exit(77)


def run_as_nobody_special(home: Path, *args: str | Path) -> Answer:
    answer = tutela_run(home, *args, preexec_fn=as_nobody_special)
    if answer.code == 77 or (answer.code == -signal.SIGKILL):
        pytest.skip("this system does not let root do without its powers")
    return answer


def printed(out: str) -> str:
    """The same text, if a terminal shows it as it is."""
    assert all(character == "\n" or character.isprintable() for character in out)
    return out
