"""A command of ours, run in this process from its `main` on."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tutela.cli import main


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> Said:
    """Run `tutela` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["tutela", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    return Said(int(ended.value.code or 0), captured.out, captured.err)
