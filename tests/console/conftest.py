"""What the tests of the console share."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Somebody, open_browser
from tests.support.rooms import Room
from tutela.console.roles import Role


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with open_browser() as browser:
        room = Room(tmp_path_factory.mktemp("room"), browser)
        yield room
        room.close()


@pytest.fixture(scope="module")
def reviewer(room: Room) -> Somebody:
    return room.somebody(Role.REVIEWER)
