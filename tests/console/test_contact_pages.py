"""The pages of contact cases: reasons first, the fewest words on demand, covered, masked and counted."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console import Desk, Visitor
from tests.support.contact_cases import raised
from tutela.console.conversation_lines import MASK, masked
from tutela.console.roles import Role
from tutela.screening.conversations.calibration import wrong_of_hundred


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


def words_of(page: str) -> list[str]:
    return re.findall(r'<span translate="no" data-words>(.*?)</span>', page)


def post(client: Visitor, address: str, **fields: str):
    return client.post(address, data={"csrf": client.csrf, **fields})


def test_reasons_come_first_and_no_word_of_the_conversation(desk: Desk):
    case = raised(desk)
    page = desk.signed_in(Role.REVIEWER).get(f"/cases/{case}").text
    assert list(re.findall(r'data-reason="([\w-]+)"', page)) == [
        "minors-contacted",
        "moved-elsewhere",
        "refused",
    ]
    assert words_of(page) == []
    assert "account-17" not in page
    assert "never a ground for a penalty" in page


def test_how_many_alarms_are_expected_to_be_wrong_is_said_in_both_languages(desk: Desk):
    case, client = raised(desk), desk.signed_in(Role.REVIEWER)
    wrong = round(wrong_of_hundred(100))
    for language, words in (
        ("en", f"of 100, at 100 alarms a million accounts, about {wrong}"),
        ("de", f"etwa {wrong}"),
    ):
        assert words in client.get(f"/cases/{case}", headers={"accept-language": language}).text


def test_lines_are_shown_to_whoever_has_the_case_the_fewest_first_masked_and_counted(desk: Desk):
    case = raised(desk)
    client = desk.signed_in(Role.REVIEWER)
    assert post(client, f"/cases/{case}/lines", step="1").status_code == 409
    post(client, f"/cases/{case}/claim")
    first = post(client, f"/cases/{case}/lines", step="1").text
    assert len(words_of(first)) == 3
    assert all(MASK in line and "example.org" not in line and "kim_99" not in line for line in words_of(first))
    around = post(client, f"/cases/{case}/lines", step="2").text
    assert 3 < len(words_of(around)) < 40
    assert 'class="talk covered"' in around
    assert len(words_of(post(client, f"/cases/{case}/lines", step="3").text)) == 40
    shown = sum(len(line.split()) for page in (first, around) for line in words_of(page))
    assert desk.console.conversation_lines.words_today(client.person) >= shown
    assert post(client, f"/cases/{case}/lines", step="9").status_code == 422
    opened = [row.action for row in desk.audit.rows()]
    assert opened.count("evidence.opened") >= 3


def test_the_median_of_words_for_a_decision_is_of_cases_decided_by_reasons_too(desk: Desk):
    client = desk.signed_in(Role.REVIEWER)
    case = raised(desk)
    post(client, f"/cases/{case}/claim")
    post(client, f"/cases/{case}/decide", outcome="reject", reason="a school class", item="1")
    assert desk.console.conversation_lines.words_a_decision() == 0.0


@pytest.mark.parametrize("text", ["see https://example.org/x", "+44 20 7946 0958", "kim@example.org", "i am @kim_99"])
def test_what_reaches_somebody_is_masked(text: str):
    assert MASK in masked(text)
    assert masked("we are 17 of 20 at 8pm") == "we are 17 of 20 at 8pm"
