"""What the tests of lists share: exchanges in a database of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exchange_tools import opened
from tests.support.stores import new_store
from tutela.lists.exchanges.service import Exchanges


@pytest.fixture
def exchanges(tmp_path: Path) -> Iterator[Exchanges]:
    """Exchanges of an SQLite store; a module that asks for others has a fixture of this name."""
    with opened(new_store(tmp_path / "test.db")) as exchanges:
        yield exchanges
