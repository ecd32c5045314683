"""Checks of links and text: the same verdict and evidence as of an upload, and help for who searches."""

import json
from io import BytesIO

import pytest
from sqlalchemy import text as sql

from tutela.content.links.query_keys import MAX_SETS
from tutela.content.signals.registry import signal_type
from tutela.deployment.composition import Deployment
from tutela.errors import InputError
from tutela.lists.banks.files import Format
from tutela.lists.banks.model import Action, BankUse, EntryState, NewEntry, Policy
from tutela.lists.banks.transfer import Importer, export_list
from tutela.lists.banks.values import new_entry
from tutela.screening.check import CheckQuestion, Purpose
from tutela.screening.check.deterrence import Deterrences
from tutela.screening.check.service import MAX_TEXT
from tutela.screening.decision import Decision
from tutela.screening.verdict import Context


def list_links(deployment: Deployment, signal: str, *texts: str, bank: str = "links", **options) -> None:
    """List links of a type in a bank that blocks."""
    deployment.banks.create(bank, policy=Policy(Action.BLOCK), actor="test", **options)
    kind = signal_type(signal)
    deployment.banks.add(bank, [NewEntry(signal, kind.parse(text)) for text in texts], actor="test")
    deployment.refresh()


def decide(deployment: Deployment, text: str = "", *urls: str, purpose: Purpose = Purpose.POST) -> Decision:
    """The decision, which is the same where the question is answered at once."""
    question = CheckQuestion(text, urls, purpose)
    at_once = deployment.checker.check_at_once(question)
    decision = deployment.checker.check(question).verdict.decision
    assert at_once is None or at_once.verdict.decision is decision
    return decision


def test_a_listed_page_is_blocked_wherever_it_stands_and_no_other_page_is(deployment):
    list_links(deployment, "url", "example.org/listed?id=1", "example.org/")
    answer = deployment.checker.check(
        CheckQuestion("see hxxps://example[.]org/listed?id=1", ("https://example.net/",)), Context("post-7")
    )
    assert answer.verdict.decision is Decision.BLOCK
    assert not answer.deters
    (match,) = answer.verdict.matches
    assert (match.bank, match.signal, match.part) == ("links", "url", "character 5")
    assert deployment.journal.get(answer.verdict.id)["context"]["item"] == "post-7"
    for other in ("example.org/listed", "example.org/listed?id=2", "example.org/other", "sub.example.org/"):
        assert decide(deployment, f"see {other} there") is Decision.ALLOW, other
    assert decide(deployment, "", "http://EXAMPLE.org:80/#top") is Decision.BLOCK
    assert decide(deployment, "no link at all") is Decision.ALLOW


def test_a_page_listed_with_the_parameters_that_count_is_found_whatever_else_its_query_has(deployment):
    deployment.banks.create("links", policy=Policy(Action.BLOCK), actor="test")
    texts = ("Example.org/page?lang=en&id=1 keys=id", "example.net/?b=2&a=1 keys=b, a", "example.com/?id=7")
    hashed = new_entry("url", "example.org/hashed?v=9 keys=v").value.hex() + " keys=v"
    added = deployment.banks.add("links", [new_entry("url", text) for text in (*texts, hashed)], actor="test")
    deployment.refresh()
    found = ("org/page?id=1", "org/page?utm=x&id=1", "org/page?i%64=1&x", "net/?c&a=1&b=2&a=3", "org/hashed?q&v=9")
    for url in found:
        assert decide(deployment, "", f"http://example.{url}") is Decision.BLOCK, url
    assert decide(deployment, "http:\\\\example.org\\page?a&id=1") is Decision.BLOCK
    other = ("org/page", "org/page?id=2", "org/page?ID=1", "org/page?xid=1", "org/pages?id=1", "org/page?lang=en")
    for url in (*other, "com/?id=7&x", "net/?a=1", "net/?a=2&b=2"):
        assert decide(deployment, "", f"http://example.{url}") is Decision.ALLOW, url
    deployment.banks.set_state(added.entry_ids[0], EntryState.WITHDRAWN, reason="for the test", actor="test")
    deployment.refresh()
    assert ("id",) not in deployment.banks.query_keys
    assert decide(deployment, "", "http://example.org/page?id=1&x") is Decision.ALLOW


