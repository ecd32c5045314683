"""The console's pages of live streams: how each stands and what happened, no picture, and a person's word."""

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import issues, keep_screenshot, open_browser
from tests.support.console import ORIGIN, Desk
from tests.support.streams import put_down
from tutela.console.roles import Role
from tutela.screening.streams.indicators import weak_signal
from tutela.screening.streams.model import StreamState

if TYPE_CHECKING:
    from playwright.sync_api import Route


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path) as desk:
        yield desk


def test_running_streams_are_listed_without_pictures_the_doubtful_first(desk):
    records = desk.console.streams
    running, paused = put_down(records, "cam-1"), put_down(records, "cam-2", StreamState.PAUSED, why="first-match")
    cut = put_down(records, "cam-3", StreamState.CUT, why="second-match")
    records.signal(running, weak_signal("prior-report", "reported twice"))
    page = desk.signed_in(Role.REVIEWER).get("/streams")
    assert page.status_code == 200
    places = [page.text.index(f"/streams/{stream}") for stream in (paused, running, cut)]
    assert places == sorted(places)
    assert "<img" not in page.text
    assert "a second match" in page.text


def test_what_signals_weigh_orders_the_streams_that_run(desk):
    records = desk.console.streams
    streams = [put_down(records, f"cam-{number}") for number in range(3)]
    records.signal(streams[0], weak_signal("few-viewers", "one"))
    records.signal(streams[1], weak_signal("prior-report", "twice"))
    page = desk.signed_in(Role.REVIEWER).get("/streams")
    places = [page.text.index(f"/streams/{streams[number]}") for number in (1, 0, 2)]
    assert places == sorted(places)


def test_the_time_line_of_a_stream_says_what_happened_and_by_whom(desk):
    records = desk.console.streams
    stream = put_down(records, "cam", StreamState.PAUSED, why="first-match")
    reviewer = desk.signed_in(Role.REVIEWER)
    answer = reviewer.post(f"/streams/{stream}/cut", data={"csrf": reviewer.csrf})
    assert answer.status_code == 303
    page = reviewer.get(f"/streams/{stream}").text
    for words in ("admitted", "paused", "a person asked to cut it", reviewer.person.name):
        assert words in page
    assert [asked[1] for asked in records.snapshot([])] == ["cut"]
    assert any(row.action == "stream.cut" for row in desk.audit.rows(subject=f"stream:{stream}"))


def test_only_who_may_decide_cuts_or_releases(desk):
    stream = put_down(desk.console.streams, "cam")
    reporter = desk.signed_in(Role.REPORTER)
    assert reporter.get("/streams").status_code == 200
    assert reporter.post(f"/streams/{stream}/cut", data={"csrf": reporter.csrf}).status_code == 403
    assert desk.signed_in(Role.ADMIN).get("/streams").status_code == 403
    assert desk.console.streams.snapshot([]) == []


def test_a_stream_that_has_ended_is_not_said_to_be_cut(desk):
    stream = put_down(desk.console.streams, "cam", StreamState.ENDED)
    lead = desk.signed_in(Role.LEAD)
    assert lead.post(f"/streams/{stream}/cut", data={"csrf": lead.csrf}).status_code == 409
    assert not [row for row in desk.audit.rows(subject=f"stream:{stream}") if row.action == "stream.cut"]


def test_a_publisher_that_was_cut_may_come_again_when_a_person_says_so(desk):
    records = desk.console.streams
    stream = put_down(records, "cam", StreamState.CUT, why="second-match", refused_s=600)
    lead = desk.signed_in(Role.LEAD)
    assert "Let its publisher come again" in lead.get(f"/streams/{stream}").text
    assert lead.post(f"/streams/{stream}/release", data={"csrf": lead.csrf}).status_code == 303
    assert records.get(stream).refused_until is None


@pytest.mark.slow
def test_both_pages_are_read_at_every_width_in_light_and_dark(desk):
    """In a real browser, which is given what the console answers."""
    records = desk.console.streams
    running = put_down(records, "evening-show-of-a-member-with-a-long-name-0123456789")
    paused = put_down(records, "cam-2", StreamState.PAUSED, why="first-match")
    put_down(records, "cam-3", StreamState.CUT, why="second-match", refused_s=600)
    for kind in ("prior-report", "small-repeated-payments", "few-viewers"):
        records.signal(running, weak_signal(kind, "as the platform says"))
    reviewer = desk.signed_in(Role.REVIEWER)

    def answered(route: "Route") -> None:
        answer = reviewer.get(route.request.url)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    with open_browser() as browser:
        page = browser.new_context(bypass_csp=True).new_page()
        page.route("**/*", answered)
        for name, path in (("streams", "/streams"), ("stream", f"/streams/{paused}")):
            assert page.goto(f"{ORIGIN}{path}").status == 200
            for width in (1440, 1024, 390):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
                keep_screenshot(page, f"{name}-{width}")
            assert issues(page) == []
