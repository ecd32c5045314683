"""Languages of the console: every text of every page comes from the catalogue, and those that are there are whole."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import get_args

import lxml.html
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

import tutela.console
from tests.support.console import Desk
from tests.support.contact_cases import raised
from tests.support.held_items import a_held_verdict, a_match
from tests.support.streams import put_down
from tests.support.tipline_reports import draft
from tutela.casework.cases import model as cases
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.reports import intake, notices
from tutela.casework.reports import model as filings
from tutela.casework.reports.cybertipline.environment import Environment
from tutela.console import pages
from tutela.console.languages import Language, Languages
from tutela.console.options import ExposurePolicy
from tutela.console.people import Theme
from tutela.console.roles import Role
from tutela.console.words import REASONS, WORDS
from tutela.content.media.content import Shortcoming
from tutela.errors import InputError, NotFoundError, Statement, UnscreenableError
from tutela.screening.decision import Decision
from tutela.screening.streams.indicators import weak_signal
from tutela.screening.streams.model import StreamState as StreamState
from tutela.screening.verdict import Context

FOLDER = Path(tutela.console.__file__).parent
POT = FOLDER / "locale" / "console.pot"
PLACE = re.compile(r"%\(\w+\)s|\{\w+[^{}]*\}")


def template() -> Catalog:
    with POT.open("rb") as file:
        return read_po(file)


def places(text: str) -> set[str]:
    """Where values go: as templates write it, and as sentences of the rooms do."""
    return set(PLACE.findall(text))


def texts(message: Message) -> tuple[str, ...]:
    """The message, with its plural where it has one."""
    return message.id if isinstance(message.id, tuple) else (str(message.id),)


def test_all_that_can_be_said_to_be_done_has_its_sentence():
    """A route that says what no sentence is for would say nothing; the type holds each route to these."""
    text = (FOLDER / "templates" / "done.html").read_text()
    assert set(re.findall(r"'([a-z-]+)': _\(", text)) == set(get_args(pages.Done))


def test_every_text_is_in_the_template_for_translators(tmp_path):
    found = tmp_path / "found.pot"
    subprocess.run([sys.executable, ".ci/messages", str(found)], cwd=FOLDER.parent.parent, check=True)
    assert found.read_text() == POT.read_text(), "run: make messages"


@pytest.mark.parametrize("name", sorted({"de", *(path.parts[-3] for path in FOLDER.glob("locale/*/*/console.po"))}))
def test_a_catalogue_that_comes_with_tutela_is_whole(name):
    with (FOLDER / "locale" / name / "LC_MESSAGES" / "console.po").open("rb") as file:
        catalogue = read_po(file, locale=name, abort_invalid=True)
    wanted = {(message.context, message.id) for message in template() if message.id}
    assert {(message.context, message.id) for message in catalogue if message.id} == wanted
    for message in catalogue:
        if not message.id:
            continue
        translations = message.string if isinstance(message.string, tuple) else (message.string,)
        assert len(translations) == (catalogue.num_plurals if message.pluralizable else 1), message.id
        wanted_places = places(" ".join(texts(message)))
        for translation in translations:
            assert translation, message.id
            assert places(str(translation)) == wanted_places, message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize(
    "members",
    [
        cases.CaseState, cases.Queue, Outcome, filings.FilingState, filings.FileState, notices.NoticeState,
        notices.TargetOutcome, intake.Category, Decision, Role, Theme, Environment,
    ],
)  # fmt: skip
def test_every_closed_set_has_words(members: type[StrEnum]):
    assert {str(member) for member in members} <= set(WORDS)


def test_every_act_in_the_history_of_a_case_has_words():
    """Of all source: what is written to the audit log about a case."""
    acts = {str(change) for change in cases.Change}
    for file in FOLDER.parent.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        for call in ast.walk(ast.parse(source)) if "case:{" in source else ():
            if isinstance(call, ast.Call) and any(ast.unparse(each).startswith("f'case:{") for each in call.args):
                acts |= {
                    str(each.value) for each in call.args if isinstance(each, ast.Constant) and "." in str(each.value)
                }
    assert {"case.claimed", "report.packaged", "case.decided"} <= acts
    assert acts <= set(WORDS)


# --- what rooms say


def test_what_a_room_said_is_told_in_the_language_of_the_page(tmp_path):
    german = Languages(tmp_path).chosen("de")
    missing = NotFoundError("there is no case {case_id!r}", case_id="abc")
    assert german.told(missing) == "Es gibt keinen Fall 'abc'"
    stored = Statement("{why}, and it was begun anew {restarts} times", {"why": missing, "restarts": 3}).stored()
    assert german.told(Statement.of_stored(stored)) == "there is no case 'abc', und sie wurde 3-mal neu begonnen"
    long = InputError("a reason has at most {max_reason} characters", max_reason=2000, field="reason")
    assert german.told(long) == "Ein Grund hat höchstens 2000 Zeichen"
    assert german.told("something that no room says") is None
    assert Languages(tmp_path).chosen("en").told("something that no room says") == "something that no room says"


def test_an_error_within_an_error_is_translated_too(tmp_path):
    german = Languages(tmp_path).chosen("de")
    cause = NotFoundError("there is no case {case_id!r}", case_id="abc")
    outer = InputError("the report would be refused: {found}", found=cause)
    assert german.told(outer) == "Die Meldung würde abgelehnt: Es gibt keinen Fall 'abc'"


def test_content_that_cannot_be_screened_is_told_of_by_its_code_where_the_sentence_came_from_a_worker(tmp_path):
    german, english = Languages(tmp_path).chosen("de"), Languages(tmp_path).chosen("en")
    error = UnscreenableError(Shortcoming.TIMEOUT, "decoding took longer than 7 s")
    assert german.told(error) == "Das Dekodieren dauerte länger als erlaubt"
    assert english.told(error) == "decoding took longer than 7 s"
    assert set(REASONS) == set(Shortcoming)


def test_a_catalogue_that_names_other_places_leaves_the_sentence_in_english(tmp_path):
    folder = tmp_path / "locale" / "eo" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    wrong = 'msgid "there is no case {case_id!r}"\nmsgstr "neniu kazo {alia}"\n'
    (folder / "console.po").write_text(head + wrong, encoding="utf-8")
    missing = NotFoundError("there is no case {case_id!r}", case_id="abc")
    assert Languages(tmp_path).chosen("eo").told(missing) is None


def test_what_is_named_in_a_refusal_is_not_translated_into(tmp_path):
    folder = tmp_path / "locale" / "eo" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    said = 'msgid "there is no case {case_id!r}"\nmsgstr "neniu kazo {case_id!r}"\n'
    (folder / "console.po").write_text(head + said, encoding="utf-8")
    language = Languages(tmp_path).chosen("eo")
    missing = NotFoundError("there is no case {case_id!r}", case_id="%(case_id)s %s {x}")
    assert language.told(missing) == "neniu kazo '%(case_id)s %s {x}'"


# --- every page, with every text marked


class Marked(Language):
    """A language in which times are marked too."""

    def ago(self, seconds: float) -> str:
        return f"⟦{super().ago(seconds)}⟧"

    def moment(self, value: datetime) -> str:
        return f"⟦{value.isoformat()}⟧"


def mark(text: str) -> str:
    return f"⟦{text}⟧"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A console in a language in which every message of the catalogue stands in brackets."""
    home = tmp_path_factory.mktemp("marked")
    folder = home / "locale" / "eo" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalogue = Catalog(locale="eo", domain="console")
    for message in template():
        if message.id:
            own = tuple(map(mark, message.id)) if message.pluralizable else mark(str(message.id))
            catalogue.add(message.id, own, context=message.context)
    with (folder / "console.po").open("wb") as file:
        write_po(file, catalogue)
    with Desk(home, two_person=True) as desk:
        found = desk.console.languages.chosen("eo")
        language = Marked(found.locale, found.translations, found.sentences)
        desk.console.languages._languages["eo"] = language
        yield desk