def test_parameters_that_count_come_back_from_an_exported_list(deployment):
    for bank in ("first", "second"):
        deployment.banks.create(bank, policy=Policy(Action.BLOCK), actor="test")
    text = b"example.org/page?id=1&lang=en keys=id\n"
    Importer(deployment.banks).import_stream(
        BytesIO(text), "first", actor="test", format=Format.TEXT, source="a", signal="url"
    )
    for format in Format:
        exported = "".join(export_list(deployment.banks, "first", format)).encode()
        done = Importer(deployment.banks).import_stream(
            BytesIO(exported), "second", actor="test", format=format, source=format.value, signal="url"
        )
        assert (done.added, done.rejected) == (1, 0), done.rejects
    assert {entry.keys for entry in deployment.banks.entries("second")} == {("id",)}


def test_lists_use_a_bounded_number_of_sets_of_parameters(deployment):
    deployment.banks.create("links", policy=Policy(Action.BLOCK), actor="test")
    entries = [new_entry("url", f"example.org/?k{number}=1 keys=k{number}") for number in range(MAX_SETS + 1)]
    deployment.banks.add("links", entries[:-1], actor="test")
    with pytest.raises(InputError, match="different sets"):
        deployment.banks.add("links", entries[-1:], actor="test")


def test_a_folder_and_a_domain_cover_what_is_below_them(deployment):
    list_links(deployment, "url-tree", "example.org/a/", bank="folders")
    list_links(deployment, "domain", "listed.example", bank="domains")
    assert decide(deployment, "", "https://example.org/a/b?c") is Decision.BLOCK
    assert decide(deployment, "", "https://example.org/ab") is Decision.ALLOW
    assert decide(deployment, "deep.sub.listed.example/x") is Decision.BLOCK
    assert decide(deployment, "unlisted.example") is Decision.ALLOW


def test_links_are_found_in_a_built_segment_and_after_a_change(deployment):
    list_links(deployment, "url", *(f"example.org/page{number}" for number in range(500)))
    assert deployment.indexes.build("url")
    assert decide(deployment, "", "example.org/page77") is Decision.BLOCK
    assert decide(deployment, "", "example.org/page500") is Decision.ALLOW
    kind = signal_type("url")
    deployment.banks.add("links", [NewEntry("url", kind.parse("example.org/page500"))], actor="test")
    deployment.refresh()
    assert decide(deployment, "", "example.org/page500") is Decision.BLOCK
    assert deployment.indexes.build("url")
    assert decide(deployment, "", "example.org/page500") is Decision.BLOCK
    assert decide(deployment, "", "example.org/page501") is Decision.ALLOW


def test_a_bank_counts_only_where_it_is_for(deployment):
    list_links(deployment, "domain", "names.example", bank="resolver", uses={BankUse.DNS})
    list_links(deployment, "domain", "searched.example", bank="search", uses={BankUse.SEARCH})
    assert decide(deployment, "names.example") is Decision.ALLOW
    assert decide(deployment, "searched.example") is Decision.ALLOW
    assert decide(deployment, "searched.example", purpose=Purpose.SEARCH) is Decision.BLOCK
    deployment.banks.update("resolver", uses={BankUse.DNS, BankUse.PLATFORM}, actor="test")
    deployment.refresh()
    assert decide(deployment, "names.example") is Decision.BLOCK


def test_a_search_deters_and_leaves_no_trace(deployment):
    list_links(deployment, "domain", "listed.example")
    answer = deployment.checker.check(CheckQuestion("listed.example", purpose=Purpose.SEARCH), Context("somebody"))
    assert answer.deters
    with deployment.store.read() as connection:
        for table in ("verdict", "case_item", "outbox"):
            assert connection.execute(sql(f"SELECT count(*) FROM {table}")).scalar_one() == 0, table


def test_what_was_not_read_whole_is_held(deployment):
    list_links(deployment, "domain", "listed.example")
    assert decide(deployment, "a" * MAX_TEXT + " listed.example") is Decision.HOLD
    assert decide(deployment, " ".join(f"host{number}.example" for number in range(2_100))) is Decision.HOLD
    with pytest.raises(InputError, match="nothing to check"):
        deployment.checker.check(CheckQuestion())


def test_help_is_of_the_country_and_the_operators_comes_first(tmp_path):
    (tmp_path / "help.toml").write_text('[[help]]\ncountry = "GB"\nname = "Ours"\nsite = "https://example.org/help"\n')
    shown = Deterrences(tmp_path).of(["de-AT", "en"], "gb")
    assert shown.language == "de"
    assert [help.name for help in shown.help][:2] == ["Ours", "Stop It Now, United Kingdom and Ireland"]
    assert Deterrences(None).of(["xx"], None).language == "en"
    assert all(help.country == "*" for help in Deterrences(None).of([], "ZZ").help)
    (tmp_path / "help.toml").write_text("[[help]]\nname = 1\n")
    with pytest.raises(InputError, match=r"help\.toml is not a file of help"):
        Deterrences(tmp_path)


