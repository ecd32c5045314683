"""The example of a search, in a real browser: help in the searcher's language and country, no script, nothing kept."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from tests.support.browser import issues, keep_screenshot, open_browser
from tests.support.service import Service, free_port, is_up
from tests.support.waiting import wait_until
from tutela.api.keys import Scope
from tutela.foundation.store.database import Store
from tutela.foundation.store.tables import metadata

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "examples" / "search_app"
LISTED, SEARCHED = "zilpzalp", "z i l p z a l p near searcher77"
"""A benign word that stands for a listed term, and a search for it that stands nowhere else."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "home")
    with service.client() as client:
        assert client.post("/v1/banks", json={"name": "words", "uses": ["search"]}).status_code == 201
        entry = {"signal": "keyword", "value": LISTED}
        assert client.post("/v1/banks/words/entries", json={"entries": [entry]}).status_code == 201
        asked = {"text": LISTED, "purpose": "search"}
        wait_until(lambda: client.post("/v1/check", json=asked).json()["answer"] == "deter", "the word is listed")
    yield service
    with contextlib.suppress(ProcessLookupError):
        service.kill()


@contextlib.contextmanager
def search_page(service: Service) -> Iterator[str]:
    """The example, started as its README says; its address."""
    port, key = free_port(), service.keys.create("search", [Scope.SCREEN], by="test")[1]
    environment = os.environ | {"TUTELA_URL": service.address, "TUTELA_KEY": key, "PORT": str(port)}
    with (service.home / "page.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=EXAMPLE, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}/"

            def answers() -> bool:
                assert process.poll() is None
                return is_up(address)

            wait_until(answers, "the page answers")
            yield address
        finally:
            process.kill()
            process.wait()


def rows(home: Path) -> dict[str, int]:
    """How many rows each table has."""
    with contextlib.closing(Store.open(f"sqlite:///{home / 'tutela.db'}")) as store, store.read() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def search(browser: "Browser", address: str, locale: str, country: str) -> tuple[str, str, list[str]]:
    """What somebody there sees who searches by keyboard: the page's language, its heading, and who helps."""
    headers = {"X-Country": country}
    context = browser.new_context(java_script_enabled=False, locale=locale, extra_http_headers=headers)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.type(SEARCHED)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1")
    language, heading = page.locator("html").get_attribute("lang") or "", page.inner_text("h1")
    helpers = page.locator("li").all_inner_texts()
    assert "A page about" not in page.inner_text("main"), "no results"
    assert all(url.startswith(address) for url in asked), "the page loads nothing else"
    assert context.cookies() == []
    keep_screenshot(page, f"search-{country.lower()}")
    page.goto(f"{address}?q=birds")
    assert "A page about birds" in page.inner_text("main")
    context.close()
    return language, heading, helpers


def test_who_searches_for_a_listed_word_is_offered_help_without_a_script_and_nothing_is_kept(service):
    with search_page(service) as address, open_browser() as browser:
        before = rows(service.home)
        for locale, country, *expected, first in (
            ("de-DE", "DE", "de", "Es gibt Hilfe", "Kein Täter werden"),
            ("en-GB", "GB", "en", "Help is available", "Stop It Now, United Kingdom and Ireland 0808 1000 900"),
            ("fr-FR", "CA", "en", "Help is available", "Talking for Change"),
        ):
            *found, helpers = search(browser, address, locale, country)
            assert found == expected and helpers[0].startswith(first), helpers
        page = browser.new_page()
        page.goto(f"{address}?q={LISTED}")
        assert issues(page) == []
        assert rows(service.home) == before, "no verdict, no evidence, no case"
        service.kill()
        page.goto(f"{address}?q=birds")
        assert "Searching is not possible now." in page.inner_text("main"), "without an answer there are no results"
    for path in service.home.rglob("*"):
        assert not path.is_file() or b"searcher77" not in path.read_bytes(), path
