"""The docs say what the source says: what is made from it is fresh, and what is written by hand names what exists."""

import subprocess
import sys
from pathlib import Path

import tutela

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "reference", "--check", *arguments], capture_output=True, text=True, check=False
    )


def test_what_is_made_from_the_source_is_fresh():
    """Settings, commands, tables of files, decisions, problems, Python names: `make reference` writes them."""
    checked = reference()
    assert checked.returncode == 0, checked.stderr


def test_the_python_page_names_everything_that_the_package_offers():
    page = (DOCS / "python.md").read_text()
    assert all(f"::: tutela.{name}\n" in page for name in tutela.__all__ if name != "__version__")
