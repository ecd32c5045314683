"""The console in a real browser, by keyboard: from an upload to a verified audit log, and every page for every eye.

Whole processes as operators run them: the service that takes uploads, and the console with the review key.
"""

import http.server
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from tests.support.browser import Somebody, issues, keep_screenshot, open_browser
from tests.support.pictures import draw_scene, file_of
from tests.support.preloaded import Ended, run_tutela, start_tutela
from tests.support.service import Service, is_up
from tests.support.serving import serving
from tests.support.standins.cybertipline import SCHEMA_FILE, CyberTiplineStandIn
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.casework.evidence.seal import new_identity
from tutela.console.people import People
from tutela.content.signals.registry import signal_type
from tutela.foundation.outbox.webhooks import new_secret, read_secret, verify
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import Store
from tutela.foundation.store.exchange_tables import entry_opinion
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.lists.banks.service import Banks

pytestmark = pytest.mark.slow


class Platform:
    """The platform's receiver of webhooks; it believes only what is signed."""

    def __init__(self) -> None:
        self.secret = new_secret()
        self.told: list[dict] = []
        self.refused: list[str] = []
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    verify([read_secret(platform.secret)], dict(self.headers.items()), body)
                    platform.told.append(json.loads(body))
                    self.send_response(204)
                except Exception as error:
                    platform.refused.append(str(error))
                    self.send_response(401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._running = ExitStack()
        server = self._running.enter_context(serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)))
        self.url = f"http://127.0.0.1:{server.server_port}/hooks"

    def close(self) -> None:
        self._running.close()

    def types(self) -> list[str]:
        return [told["type"] for told in self.told]


@pytest.fixture(scope="module")
def tipline() -> Iterator[tuple[CyberTiplineStandIn, str] | None]:
    """The strict stand-in of the CyberTipline and its address; None without the published schema."""
    if not SCHEMA_FILE.is_file():
        yield None
        return
    service = CyberTiplineStandIn(SCHEMA_FILE)
    with service.serve() as address:
        yield service, address


