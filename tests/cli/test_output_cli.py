"""How texts are shown in a terminal."""

import pytest

from tutela.cli.output import visible


@pytest.mark.parametrize("text", ["plain name.png", "ü✓", "a\\b [c]"])
def test_what_can_be_shown_is_shown_as_it_is(text):
    assert visible(text) == text
