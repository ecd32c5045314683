"""A reviewer's work in a laptop's window (1366 x 768), in a real browser: what is told, decided, undone and counted."""

from dataclasses import replace

import pytest

from tests.support.browser import Somebody, keep_screenshot
from tests.support.held_items import a_held_verdict, a_match
from tests.support.rooms import claim, sign_in
from tests.support.videos import encode, scene
from tests.support.waiting import wait_until
from tutela.casework.cases.model import CaseState, Queue
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.reports.intake import Category, IntakeReport
from tutela.casework.reports.notices import NewTarget, NoticeState, read_clock
from tutela.console.roles import Role
from tutela.foundation.outbox.service import DeliveryState, Outbox
from tutela.screening.verdict import Reason

pytestmark = pytest.mark.slow


# --- what is told


def test_a_match_is_told_in_a_sentence_and_no_view_by_its_code_name(room, reviewer):
    case = room.held(a_match(30, bank="ncmec", distance=4, view="anti-transposed"))
    reviewer.page.goto(f"/cases/{case.id}")
    expected = "The same picture as ncmec #30: whole, turned by 270° and mirrored, distance 4 of 31"
    assert reviewer.page.locator("[data-match]").first.inner_text() == expected
    assert "anti-transposed" not in reviewer.page.content()
    german = room.somebody(Role.REVIEWER, language="de").page
    german.goto(f"/cases/{case.id}")
    assert "Dasselbe Bild wie ncmec #30: ganz" in german.locator("[data-match]").first.inner_text()


def test_what_could_not_be_screened_says_why_and_that_it_was_not_compared(room, reviewer):
    case = room.held(reasons=(Reason("encrypted", "the archive is encrypted"),))
    assert case.queue is Queue.UNSCREENED
    reviewer.page.goto(f"/cases/{case.id}")
    text = reviewer.page.locator("section.card").first.inner_text()
    assert "It was not compared" in text
    assert "the archive is encrypted" in text


def test_who_looked_is_told_to_oneself_and_the_auditor_alone(room):
    case = room.held(a_match())
    looking = room.somebody(Role.REVIEWER)
    room.desk.console.record(looking.person.actor, "evidence.reveal", f"case:{case.id}")
    for roles, sees in (((Role.REVIEWER,), False), ((Role.LEAD,), False), ((Role.REVIEWER, Role.AUDITOR), True)):
        page = room.somebody(*roles).page
        page.goto(f"/cases/{case.id}")
        assert ("a picture was uncovered" in page.content()) is sees
    looking.page.goto(f"/cases/{case.id}")
    assert "a picture was uncovered" in looking.page.content()


# --- deciding


def test_each_item_has_its_own_outcome_and_label_prefilled_from_its_match(room, reviewer):
    first = room.held(a_match(1, label="A1"), uploader="two")
    case = room.held(a_match(2, label="B2"), uploader="two")
    assert first.id == case.id
    page = reviewer.page
    claim(reviewer, case)
    one, two = (item.id for item in case.items)
    assert page.locator("input[type=radio]:checked").count() == 0, "nothing is decided beforehand"
    assert [page.locator(f"[name=label-{item}]").input_value() for item in (one, two)] == ["A1", "B2"]
    page.locator(f"[name=outcome-{one}][value=confirm]").check()
    page.locator(f"[name=outcome-{two}][value=reject]").check()
    page.get_by_label("Reason").fill("each looked at")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_url("**done=decided")
    decided = room.desk.cases.get(case.id)
    assert {one.item_id: (one.outcome, one.label) for one in decided.decisions} == {
        one: (Outcome.CONFIRM, "A1"),
        two: (Outcome.REJECT, None),
    }


def test_a_decision_is_undone_while_nobody_was_told(room, reviewer):
    case = room.held(a_match())
    page, outbox = reviewer.page, Outbox(room.desk.store)
    claim(reviewer, case)
    before = {one.id for one in outbox.all(limit=10_000)}
    page.keyboard.press("2")
    page.get_by_label("Reason").fill("a statue")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_url("**done=decided")
    written = [one for one in outbox.all(limit=10_000) if one.id not in before]
    assert all(
        (one.next_at - one.created_at).total_seconds() > 9 and one.state is DeliveryState.PENDING for one in written
    )
    assert room.desk.cases.get(case.id).state is CaseState.DECIDED
    page.keyboard.press("z")
    page.wait_for_url("**done=undone")
    again = room.desk.cases.get(case.id)
    assert (again.state, len(again.undecided())) == (CaseState.CLAIMED, 1)
    assert {one.id for one in outbox.all(limit=10_000)} == before
    assert page.locator("[data-lasts]").count() == 0


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(room, reviewer):
    case = room.held(a_match(label=None))
    page = reviewer.page
    claim(reviewer, case)
    page.get_by_label("Reason").fill("words that took long")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("d")
    page.locator("[data-error]").wait_for()
    assert "label" in page.locator("fieldset:has([data-error])").inner_text().lower()
    assert page.get_by_label("Reason").input_value() == "words that took long"
    assert page.url.split("?")[0].endswith(case.id)
    assert page.locator("[name=label]").get_attribute("aria-invalid") == "true"