class House:
    """A service, a console, and the people at it."""

    def __init__(self, folder: Path, browser, **settings: Any) -> None:
        self.folder = folder
        self.home = folder / "home"
        secret, public = new_identity()
        self.key = folder / "review.txt"
        self.key.write_text(secret)
        self.platform = Platform()
        with socket.create_server(("localhost", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.origin = f"http://localhost:{self.port}"
        self.environment: dict[str, Any] = {
            "TUTELA_EVIDENCE": json.dumps({"recipients": [public]}),
            "TUTELA_WEBHOOKS": json.dumps({"platform": {"url": self.platform.url, "secrets": [self.platform.secret]}}),
            "TUTELA_CASES": json.dumps({"default": {"on_outcome": {"confirm": ["suspend"], "reject": ["restore"]}}}),
        } | settings
        self.service = Service(self.home, **self.environment)
        self.store = Store.open(f"sqlite:///{self.home / 'tutela.db'}")
        self.banks = Banks(self.store, self.home)
        self.banks.create("known", policy=Policy(Action.BLOCK), label="A1", actor="test")
        self._browser = browser
        self.people: dict[str, Somebody] = {}
        self.start_console()

    def run(self, *arguments: str) -> Ended:
        """A command, as an operator gives it."""
        return run_tutela(["--home", str(self.home), *arguments], env=self.console_environment())

    def console_environment(self) -> dict[str, str]:
        own = {"TUTELA_CONSOLE__ORIGIN": self.origin, "TUTELA_CONSOLE__IDENTITY": str(self.key)}
        return os.environ | self.environment | own

    def start_console(self) -> None:
        self.log = (self.folder / "console.log").open("ab")
        self.console = start_tutela(
            ["--home", str(self.home), "console", "serve", "--port", str(self.port)],
            env=self.console_environment(),
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

        def up() -> bool:
            assert self.console.poll() is None, (self.folder / "console.log").read_text()[-3000:]
            return is_up(f"{self.origin}/healthz")

        wait_until(up, "the console does not start")

    def list_as_known(self, content: bytes, label: str = "A1") -> None:
        """A benign picture that stands for a known one."""
        pdq = self.run_hash(content)
        self.banks.add("known", [NewEntry("pdq", signal_type("pdq").parse(pdq), label=label)], actor="test")
        hashes = {"hashes": [{"signal": "pdq", "value": pdq}]}
        with self.service.client() as client:
            wait_until(
                lambda: client.post("/v1/lookup", json=hashes).raise_for_status().json()["results"][0],
                "the list is not in force",
            )

    def run_hash(self, content: bytes) -> str:
        path = self.folder / "picture"
        path.write_bytes(content)
        result = self.run("hash", "--signal", "pdq", "--json", str(path))
        return str(json.loads(result.stdout.splitlines()[0])["value"])

    def upload(self, content: bytes, item: str, **details: str) -> dict:
        """As the platform uploads it."""
        context = json.dumps({"item": item, "details": details})
        with self.service.client() as client:
            answer = client.post("/v1/screen", files={"file": content}, data={"context": context})
        return answer.raise_for_status().json()

    def somebody(self, name: str, *roles: str) -> Somebody:
        """A person who came in by an invitation."""
        people = People(self.store)
        token = people.invite(people.add(name, roles, by="test").id, by="test")
        return self.enrol(name, f"{self.origin}/enrol/{token}")

    def enrol(self, name: str, link: str) -> Somebody:
        """A person at a window of their own who makes a passkey."""
        person = Somebody(self._browser, self.origin)
        person.enrol(link)
        self.people[name] = person
        return person

    def close(self) -> None:
        for person in self.people.values():
            person.context.close()
        os.killpg(self.console.pid, signal.SIGTERM)
        self.console.wait(PATIENCE_S)
        self.log.close()
        self.store.close()
        self.service.stop()
        self.platform.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, browser, tipline) -> Iterator[House]:
    reports: dict[str, object] = {"organisation": {"name": "Test Company", "contact_email": "desk@company.example"}}
    if tipline is not None:
        reports |= {"user": "esp", "password": "secret", "address": tipline[1], "xsd": str(SCHEMA_FILE)}
    house = House(
        tmp_path_factory.mktemp("house"),
        browser,
        TUTELA_CONSOLE__TWO_PERSON="true",
        TUTELA_REPORTS=json.dumps(reports),
    )
    yield house
    house.close()


def check_page(somebody: Somebody, name: str) -> None:
    """Keep a screenshot, and let axe-core look at the page, in both colours."""
    keep_screenshot(somebody.page, name)
    assert issues(somebody.page) == []


def shows_a_picture(somebody: Somebody) -> bool:
    return bool(somebody.page.locator("main img:visible").count())


def hold_space(somebody: Somebody) -> None:
    somebody.page.keyboard.press("Escape")
    somebody.page.keyboard.down(" ")


# --- end to end


def test_from_an_upload_to_a_verified_audit_log_by_keyboard_alone(house, tipline):
    known = file_of(draw_scene(11), "PNG")
    house.list_as_known(known)
    marker = b"MARKER-OF-AN-UPLOAD"
    upload = file_of(draw_scene(11).resize((300, 225)), "JPEG", quality=80) + marker
    verdict = house.upload(upload, "holiday.jpg", uploader="user-4711", ip_address="192.0.2.77")
    assert verdict["decision"] == "block"
    wait_until(lambda: "effect.hide" in house.platform.types(), "the platform is not told to hide it")
    assert_sealed(house, marker)

    # A reviewer takes the case, uncovers it, lets go, and confirms it.
    case_id = case_of(house, verdict)
    link = house.run("console", "invite", "Rae", "--role", "reviewer").stdout.strip()
    rae = house.enrol("Rae", link)
    page = rae.page
    focused = "() => document.activeElement.getAttribute('href') || ''"
    for _ in range(50):
        page.keyboard.press("j")
        if case_id in page.evaluate(focused):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{case_id}")
    page.keyboard.press("c")
    page.wait_for_url("**done=claimed")
    assert not shows_a_picture(rae), "the match comes first"
    assert page.locator(".outline-match").count() >= 1
    hold_space(rae)
    page.wait_for_selector(".reveal[data-state=open]")
    assert page.locator("main img:visible").first.get_attribute("src").startswith("blob:")
    page.wait_for_function(
        "() => /2 \\/ 3|3 \\/ 3|second person/.test(document.querySelector('[data-says]').innerText)"
    )
    page.keyboard.up(" ")
    page.wait_for_selector(".reveal[data-state=covered]")
    assert not shows_a_picture(rae)
    page.wait_for_function("() => Number(document.querySelector('[data-seen-items]').innerText) > 0")
    page.keyboard.press("1")
    page.keyboard.press("l")
    page.keyboard.type("A1")
    rae.press_to("Reason")
    page.keyboard.type("the list says so, and the outline is the whole picture")
    rae.press_to("Decide")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=decided")
    assert "Confirm" in page.locator("h2").all_inner_texts()[0]
    wait_until(lambda: "effect.suspend" in house.platform.types(), "the platform is not told to suspend")
    assert house.platform.refused == []
    with house.store.read() as connection:
        opinions = [row.opinion for row in connection.execute(select(entry_opinion))]
    assert opinions, "what the person found is counted for the entry, as where the service decides"

    # A reporter, who sees no picture, reads the report and files it.
    rita = None if tipline is None else report_by_keyboard(house, tipline[0], case_id, upload)

    # Evidence is sealed, and an auditor finds the log whole.
    assert_sealed(house, marker)
    assert_sealed(house, b"192.0.2.77")
    ann = house.somebody("Ann", "auditor")
    ann.page.goto("/audit")
    ann.page.keyboard.press("v")
    ann.page.wait_for_selector(".notice.good")
    assert "The log is whole" in ann.page.locator(".notice").inner_text()
    ann.page.goto(f"/audit?subject=case:{case_id}")
    actions = ann.page.locator("tbody td.mono:nth-child(4)").all_inner_texts()
    for action in ("case.opened", "case.claimed", "evidence.reveal", "case.decided"):
        assert action in actions
    assert rae.problems == []
    assert ann.problems == []
    if rita is None:
        pytest.skip("all but the report was shown: the published schema ../shared/ncmec/cyber_tipline.xsd is not there")
    ann.page.goto("/audit?action=report.finished")
    assert ann.page.locator(".scroll tbody tr").count() == 1
    assert rita.problems == []


def report_by_keyboard(house: House, tipline: CyberTiplineStandIn, case_id: str, upload: bytes) -> Somebody:
    rita = house.somebody("Rita", "reporter")
    page = rita.page
    page.goto(f"/cases/{case_id}")
    assert page.locator("[data-reveal], [data-hold]").count() == 0
    page.keyboard.press("p")
    page.wait_for_url(f"**/reports/{case_id}")
    text = page.locator("pre").first.inner_text()
    assert "user-4711" in text
    assert "192.0.2.77" in text
    assert "<fileViewedByEsp>false" in page.locator("pre").nth(1).inner_text(), "it was only shown blurred"
    check_page(rita, "report")
    page.keyboard.press("r")
    page.keyboard.press("f")
    page.wait_for_url("**/filings/*")
    wait_until(lambda: len(tipline.finished()) == 1, "the report is not finished")
    (report,) = tipline.finished()
    assert [file.length for file in report.files] == [len(upload)]
    page.reload()
    page.get_by_text("finished").first.wait_for()
    assert str(report.number) in page.content()
    check_page(rita, "filing")
    page.goto("/reports")
    check_page(rita, "reports-filed")
    page.goto(f"/cases/{case_id}")
    assert str(report.number) in page.content(), "the report is linked to its case"
    return rita


def assert_sealed(house: House, marker: bytes) -> None:
    """Nothing in the home has it in clear."""
    files = [path for path in house.home.rglob("*") if path.is_file()]
    assert len(list((house.home / "evidence").rglob("*.age"))) >= 2
    assert [path for path in files if marker in path.read_bytes()] == []


# --- every page, for every eye


def a_case(house: House, seed: int, **details: str) -> str:
    """A picture that was held, and the case it is in."""
    verdict = house.upload(file_of(draw_scene(seed).resize((320, 240)), "PNG"), f"photo-{seed}.png", **details)
    assert verdict["decision"] == "block"
    return case_of(house, verdict)


def case_of(house: House, verdict: dict) -> str:
    with house.store.read() as connection:
        query = select(case_item.c.case_id).where(case_item.c.verdict_id == verdict["id"])
        return str(connection.execute(query).scalar_one())


@pytest.fixture(scope="module")
def cases(house: House) -> list[str]:
    """Two cases of two uploaders, of one picture each."""
    for seed in (21, 22):
        house.list_as_known(file_of(draw_scene(seed), "PNG"))
    return [a_case(house, seed, uploader=f"user-{seed}", ip_address="192.0.2.1") for seed in (21, 22)]


def test_every_page_has_no_issue_that_axe_core_finds(house, cases):
    everything = house.somebody("Everything", "reviewer", "lead", "reporter", "auditor", "admin")
    page = everything.page
    case = cases[0]
    page.goto(f"/cases/{case}")
    check_page(everything, "case")
    page.keyboard.press("c")
    page.wait_for_url("**done=claimed")
    check_page(everything, "case-claimed")
    page.keyboard.press("?")
    check_page(everything, "keys")
    page.keyboard.press("Escape")
    hold_space(everything)
    page.wait_for_selector(".reveal[data-state=open]")
    check_page(everything, "case-uncovered")
    page.keyboard.up(" ")
    page.get_by_role("button", name="Show what the platform said").click()
    page.get_by_text("192.0.2.1").wait_for()
    check_page(everything, "case-context")
    names = "cases streams second-looks reports appeals notices intake statistics team audit people settings nothing"
    for name in names.split():
        page.goto(f"/{name}")
        check_page(everything, name)
    a_case(house, 21, uploader="another")
    page.goto(f"/cases/{case}/similar")
    assert page.locator("input[name=item]").count() >= 1
    check_page(everything, "similar")
    page.goto("/people")
    page.get_by_label("Name", exact=True).fill("Newcomer")
    page.locator("section:last-child input[value=reviewer]").check()
    page.get_by_role("button", name="Make an invitation").click()
    check_page(everything, "people-invited")
    link = page.locator("[data-link]").inner_text()
    page.goto("/notices")
    page.get_by_label("Authority").fill("Authority")
    page.get_by_label("Its reference").fill("reference")
    page.get_by_label("Content, one a line").fill("https://platform.example/1\nhttps://platform.example/2")
    page.get_by_role("button", name="Register").click()
    page.wait_for_url("**done=registered")
    check_page(everything, "notice")
    page.goto(link)
    check_page(everything, "enrol")
    page.goto("/sign-in")
    check_page(everything, "sign-in")
    assert [problem for problem in everything.problems if "404" not in problem] == []


def test_no_page_scrolls_sideways_on_a_narrow_screen(house, cases):
    """320 pixels across, as at 400 % on a small screen: WCAG 2.2, 1.4.10. Tables scroll in their own frames."""
    everything = house.somebody("Narrow", "reviewer", "lead", "reporter", "auditor", "admin")
    page = everything.page
    page.set_viewport_size({"width": 320, "height": 640})
    names = "cases streams second-looks reports notices intake statistics team audit people settings nothing sign-in"
    for language in ("en", "de"):
        page.set_extra_http_headers({"Accept-Language": language})
        for path in (f"cases/{cases[0]}", f"cases/{cases[0]}/similar", *names.split()):
            page.goto(f"/{path}")
            assert page.evaluate("[document.documentElement.lang, document.documentElement.scrollWidth <= 320]") == [
                language,
                True,
            ], path
            keep_screenshot(page, f"narrow-{language}-{path.replace(cases[0], 'case').replace('/', '-')}")


# --- the reveal, as a person meets it


@pytest.fixture(scope="module")
def reviewer(house: House, cases: list[str]) -> Somebody:
    return house.somebody("Robin", "reviewer")


def open_claimed(house: House, somebody: Somebody, seed: int) -> str:
    case = a_case(house, seed, uploader=f"user-{seed}-{time.monotonic_ns()}")
    somebody.page.goto(f"/cases/{case}")
    somebody.page.keyboard.press("c")
    somebody.page.wait_for_url("**done=claimed")
    return case


def test_a_picture_is_covered_when_the_person_looks_away_and_none_stays_behind(house, reviewer):
    page = reviewer.page
    open_claimed(house, reviewer, 21)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {urlsplit(request.url).path}"))
    for look_away in ("window.dispatchEvent(new Event('blur'))", "window.dispatchEvent(new Event('pagehide'))"):
        hold_space(reviewer)
        page.wait_for_selector(".reveal[data-state=open]")
        address = page.locator("main img:visible").first.get_attribute("src")
        page.evaluate(look_away)
        page.wait_for_selector(".reveal[data-state=covered]")
        assert not shows_a_picture(reviewer)
        gone = "async (address) => { try { await fetch(address); return 'there' } catch { return 'gone' } }"
        assert page.evaluate(gone, address) == "gone", "the object URL is revoked"
        page.keyboard.up(" ")
    assert not [one for one in asked if one.startswith("GET") and "reveal" in one], "pictures have no address"
    stored = "() => [localStorage.length, sessionStorage.length, document.cookie]"
    assert page.evaluate(stored) == [0, 0, ""]
    assert page.evaluate("async () => (await caches.keys()).length") == 0
    assert page.locator("a[download], video, audio, iframe, object, embed").count() == 0
    menu = "() => document.querySelector('.reveal').dispatchEvent(new MouseEvent('contextmenu', {cancelable: true}))"
    assert page.evaluate(menu) is False, "there is no context menu"


def test_an_animation_is_a_sheet_and_then_single_frames(house, reviewer):
    scene = draw_scene(21).resize((320, 240))
    frames = [scene, *(draw_scene(seed).resize((320, 240)) for seed in (31, 32))]
    content = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)
    verdict = house.upload(content, "moving.gif", uploader=f"moving-{time.monotonic_ns()}")
    assert verdict["decision"] == "block"
    page = reviewer.page
    page.goto(f"/cases/{case_of(house, verdict)}")
    page.keyboard.press("c")
    page.wait_for_url("**done=claimed")
    reviewer.press_to("Hold to uncover")
    page.keyboard.down(" ")
    page.wait_for_selector(".reveal[data-state=open]")
    page.keyboard.up(" ")
    page.wait_for_selector(".reveal[data-state=covered]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "2 / " in page.locator("[data-says]").inner_text()
    assert not shows_a_picture(reviewer), "choosing a frame uncovers nothing"
    page.keyboard.down(" ")
    page.wait_for_selector(".reveal[data-state=open]")
    page.keyboard.up(" ")
    page.wait_for_selector(".reveal[data-state=covered]")


def test_a_press_uncovers_for_hands_that_cannot_hold_and_covers_itself(house, cases):
    hand = house.somebody("Hand", "reviewer")
    page = hand.page
    page.goto("/settings")
    hand.press_to("Press instead of hold")
    page.keyboard.press("Space")
    hand.press_to("Save")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=saved")
    a_case(house, 22, uploader=f"user-{time.monotonic_ns()}")
    page.goto("/cases")
    page.keyboard.press("n")
    page.wait_for_url("**/cases/*")
    hand.press_to("Press to uncover")
    page.keyboard.press("Space")
    page.wait_for_selector(".reveal[data-state=open]")
    page.wait_for_selector(".reveal[data-state=covered]")
    assert not shows_a_picture(hand)
    seconds = page.locator("[data-seen-seconds]")
    wait_until(lambda: int(seconds.inner_text()) >= 7, "the whole time is counted")


def test_single_letters_do_nothing_for_who_switched_them_off(house, cases):
    hand = house.somebody("Dictates", "reviewer")
    page = hand.page
    page.goto("/settings")
    page.get_by_label("Single-letter keys").uncheck()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**done=saved")
    page.goto("/cases")
    page.keyboard.press("n")
    page.keyboard.press("?")
    assert urlsplit(page.url).path == "/cases"
    assert page.locator("dialog[open]").count() == 0
    assert page.get_by_role("button", name="Take the next case").count() == 1


def test_the_severest_becomes_clear_when_a_second_person_agrees(house, reviewer):
    page = reviewer.page
    open_claimed(house, reviewer, 22)
    most = "() => document.querySelector('[data-says]').innerText"
    hold_space(reviewer)
    page.wait_for_function("() => /second person/.test(document.querySelector('[data-says]').innerText)")
    assert "second person" in page.evaluate(most)
    page.keyboard.up(" ")
    reviewer.press_to("Ask a second person")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=asked")
    second = house.somebody("Second", "reviewer")
    second.page.goto("/second-looks")
    check_page(second, "second-looks-asked")
    assert not shows_a_picture(second), "the second person need not look"
    second.press_to("Agree")
    second.page.keyboard.press("Enter")
    second.page.wait_for_url("**done=granted")
    page.reload()
    hold_space(reviewer)
    page.wait_for_function("() => /5 . 5/.test(document.querySelector('[data-says]').innerText)")
    page.keyboard.up(" ")


def test_hostile_names_run_nothing_in_a_browser(house, reviewer):
    hostile = '"><script>window.run=1</script><img src=x onerror=window.run=1>'
    content = file_of(draw_scene(21).resize((320, 240)), "PNG")
    house.upload(content, hostile, uploader=f"hostile-{time.monotonic_ns()}", note=hostile)
    page = reviewer.page
    page.goto("/cases")
    shown = 0
    for address in page.eval_on_selector_all("[data-row]", "rows => rows.map(row => row.href)"):
        page.goto(address)
        claim = page.get_by_role("button", name="Claim")
        if claim.count() and claim.is_enabled():
            claim.click()
            page.wait_for_url("**done=claimed")
        if not page.get_by_role("button", name="Show what the platform said").is_enabled():
            continue  # another has it
        page.get_by_role("button", name="Show what the platform said").click()
        page.wait_for_load_state()
        assert page.evaluate("() => window.run") is None
        shown += page.get_by_text("window.run=1").count()
    assert shown >= 2, "the item's name and the note were on the pages, as text"


def test_signing_out_ends_everything_and_the_passkey_lets_in_again(house, reviewer):
    reviewer.page.goto("/settings")
    reviewer.press_to("Sign out")
    reviewer.page.keyboard.press("Enter")
    reviewer.page.wait_for_url("**/sign-in")
    reviewer.page.goto("/cases")
    assert urlsplit(reviewer.page.url).path == "/sign-in"
    reviewer.page.go_back()
    reviewer.page.wait_for_load_state()
    assert reviewer.page.get_by_text("Robin").count() == 0, "nothing comes back from the browser's memory"
    reviewer.sign_in()
    assert urlsplit(reviewer.page.url).path == "/cases"
