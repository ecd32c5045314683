"""The locks in requirements/ hold what pyproject.toml asks for, in one version whatever is installed beside what."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^]]*])?==([^ ;\\]+)(?: ; ([^\\]*[^ \\]))?", re.MULTILINE)
USES = {path.stem: path for path in sorted((ROOT / "requirements").glob("*.lock"))}


def pins(use: str) -> dict[tuple[str, str], str]:
    """The version of each package, by its name and where it counts."""
    return {(name, marker): version for name, version, marker in _PINNED.findall(USES[use].read_text())}


@pytest.mark.parametrize("use", USES)
def test_every_file_of_a_lock_is_known_by_its_hash(use):
    assert pins(use)
    for block in re.split(r"\n(?=[a-z0-9])", USES[use].read_text().strip()):
        assert "--hash=sha256:" in block, block


def test_the_locks_agree_on_versions():
    chosen: dict[str, set[tuple[str, str]]] = {}
    for use in USES:
        for (name, marker), version in pins(use).items():
            chosen.setdefault(name, set()).add((version, marker))
    several = {name: versions for name, versions in chosen.items() if len({version for version, _ in versions}) > 1}
    for name, versions in several.items():
        assert all(marker for _, marker in versions), f"{name} is locked in several versions: {versions}"


@pytest.mark.parametrize("group", PROJECT["dependency-groups"])
def test_what_a_group_asks_for_is_locked(group):
    wanted = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependency-groups"][group]}
    assert any(wanted <= {name for name, _ in pins(use)} for use in USES)


def test_what_the_extras_ask_for_is_locked():
    texts = [text for texts in PROJECT["project"]["optional-dependencies"].values() for text in texts]
    wanted = {canonicalize_name(Requirement(text).name) for text in texts} - {"tutela"}
    assert wanted <= {name for name, _ in pins("test")}


def test_running_needs_no_test_tool():
    assert {name for name, _ in pins("run")} & {"pytest", "hypothesis", "moto", "playwright", "mypy", "mkdocs"} == set()