def unmarked(page: str) -> list[str]:
    """Texts of a page, and of its attributes, that are neither marked nor said to be data."""
    found = []
    for element in lxml.html.fromstring(page).iter("*"):
        own = [element.text if element.tag not in ("script", "style", "kbd") else None]
        own += [child.tail for child in element]
        names = ("alt", "aria-label", "title", "placeholder", "label", "content")
        own += [value for name, value in element.attrib.items() if name in names[:-1] or name.startswith("data-says")]
        own += [element.get("data-cancelled")]
        if any(ancestor.get("translate") == "no" for ancestor in (element, *element.iterancestors())):
            continue
        for text in filter(None, own):
            left = text.replace("Tutela", "") if element.tag == "title" else text
            while (inner := re.sub(r"⟦[^⟦⟧]*⟧", "", left)) != left:
                left = inner
            if re.search(r"[^\W\d_]", left):
                found.append(f"<{element.tag}> {text.strip()}")
    return found


class Walk:
    """Somebody who goes from page to page, and keeps every one."""

    def __init__(self, desk: Desk, *roles: Role) -> None:
        self.client = desk.signed_in(*roles)
        self.seen: dict[str, str] = {}

    def get(self, path: str) -> None:
        self._keep(path, self.client.get(path, headers={"accept-language": "eo"}, follow_redirects=True))

    def post(self, path: str, **form: object) -> None:
        data = {"csrf": self.client.csrf} | form
        self._keep(path, self.client.post(path, data=data, headers={"accept-language": "eo"}, follow_redirects=True))

    def _keep(self, path: str, answer) -> None:
        assert answer.status_code < 500, (path, answer.text)
        self.seen[f"{len(self.seen)} {path} {answer.status_code}"] = answer.text


