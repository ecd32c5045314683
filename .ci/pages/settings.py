"""Every key of tutela.toml, at the end of docs/settings.md."""

from collections.abc import Iterator

from pages.page import DOCS, Page
from tutela.deployment.settings.template import template

_HEAD = "## Every key\n\n```toml\n"


def pages() -> Iterator[Page]:
    """The page of the settings."""
    path = DOCS / "settings.md"
    yield Page(path, path.read_text().partition(_HEAD)[0] + _HEAD + template() + "```\n")
