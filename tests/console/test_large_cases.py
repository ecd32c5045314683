"""Cases of very many items, and lists of very many copies: decided in one go, whatever their number."""

import hashlib
import re
from dataclasses import replace

import pytest

from tests.support.browser import keep_screenshot
from tests.support.console import Desk
from tests.support.effort import effort
from tests.support.held_items import a_held_verdict, a_match
from tests.support.rooms import Room, claim
from tutela.casework.cases.membership import MAX_ITEMS
from tutela.casework.cases.model import Case, CaseState
from tutela.console.roles import Role

pytestmark = pytest.mark.slow
ITEMS = effort(270, MAX_ITEMS, least=270)
COPIES = effort(510, 561, least=510)
"""More than made a form of 500 fields, which once was the most."""


def hold(desk: Desk, uploader: str, digest: str | None = None) -> str:
    """The id of the case that a held upload came into."""
    verdict = replace(a_held_verdict("item", uploader, digest=digest), matches=(a_match(),))
    return desk.custody.keep(b"content", verdict).case_id


@pytest.fixture(scope="module")
def copied(room: Room) -> Case:
    """A case whose picture other people uploaded very often, too."""
    digest = hashlib.sha256(b"copied").hexdigest()
    first = hold(room.desk, "first", digest)
    for number in range(COPIES):
        hold(room.desk, f"copier-{number % 10}", digest)
    return room.desk.cases.get(first)


def test_one_item_of_a_large_case_is_decided_and_then_all_others_at_once(room, reviewer):
    for _ in range(ITEMS):
        case_id = hold(room.desk, "largest")
    case = room.desk.cases.get(case_id)
    assert len(case.items) == ITEMS
    page = reviewer.page
    claim(reviewer, case)
    page.locator("input[type=radio][value=reject]").first.check()
    page.get_by_label("Reason").fill("harmless")
    page.locator("#decide-form button").click()
    page.wait_for_url("**done=in-part")
    assert len(room.desk.cases.get(case.id).undecided()) == ITEMS - 1
    page.goto(f"/cases/{case.id}")
    page.evaluate("for (const one of document.querySelectorAll('input[value=confirm]')) one.checked = true")
    page.get_by_label("Reason").fill("as listed")
    page.locator("#decide-form button").click()
    page.wait_for_url("**done=decided")
    assert room.desk.cases.get(case.id).state is CaseState.DECIDED


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_decision_of_a_long_list_is_in_the_window(room, reviewer, copied, width):
    page = reviewer.page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/cases/{copied.id}/similar")
    keep_screenshot(page, f"similar-long-{width}")
    form = "document.querySelector('fieldset[data-decides]').getBoundingClientRect().top"
    assert 0 <= page.evaluate(form) < 900
    if width > 900:
        page.evaluate("scrollTo(0, 9000)")
        assert 0 <= page.evaluate(form) < 900


def test_all_copies_are_unticked_ticked_and_decided_at_once(room, reviewer, copied):
    page = reviewer.page
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(f"/cases/{copied.id}/similar")
    ticked = page.locator("[data-ticked]")
    assert ticked.inner_text() == f"{COPIES} / {COPIES} items are ticked"
    page.get_by_role("button", name="Untick all").click()
    assert ticked.inner_text() == f"0 / {COPIES} items are ticked"
    page.keyboard.press("2")
    page.get_by_label("Reason").fill("harmless")
    page.get_by_role("button", name="Decide").click()
    page.locator("[data-error]").wait_for()
    assert "at least one item" in page.locator("[data-error]").inner_text()
    page.get_by_role("button", name="Tick all", exact=True).click()
    page.get_by_role("button", name="Decide").click()
    page.locator("button[aria-busy]", has_text="Decide").wait_for()
    page.wait_for_url("**done=decided", timeout=120_000)
    assert room.desk.cases.similar(copied.id) == []


def test_what_is_more_than_a_list_holds_is_listed_when_that_is_decided(tmp_path, monkeypatch):
    monkeypatch.setattr("tutela.console.case_routes._MAX_SIMILAR", 2)
    with Desk(tmp_path) as desk:
        digest = hashlib.sha256(b"copied").hexdigest()
        first, *_ = [hold(desk, f"copier-{number}", digest) for number in range(4)]
        somebody = desk.signed_in(Role.REVIEWER)
        page = somebody.get(f"/cases/{first}/similar").text
        items = re.findall(r'name="item" value="(\d+)"', page)
        assert len(items) == 2 and "1 more item is listed" in page
        form = {"csrf": somebody.csrf, "outcome": "reject", "reason": "harmless", "item": items}
        assert somebody.post(f"/cases/{first}/similar", data=form).headers["location"].endswith("decided")
        page = somebody.get(f"/cases/{first}/similar").text
        assert len(re.findall(r'name="item" value="(\d+)"', page)) == 1 and "more item" not in page