def test_the_next_case_is_the_next_of_what_is_shown(room):
    urgent, wanted = room.held(a_match(1, label="A1")), room.held(reasons=(Reason("encrypted", "locked"),))
    assert urgent.urgency > wanted.urgency
    page = room.somebody(Role.REVIEWER).page
    page.goto("/cases?queue=unscreened")
    page.keyboard.press("n")
    page.wait_for_url("**/cases/*")
    assert room.desk.cases.get(page.url.rsplit("/", 1)[1]).queue is Queue.UNSCREENED


# --- the stage


def in_window(somebody: Somebody) -> bool:
    box = somebody.page.locator(".stage").first.bounding_box()
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 768


def test_the_stage_stays_in_a_laptops_window_and_space_uncovers_wherever_the_focus_is(room, reviewer):
    case = room.held(*(a_match(number) for number in range(1, 9)))
    page = reviewer.page
    claim(reviewer, case)
    keep_screenshot(page, "laptop-case")
    assert in_window(reviewer)
    for key in ("1", "2", "l", "w", "x"):
        if key != "x":
            page.keyboard.press(key)
            assert in_window(reviewer), key
            page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert page.evaluate("document.activeElement.type") == "radio"
    page.keyboard.down(" ")
    page.wait_for_selector(".reveal[data-state=open]")
    assert in_window(reviewer)
    page.keyboard.up(" ")
    page.wait_for_selector(".reveal[data-state=covered]")
    page.get_by_role("button", name="Decide").focus()
    page.keyboard.down(" ")
    page.wait_for_selector(".reveal[data-state=open]")
    page.keyboard.up(" ")
    assert room.desk.cases.get(case.id).undecided(), "the space bar decides nothing"
    page.get_by_label("Reason").focus()
    page.keyboard.type("a b")
    assert page.get_by_label("Reason").input_value() == "a b"


def test_nothing_is_uncovered_or_counted_outside_the_window(room, reviewer):
    case = room.held(a_match())
    page = reviewer.page
    claim(reviewer, case)
    page.keyboard.down(" ")
    page.wait_for_selector(".reveal[data-state=open]")
    page.evaluate("document.querySelector('.stage').style.marginTop = '3000px'")
    page.wait_for_selector(".reveal[data-state=covered]")
    page.keyboard.up(" ")


def test_the_sheet_of_a_film_shows_different_frames_with_their_times(room, reviewer):
    """Each tile another frame: uncovered to the last step, at least six of nine differ."""
    verdict = replace(a_held_verdict("film", "u-film"), matches=(a_match(1, label=None),), media_type="video/mp4")
    case = room.desk.cases.get(room.desk.custody.keep(encode(scene(1), key_frames_every=80), verdict).case_id)
    page = reviewer.page
    claim(reviewer, case)
    page.keyboard.down(" ")
    page.wait_for_selector(".reveal[data-state=open]")
    says = page.locator("[data-says]").first
    wait_until(lambda: "5 / 5" in says.inner_text(), "it is uncovered to the last step")
    tiles = page.evaluate(TILES)
    keep_screenshot(page, "film-sheet")
    page.keyboard.up(" ")
    assert len(tiles) == 9
    distinct: list[list[int]] = []
    for tile in tiles:
        if all(sum(abs(a - b) for a, b in zip(tile, other, strict=True)) > 4 * len(tile) for other in distinct):
            distinct.append(tile)
    assert len(distinct) >= 6


TILES = """() => {
  const picture = document.querySelector(".reveal img"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [48, 48];
  const drawing = canvas.getContext("2d");
  return [...Array(9).keys()].map((tile) => {
    const [width, height] = [picture.naturalWidth / 3, picture.naturalHeight / 3];
    drawing.drawImage(picture, (tile % 3) * width, Math.floor(tile / 3) * height, width, height, 0, 0, 48, 48);
    return [...drawing.getImageData(0, 0, 48, 48).data].filter((_, at) => at % 4 === 0);
  });
}"""


