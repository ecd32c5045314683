"""What is shipped to run and to contribute: it reads settings that exist, and asks for no abusive material."""

import re
from pathlib import Path

import pytest

from tutela.console.options import ConsoleOptions
from tutela.deployment.settings import load_settings

ROOT = Path(__file__).parents[2]


def test_the_containers_settings_are_settings():
    settings = load_settings(config=ROOT / "deploy" / "docker" / "tutela.toml", environment={})
    assert settings.evidence is not None
    assert settings.door(ConsoleOptions).identity == Path("/run/secrets/review.key")


@pytest.mark.parametrize("path", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda path: path.stem)
def test_the_units_set_variables_that_are_settings(path: Path):
    unit = path.read_text()
    variables = dict(re.findall(r"^Environment=([A-Z_]+)=(\S+)$", unit, re.MULTILINE))
    assert variables.pop("TUTELA_CONFIG") == "/etc/tutela/tutela.toml"
    load_settings(environment=variables)
    assert "NoNewPrivileges=yes" in unit


def test_whoever_reports_something_is_told_what_not_to_send():
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 2
    for path in [*forms, ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]:
        assert re.search(r"abusive material, (no )?(list of )?hashes of it", path.read_text()), path
