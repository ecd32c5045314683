"""The pages that the public and readers of figures see, in a real browser: usable by keyboard, and accessible."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from tests.support.browser import issues, keep_screenshot, open_browser
from tests.support.incidents import US, InMemory, decided_case
from tutela.api.app import create_app
from tutela.api.options import ApiOptions
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.casework.reports.incident import incident_of
from tutela.casework.reports.options import ReportOptions
from tutela.casework.reports.package import referral_of
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import compose_deployment

pytestmark = pytest.mark.slow

PERIOD = "since=2026-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&form=html"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("pages") / "home"
    options = ReportOptions(organisation=US, public_intake=True)
    evidence = EvidenceOptions(recipients=(new_identity()[1],))
    with compose_deployment(home, decoders=1, casework=CaseworkOptions(evidence, reports=options)) as deployment:
        listener = socket.create_server(("127.0.0.1", 0))
        app = create_app(deployment, ApiOptions(auth_required=False))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
        listener.close()


def test_the_pages_are_accessible_and_the_public_reports_by_keyboard(address, tmp_path):
    evidence = InMemory()
    referral = tmp_path / "referral.html"
    referral.write_bytes(referral_of(incident_of(decided_case(evidence), evidence), US, "nca").html())
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.set_default_timeout(60_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/report")
        check_page(page, "intake")
        report_by_keyboard(page)
        assert "Thank you" in page.inner_text("h1")
        check_page(page, "thanks")
        page.goto(f"{address}/v1/transparency?{PERIOD}")
        assert page.locator("svg").count() >= 1
        check_page(page, "transparency")
        page.goto(referral.as_uri())
        check_page(page, "referral")
        assert all(url.startswith((address, "file:")) for url in asked if not url.endswith("favicon.ico"))


def report_by_keyboard(page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    for text in ("https://example.test/p/1", "he wrote to my daughter", "mother@example.test"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "submit", "the trap is not on the way"
    with page.expect_navigation():
        page.keyboard.press("Enter")


def check_page(page, name: str) -> None:
    """Keep a screenshot, and let axe-core look at the page, in both colours."""
    keep_screenshot(page, f"reports-{name}")
    assert issues(page) == []