def test_no_page_scrolls_sideways_and_the_open_one_is_in_the_row_of_pages(room):
    """On a telephone and a small window, for whoever may do everything: tables scroll in their own frames."""
    everything = room.somebody(*Role)
    page = everything.page
    room.held(a_match())
    notice = room.desk.console.notices.register(
        "Authority", "wide", [NewTarget("url", "https://platform.example/1")], within=read_clock("24h"), actor="t"
    )
    for width in (390, 1024):
        page.set_viewport_size({"width": width, "height": 800})
        for path in (f"notices/{notice.id}", "notices", "reports", "streams", "appeals", "cases", "settings", "audit"):
            page.goto(f"/{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, path)
            box = page.locator("header.top [aria-current=page]").bounding_box()
            assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width, (width, path)
        page.goto("/cases")
        assert page.locator("tbody [data-row]").count()
        assert page.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"), (
            width
        )


# --- reports, notices, the way in


def test_a_report_of_the_public_is_read_and_decided_as_a_report(room, reviewer):
    console = room.desk.console
    report = IntakeReport(Category.OTHER, ["https://platform.example/1"], "somebody pretends to be a child")
    receipt = console.intake.receive(report)
    case = room.desk.cases.get(str(console.intake.case_of(receipt.id)))
    page = reviewer.page
    claim(reviewer, case)
    words = page.locator(".words").inner_text()
    assert words.startswith("What was said\nsomebody pretends to be a child")
    assert "somebody of the public" in words
    assert "received_at" not in words and "danger_now" not in words
    offered = page.locator("input[name=outcome]").evaluate_all("all => all.map((one) => one.value)")
    assert offered == ["confirm", "not-ours", "pass-on", "no-ground", "escalate"]
    page.keyboard.press("2")
    page.get_by_label("Reason").fill("another platform's")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_url("**done=decided")
    (decision,) = room.desk.cases.get(case.id).decisions
    assert decision.outcome is Outcome.NOT_OURS


def test_an_empty_answer_to_a_notice_is_refused(room, reviewer):
    notice = room.desk.console.notices.register(
        "Authority", "1", [NewTarget("url", "https://platform.example/1")], within=read_clock("24h"), actor="t"
    )
    page = reviewer.page
    page.goto(f"/notices/{notice.id}")
    page.locator("form[action$='/answer'] button").click()
    page.locator("[data-error]").wait_for()
    assert "at least one" in page.locator("[data-error]").inner_text()
    assert room.desk.console.notices.get(notice.id).state is NoticeState.OPEN


def test_a_deep_link_survives_the_sign_in(room):
    case = room.held(a_match())
    somebody = room.somebody(Role.REVIEWER)
    (session,) = somebody.context.cookies()
    somebody.context.clear_cookies()
    somebody.page.goto(f"/cases/{case.id}")
    assert somebody.page.url.endswith("/sign-in")
    sign_in(somebody, session["value"])
    somebody.page.goto("/")
    assert somebody.page.url.endswith(f"/cases/{case.id}")
    somebody.page.goto("/")
    assert somebody.page.url.endswith("/cases")


def test_the_beginning_of_an_id_finds_its_case(room, reviewer):
    case = room.held(a_match())
    reviewer.page.goto(f"/cases/{case.id[:12]}")
    assert reviewer.page.url.endswith(case.id)


def test_passkeys_have_names_and_are_removed(room):
    console = room.desk.console
    person = console.people.add("Two Keys", [Role.REVIEWER], by="test")
    for number in range(2):
        console.people.enrol(console.people.invite(person.id, by="test"), bytes([number] * 32), b"key", 0)
    session = console.sessions.begin(person, "test")
    somebody = Somebody(room._browser, room.origin)
    sign_in(somebody, session.token)
    page = somebody.page
    page.goto("/settings")
    page.get_by_label("Name of passkey 1").fill("Laptop at work")
    page.get_by_role("button", name="Rename").first.click()
    page.wait_for_url("**done=saved")
    assert console.passkeys.of(person)[0].name == "Laptop at work"
    page.get_by_role("button", name="Remove").last.click()
    page.wait_for_url("**done=removed")
    assert [one.name for one in console.passkeys.of(person)] == ["Laptop at work"]
    assert page.get_by_role("button", name="Remove").is_disabled()
