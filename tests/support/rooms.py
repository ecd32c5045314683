"""A console in this process that is served to a real browser, with people who are signed in and cases to decide."""

import socket
import threading
from dataclasses import replace
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser

from tests.support.browser import Somebody
from tests.support.console import Desk
from tests.support.held_items import a_held_verdict
from tests.support.pictures import draw_scene, file_of
from tests.support.waiting import wait_until
from tutela.casework.cases.model import Case
from tutela.console.roles import Role
from tutela.lists.banks.model import NewEntry
from tutela.lists.banks.service import Banks
from tutela.screening.verdict import Match, Reason


class Room:
    """A console in this process, served to a browser."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        with socket.create_server(("localhost", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.origin = f"http://localhost:{self.port}"
        self.desk = Desk(folder, origin=self.origin)
        banks = Banks(self.desk.store)
        banks.create("known", label="A1", actor="test")
        banks.add("known", [NewEntry("pdq", bytes([number] * 32)) for number in range(1, 10)], actor="test")
        self._browser = browser
        config = uvicorn.Config(self.desk.app, "localhost", self.port, log_level="warning")
        self._server = uvicorn.Server(config)
        threading.Thread(target=self._server.run, daemon=True).start()
        wait_until(lambda: self._server.started, "the console is served")
        self._count = 0

    def somebody(self, *roles: Role, language: str = "en") -> Somebody:
        """A person at a laptop who is signed in."""
        person = self.desk.console.people.add(f"A {'-'.join(roles)}", roles, by="test")
        session = self.desk.console.sessions.begin(person, "test")
        somebody = Somebody(self._browser, self.origin)
        somebody.page.set_viewport_size({"width": 1366, "height": 768})
        somebody.page.set_extra_http_headers({"Accept-Language": language})
        sign_in(somebody, session.token)
        somebody.person = person  # type: ignore[attr-defined]
        return somebody

    def held(self, *matches: Match, uploader: str = "", reasons: tuple[Reason, ...] = ()) -> Case:
        """The case of a drawn picture that was held."""
        self._count += 1
        verdict = a_held_verdict(f"item-{self._count}", uploader or f"u-{self._count}")
        verdict = replace(verdict, matches=matches, reasons=reasons or verdict.reasons, width=640, height=480)
        picture = file_of(draw_scene(self._count, (640, 480)), "PNG")
        return self.desk.cases.get(self.desk.custody.keep(picture, verdict).case_id)

    def close(self) -> None:
        self._server.should_exit = True
        self.desk.close()


def sign_in(somebody: Somebody, token: str | None) -> None:
    """The cookie of a session; browsers take localhost for as good as https."""
    somebody.context.add_cookies([{"name": "__Host-tutela", "value": token or "", "url": "https://localhost/"}])


def claim(somebody: Somebody, case: Case) -> None:
    somebody.page.goto(f"/cases/{case.id}")
    somebody.page.keyboard.press("c")
    somebody.page.wait_for_url("**done=claimed")
