"""Names as long as they may be, without a blank: no page scrolls sideways, and no list hides what stands after them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.browser import Somebody, keep_screenshot, open_browser
from tests.support.held_items import a_match
from tests.support.rooms import Room, sign_in
from tests.support.streams import put_down
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.reports.intake import Category, IntakeReport
from tutela.casework.reports.notices import NewTarget, read_clock
from tutela.console.roles import Role

pytestmark = pytest.mark.slow
LONG = "N" * 126
WIDTHS = (390, 1024, 1440)


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody with a long name, and every page on which long names are."""

    somebody: Somebody
    paths: list[str]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    with open_browser() as browser:
        room = Room(tmp_path_factory.mktemp("room"), browser)
        console, cases = room.desk.console, room.desk.cases
        person = console.people.add(LONG, list(Role), by="test")
        console.people.enrol(console.people.invite(person.id, by="test"), b"1" * 32, b"key", 0)
        console.passkeys.name(person, console.passkeys.of(person)[0].id, "P" * 64)
        somebody = Somebody(browser, room.origin)
        sign_in(somebody, console.sessions.begin(person, "test").token)
        match = a_match(bank="B" * 64, source="S" * 200, reference="R" * 200)
        claimed, decided, copy = (room.held(match, uploader=f"{LONG}{number}") for number in range(3))
        cases.claim(claimed.id, by=person.actor)
        cases.claim(decided.id, by=person.actor)
        cases.decide(decided.id, Outcome.CONFIRM, by=person.actor, reason="W" * 2000, label="A1")
        console.second_looks.ask(console.people.add("O" * 126, [Role.REVIEWER], by="t"), copy.id, str(copy.items[0].id))
        assert console.intake is not None
        report = IntakeReport(
            Category.OTHER,
            ["https://platform.example/" + "l" * 900],
            "T" * 2000,
            "c" * 60 + "@" + "d" * 60 + ".example",
        )
        told = str(console.intake.case_of(console.intake.receive(report).id))
        cases.claim(told, by=person.actor)
        targets = [NewTarget("url", "https://platform.example/" + "t" * 900), NewTarget("item", "i" * 200)]
        notice = console.notices.register(
            "A" * 255, "R" * 255, targets, within=read_clock("24h"), law="L" * 255, text="X" * 900, actor=person.actor
        )
        stream = put_down(console.streams, "c" * 120)
        lists = "cases streams second-looks reports appeals notices intake statistics team audit people settings"
        own = [f"cases/{case}" for case in (claimed.id, decided.id, copy.id, told)] + [f"reports/{decided.id}"]
        paths = [*lists.split(), *own, f"notices/{notice.id}", f"streams/{stream}", "nothing"]
        yield Named(somebody, paths)
        room.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways_however_long_its_names_are(named, width):
    page, wide = named.somebody.page, []
    page.set_viewport_size({"width": width, "height": 800})
    for path in named.paths:
        page.goto(f"/{path}")
        keep_screenshot(page, f"long-{width}-{path.replace('/', '-')[:20]}")
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            wide.append(path)
        # nor does anything leave its card
        wide += page.evaluate(
            """(path) => [...document.querySelectorAll(".card, fieldset, .notice")]
          .filter((one) => one.scrollWidth > one.clientWidth + 1)
          .map((one) => `${path}: ${one.tagName}.${one.className}`)""",
            path,
        )
    assert wide == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_link_the_time_and_the_state_of_a_notice_are_in_the_window(named, width):
    page = named.somebody.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/notices")
    row = page.locator(".scroll tbody tr").first
    for part in (row.locator("a"), row.locator("td", has_text="UTC"), row.locator(".badge")):
        box = part.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width, part
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)")
