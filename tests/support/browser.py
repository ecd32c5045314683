"""A real browser for the tests: Debian's Chromium through Playwright, with a virtual authenticator for passkeys."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.effort import effort

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next((path for path in (Path("/usr/bin") / name for name in _NAMES) if path.exists()), None)
"""Preferably the one without windows: a person's page costs it 0.15 s of processor time, and Chromium 1 s."""
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_FULL = bool(effort(0, 1, least=0))
COLOURS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES_OF_COLOURS = ("color-contrast", "link-in-text-block")
"""axe-core's rules that depend on the colours: in dark the others would look at the same page once more."""
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def open_browser() -> Iterator["Browser"]:
    """A running Chromium; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium (apt-get install chromium-headless-shell, or `make test` as root)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()


def issues(page: "Page") -> list[str]:
    """What axe-core finds wrong with the page, in light and in dark."""
    found = []
    page.evaluate(Axe().axe_script)
    for colours in COLOURS:
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if colours == "dark" and not _FULL:
            options["runOnly"] = {"type": "rule", "values": RULES_OF_COLOURS}
        told = page.evaluate(f"axe.run({json.dumps(options)}).then(told => JSON.stringify(told))")
        result = json.loads(told)
        assert result["passes"], "no rule applies to the page"
        found += [
            f"{colours}: {one['id']}: {[node['target'] for node in one['nodes']]}" for one in result["violations"]
        ]
    page.emulate_media(color_scheme="light")
    return found


def keep_screenshot(page: "Page", name: str) -> None:
    """Keep a picture of the whole page for looking at, in both colours, where the tests are run with full effort."""
    if not _FULL:
        return
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for colours in COLOURS:
        page.emulate_media(color_scheme=colours)
        page.screenshot(path=SCREENSHOTS / f"{name}-{colours}.png", full_page=True)
    page.emulate_media(color_scheme="light")


class Somebody:
    """A person at a browser window of their own, with their own authenticator."""

    def __init__(self, browser: "Browser", origin: str) -> None:
        self.origin = origin
        self.context = browser.new_context(base_url=origin, viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        devtools = self.context.new_cdp_session(self.page)
        devtools.send("WebAuthn.enable")
        self.devtools = devtools
        self.authenticator = devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )["authenticatorId"]

    def enrol(self, link: str) -> None:
        """Make a passkey from an invitation, with the keyboard."""
        self.page.goto(link)
        self.press_to("Make a passkey")
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/enrol/" not in url)

    def sign_in(self) -> None:
        """Sign in with the passkey, with the keyboard."""
        self.page.goto("/sign-in")
        self.press_to("Sign in with a passkey")
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def press_to(self, name: str, most: int = 80) -> None:
        """Move the focus with the tab key to what has that name (its text begins so)."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            text = self.page.evaluate(
                "() => { const e = document.activeElement;"
                " return (e.labels && e.labels.length ? e.labels[0].innerText : e.innerText) || e.value || '' }"
            )
            if text.strip().startswith(name):
                return
        pytest.fail(f"the tab key does not come to {name!r} on {self.page.url}")


def environment(**values: str) -> dict[str, str]:
    """This process's environment with some settings over it."""
    return os.environ | values