def filled(desk: Desk) -> tuple[list[cases.Case], str]:
    """Cases of one picture and of another, and a notice."""
    for number, pdq in enumerate(["0f" * 32, "0f" * 32, "f0" * 32]):
        verdict = a_held_verdict(f"upload-{number}", f"person-{number}")
        told = Context(f"upload-{number}", {"uploader": f"person-{number}", "screen_name": "somebody"})
        match = a_match(bank="known", part="a.zip › b.jpg", quality=90)
        hashes = tuple(replace(one, value=pdq) for one in verdict.hashes)
        desk.custody.keep(b"content", replace(verdict, context=told, hashes=hashes, matches=(match,)))
    targets = [notices.NewTarget("pdq", "0e" + "0f" * 31), notices.NewTarget("url", "https://x.example/p")]
    hour = timedelta(hours=1)
    notice = desk.console.notices.register("Authority", "R-1", targets, within=hour, law="A law", actor="t")
    found = desk.cases.queue()
    return [desk.cases.get(summary.id) for summary in found], notice.id


def once_of(page: str) -> str:
    """What makes the form of an invitation count once."""
    return re.findall(r'name="once" value="([\w-]+)"', page)[-1]


def test_no_text_of_any_page_is_outside_the_catalogue(desk):
    found, notice = filled(desk)
    first, second, third = (case.id for case in found)
    lead = Walk(desk, Role.LEAD, Role.REPORTER)
    for path in ("/", "/cases", f"/cases/{first}", "/settings", "/team", "/statistics", "/intake", "/notices"):
        lead.get(path)
    for path in (
        f"/notices/{notice}",
        "/reports",
        f"/reports/{first}",
        "/second-looks",
        "/appeals",
        "/nothing",
        "/cases/none",
    ):
        lead.get(path)
    lead.post(f"/cases/{first}/claim")
    lead.post(f"/cases/{first}/claim", csrf="wrong")
    lead.post(f"/cases/{first}/context")
    lead.get(f"/cases/{first}/similar")
    item = found[0].items[0].id
    lead.post(f"/cases/{first}/items/{item}/second-look")
    decision = {"outcome": "confirm", "label": "A1", "reason": "the match says so"}
    lead.post(f"/cases/{first}/decide", outcome="confirm", reason="", item=item)
    lead.post(f"/cases/{first}/decide", outcome="perhaps", reason="r", item=item)
    lead.post(f"/cases/{first}/decide", **decision, item=item)
    lead.get(f"/cases/{second}")
    lead.post(f"/cases/{second}/similar", **decision)
    lead.get(f"/reports/{first}")
    lead.post(f"/reports/{first}")
    lead.post(f"/reports/{first}", read="yes")
    lead.get(f"/cases/{first}")
    lead.post(f"/cases/{third}/claim")
    lead.post(f"/cases/{third}/release")
    lead.post("/intake", category="grooming", links="https://x.example/y", text="words", contact="")
    lead.post("/intake", category="grooming", links="", text="", contact="")
    lead.get("/intake")
    lead.post("/notices", authority="A", reference="2", clock="24h", kind="item", targets="item-1", text="It says so")
    lead.post("/notices", authority="A", reference="3", clock="soon", kind="item", targets="x")
    lead.post(f"/notices/{notice}/answer", **{"target-0": "removed", "target-1": "not-found"}, text="done")
    lead.get("/notices")
    stream = put_down(desk.console.streams, "cam", StreamState.PAUSED, why="first-match")
    ended = put_down(desk.console.streams, "cam-2", StreamState.CUT, why="second-match", refused_s=600)
    desk.console.streams.signal(stream, weak_signal("few-viewers", ""))
    for path in ("/appeals", "/streams", f"/streams/{stream}", f"/streams/{ended}"):
        lead.get(path)
    lead.post(f"/streams/{stream}/cut")
    lead.post(f"/streams/{ended}/release")
    contact = raised(desk)
    lead.post(f"/cases/{contact}/claim")
    lead.post(f"/cases/{contact}/lines", step="1")

    other = Walk(desk, Role.REVIEWER)
    other.get("/second-looks")
    other.post("/second-looks/1", granted="yes")
    other.post("/second-looks/1", granted="yes")
    other.post(f"/cases/{third}/claim")
    lead.get(f"/cases/{third}")
    lead.post(f"/cases/{third}/claim")
    other.get("/people")
    person = other.client.person
    desk.console.exposures.open(person, third, "1", severe=True, most_s=3000.0)
    desk.console.exposures.policy = ExposurePolicy(items_before_break=1)
    other.get(f"/cases/{third}")
    other.get("/settings")

    admin = Walk(desk, Role.ADMIN, Role.AUDITOR)
    admin.get("/people")
    admin.post("/people", name="Casey", once=once_of(list(admin.seen.values())[-1]))
    admin.post("/people", name="Casey", role="reviewer", once="sent before")
    admin.post("/people", name="Casey", role="reviewer", once=once_of(list(admin.seen.values())[-1]))
    invited = re.search(r"/enrol/[\w-]+", list(admin.seen.values())[-1])
    assert invited is not None
    admin.get(invited[0])
    admin.post(f"/people/{person.id}/disabled", disabled="yes")
    admin.post("/audit/verify")
    admin.get("/audit?subject=nothing")

    ledger = desk.console.ledger
    waits = ledger.add("k", draft("file"), environment="test", actor="t", case_id=third)
    with ledger.decision(waits.id, [filings.FilingState.READY]) as change:
        change.stop(Statement("a reason in English"))
    lead.get("/reports")
    lead.get(f"/filings/{waits.id}")
    lead.post(f"/filings/{waits.id}/retract", reason="r")

    nobody = desk.client()
    walks = [walk.seen for walk in (lead, other, admin)]
    walks.append({"/sign-in": nobody.get("/sign-in", headers={"accept-language": "eo"}).text})
    left = {path: texts for seen in walks for path, page in seen.items() if (texts := unmarked(page))}
    assert left == {}
    english = {
        found for seen in walks for page in seen.values() for found in re.findall('lang="en"[^>]*>([^<]*)', page)
    }
    assert english == {"a reason in English", "r"}  # what somebody wrote; everything that a room said was translated
    language = desk.console.languages.chosen("eo")
    shown = {name for _, name in pages._environment(language).cache}
    assert shown >= {path.name for path in FOLDER.glob("templates/*.html")} - {"signed-in.html"}


