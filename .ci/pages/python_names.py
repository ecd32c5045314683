"""docs/python.md names everything that `import tutela` offers; mkdocstrings writes what each is."""

from collections.abc import Iterator

import tutela
from pages.page import DOCS, Page, with_made_parts


def pages() -> Iterator[Page]:
    """The page of the Python library."""
    names = [name for name in tutela.__all__ if not name.startswith("__")]
    yield with_made_parts(DOCS / "python.md", "names", lambda _: "".join(f"::: tutela.{name}\n\n" for name in names))