def test_the_answer_names_no_list_to_a_searcher(deployment):
    list_links(deployment, "domain", "listed.example", bank="very-secret-list")
    shown = deployment.deterrences.of(["en"], "GB")
    assert "very-secret-list" not in json.dumps([shown.title, shown.text, *(help.name for help in shown.help)])


def test_a_listed_word_holds_and_never_blocks(deployment):
    deployment.banks.create("words", policy=Policy(Action.BLOCK), actor="test")
    kind = signal_type("keyword")
    entries = [NewEntry("keyword", kind.parse(term)) for term in ("recruiter", "code word + place - game")]
    deployment.banks.add("words", entries, actor="test")
    deployment.refresh()
    assert decide(deployment, "the r e c r u i t e r") is Decision.HOLD
    assert decide(deployment, "the code word for that place") is Decision.HOLD
    assert decide(deployment, "the code word of the game, at that place") is Decision.ALLOW
    assert deployment.indexes.build("keyword")
    assert decide(deployment, "the RECRUITER") is Decision.HOLD
    (entry,) = deployment.banks.find("keyword", kind.parse("recruiter"))
    deployment.banks.set_state(entry.id, EntryState.WITHDRAWN, reason="for the test", actor="test")
    deployment.refresh()
    assert decide(deployment, "the RECRUITER") is Decision.ALLOW


def test_a_text_known_as_a_whole_is_found_whatever_its_spacing(deployment):
    deployment.banks.create("texts", policy=Policy(Action.BLOCK), actor="test")
    deployment.banks.add("texts", [NewEntry("text", signal_type("text").parse("A text that goes round"))], actor="test")
    deployment.refresh()
    assert decide(deployment, "a TEXT  that goes round!") is Decision.BLOCK
    assert decide(deployment, "a text that goes round, and more") is Decision.ALLOW


@pytest.mark.parametrize(
    "host",
    [
        "g\u0430rdens.example",
        "xn--grdens-3nf.example",
        "g4rdens.example",
        "garclens.example",
        "\u0261ardens.example",
    ],
)
def test_a_host_that_looks_like_a_listed_one_is_said_and_never_blocks(deployment, host):
    list_links(deployment, "domain", "gardens.example", bank="domains")
    verdict = deployment.checker.check(CheckQuestion(f"see http://{host}/roses")).verdict
    expected = Decision.ALLOW if host == "g4rdens.example" else Decision.HOLD
    assert verdict.decision is expected, verdict.reasons
    assert all(reason.code == "looks-like" for reason in verdict.reasons)
    assert deployment.checker.check(CheckQuestion("see http://gardens.example/")).verdict.decision is Decision.BLOCK
    assert deployment.checker.check(CheckQuestion("see http://tulips.example/")).verdict.decision is Decision.ALLOW


def test_a_short_question_of_which_nothing_is_listed_is_answered_from_memory(deployment, monkeypatch):
    list_links(deployment, "domain", "listed.example")
    list_links(deployment, "keyword", "zilpzalp", bank="words")

    def asked(*_: object) -> None:
        raise AssertionError("the database was asked")

    for method in ("read", "write"):
        monkeypatch.setattr(deployment.store, method, asked)
    at_once = deployment.checker.check_at_once
    for purpose in Purpose:
        answer = at_once(CheckQuestion("see example[.]org/page there", ("https://example.net/",), purpose))
        assert answer is not None and not answer.deters
        assert (answer.verdict.decision, answer.verdict.matches) == (Decision.ALLOW, ())
    slower = {
        "a link that is listed": CheckQuestion("", ("https://www.listed.example/",)),
        "a link in the text": CheckQuestion("see www[.]listed[.]example"),
        "what looks like it": CheckQuestion("", ("https://1isted.example/",)),
        "a listed word": CheckQuestion("hear the zilpzalp"),
        "a long text": CheckQuestion("word " * 200),
        "many links": CheckQuestion("", ("https://example.org/",) * 50),
        "nothing": CheckQuestion(),
    }
    for name, question in slower.items():
        assert at_once(question) is None, name
    monkeypatch.setattr(deployment.screener, "_lists_age_s", lambda: 3600.0)
    assert at_once(CheckQuestion("", ("https://example.org/",))) is None, "old lists say nothing of it"