def test_answers_to_our_own_scripts_are_in_the_language_of_the_page(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    headers = {"accept-language": "eo", "accept": "application/json", "x-csrf-token": somebody.csrf}
    answer = somebody.post("/reveals/none/end", headers=headers)
    assert answer.json()["detail"] == "⟦this reveal is over⟧"


def test_a_page_that_is_all_english_is_found(desk):
    page = desk.signed_in(Role.LEAD).get("/cases", headers={"accept-language": "en"}).text
    assert len(unmarked(page)) > 20


def test_a_plot_is_labelled_in_the_language_of_the_page(desk):
    somebody = desk.signed_in(Role.LEAD)
    plot = somebody.get("/statistics/waiting.svg", headers={"accept-language": "eo"}).content
    assert "⟦Cases that wait, by age⟧".encode() in plot


# --- catalogues of the operator


def test_a_catalogue_in_the_home_is_used_without_a_build_step(tmp_path):
    folder = tmp_path / "locale" / "nl" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "console.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=n != 1;"\n\n'
        'msgid "Sign in"\nmsgstr "Inloggen"\n',
        encoding="utf-8",
    )
    languages = Languages(tmp_path)
    dutch = languages.chosen("nl-BE,nl;q=0.9,en;q=0.5")
    assert (dutch.tag, dutch.translations.gettext("Sign in")) == ("nl", "Inloggen")
    assert dutch.number(1234567.5) == "1.234.567,5"
    for accepted in ("", "fr", "*", "en-GB", "x" * 5000, ";;,,"):
        assert languages.chosen(accepted).tag == "en"
    (folder / "console.po").write_text('msgid "broken\n')
    with pytest.raises(InputError, match="cannot be read"):
        Languages(tmp_path)
