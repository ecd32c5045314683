"""What the tests of commands share: a home with one bank, and pictures."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.pictures import draw_scene, file_of
from tests.support.processes import Answer, environment
from tutela.cli import main
from tutela.cli.commands import app


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run the command in this process, from its `main` on: what a process of its own would add nothing to."""
    for name in set(os.environ) - set(environment(home)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUTELA_HOME", str(home))

    def run(*args: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["tutela", *map(str, args)])
        monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # of `python -m pytest` usage would say so
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Answer(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a known picture, its smaller copy, one that is not known, and no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    known = draw_scene(1, (320, 240))
    (folder / "known.png").write_bytes(file_of(known, "PNG"))
    (folder / "copy.jpg").write_bytes(file_of(known.resize((200, 150)), "JPEG", quality=80))
    (folder / "other.png").write_bytes(file_of(draw_scene(2, (320, 240)), "PNG"))
    (folder / "text.jpg").write_bytes(b"no picture\n")
    return folder


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A home with one bank, which blocks and lists the known picture."""
    home = tmp_path_factory.mktemp("filled") / "home"
    picture = str(pictures / "known.png")
    for command in (
        ("create", "known", "--action", "block", "--label", "A1"),
        ("add", "known", picture, "--reference", "case-7", "--no-views"),
    ):
        answer = CliRunner().invoke(app, ["--home", str(home), "bank", *command])
        assert answer.exit_code == 0, answer.output
    assert answer.stdout == "listed 2, already there 0: 1 2\n"
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where no home is yet."""
    return tmp_path / "home"


@pytest.fixture
def filled(home: Path, filled_home: Path) -> Path:
    """A copy of the filled home, for one test."""
    shutil.copytree(filled_home, home)
    return home


@pytest.fixture
def closed() -> Iterator[Callable[[Path, int], None]]:
    """Take permissions of a path, and give them back at the end."""
    taken: list[Path] = []

    def close(path: Path, mode: int) -> None:
        path.chmod(mode)
        taken.append(path)

    yield close
    for path in reversed(taken):
        path.chmod(0o700)
