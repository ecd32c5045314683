"""`?` lists every key: what the keys of a page do and what its list of keys says are the same."""

import re
from collections.abc import Iterator
from pathlib import Path

import lxml.html
import pytest

import tutela.console
from tests.support.console import Desk, Visitor
from tests.support.contact_cases import raised
from tests.support.held_items import a_held_verdict
from tutela.casework.reports.intake import Category, IntakeReport
from tutela.casework.reports.notices import NewTarget, read_clock
from tutela.console.roles import Role

pytestmark = pytest.mark.slow
OF_EVERY_PAGE = {"j", "k", "?", "Esc"}
OF_THE_REVEAL = {"Space", "←", "→"}


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


def keys_of(text: str) -> tuple[set[str], set[str]]:
    """The keys that a page's elements name, and those that its list has; `1 … 4` are four."""
    page = lxml.html.fromstring(text)
    listed: set[str] = set()
    for cell in page.xpath("//dialog[@id='keys']//tbody/tr/td[1]"):
        keys = [key.text_content() for key in cell.iter("kbd")]
        between = re.fullmatch(r"(\d) … (\d)", cell.text_content().strip())
        listed |= {str(key) for key in range(int(between[1]), int(between[2]) + 1)} if between else set(keys)
    return set(page.xpath("//@data-key")), listed


def a_case(desk: Desk, item: str, uploader: str) -> str:
    verdict = a_held_verdict(item, uploader, digest="0f" * 32)
    return desk.custody.keep(b"content", verdict).case_id


def pages_of(desk: Desk, somebody: Visitor) -> dict[str, list[str]]:
    """Every kind of page that has keys, in each of its states."""
    case, _ = (a_case(desk, "item", name) for name in ("one", "two"))
    contact = raised(desk)
    assert desk.console.intake is not None
    receipt = desk.console.intake.receive(IntakeReport(Category.OTHER, ["https://platform.example/1"], "words"))
    told = str(desk.console.intake.case_of(receipt.id))
    targets = [NewTarget("url", "https://platform.example/1")]
    notice = desk.console.notices.register("A", "1", targets, within=read_clock("24h"), actor="t")

    def post(path: str, **form: object) -> str:
        return str(somebody.post(path, data={"csrf": somebody.csrf} | form, follow_redirects=True).text)

    shown = {path: [somebody.get(path).text] for path in ("/cases", "/people", "/audit", f"/notices/{notice.id}")}
    for name, one in (("case", case), ("contact", contact), ("told", told)):
        shown[name] = [somebody.get(f"/cases/{one}").text, post(f"/cases/{one}/claim")]
    shown["contact"] += [post(f"/cases/{contact}/lines", step=str(step)) for step in (1, 2)]
    shown["similar"] = [somebody.get(f"/cases/{case}/similar").text]
    item = str(desk.cases.get(case).items[0].id)
    shown["case"].append(post(f"/cases/{case}/decide", outcome="confirm", label="A1", reason="as listed", item=item))
    shown["report"] = [somebody.get(f"/reports/{case}").text]
    return shown


def test_the_list_of_keys_is_what_the_keys_of_the_page_do(desk):
    shown = pages_of(desk, desk.signed_in(*Role))
    of_cases = {key for name in ("case", "contact", "told") for text in shown[name] for key in keys_of(text)[0]}
    for name, texts in shown.items():
        does: set[str] = set()
        for text in texts:
            keys, listed = keys_of(text)
            does |= keys
            assert keys <= listed, f"{name}: not listed: {keys - listed}"
            extra = OF_EVERY_PAGE | (OF_THE_REVEAL if name == "case" else set())
            idle = listed - does - extra - (of_cases - set("sag") if name in ("contact", "told") else set())
            assert extra <= listed and (not idle or text != texts[-1]), f"{name}: listed, and nothing does it: {idle}"
    assert {"c", "b", "u", "p", "d", "z", "x", "l", "w", "1", "4"} <= keys_of(shown["case"][1])[1]
    assert "n" in keys_of(shown["/cases"][0])[1]


def test_no_page_with_keys_is_left_out(desk):
    """Every template that names a key is among the pages above, but for those of people who are not signed in."""
    templates = Path(tutela.console.__file__).parent / "templates"
    named = {path.name for path in templates.glob("*.html") if "data-key=" in path.read_text()}
    shown = {"case.html", "cases.html", "people.html", "audit.html", "notice.html", "report.html", "similar.html"}
    assert named - {"parts.html", "lines.html", "sign-in.html", "enrol.html"} == shown
