"""Lists of links and words from outside: files, feeds and other systems' types, and what keeps a broken one out."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.standins.server import served
from tests.support.standins.threatexchange import ThreatExchangeStandIn
from tests.support.stores import new_store
from tutela.content.links.link import DOMAIN, URL
from tutela.content.signals.registry import signal_type
from tutela.errors import InvalidSignalError
from tutela.foundation.store.database import Store
from tutela.lists.banks.files import Format, read_list
from tutela.lists.banks.foreign import read_foreign
from tutela.lists.banks.growth import GrownError
from tutela.lists.banks.lines import BadLine
from tutela.lists.banks.model import BankUse
from tutela.lists.banks.service import Banks
from tutela.lists.banks.shared_hosts import SharedHosts
from tutela.lists.banks.transfer import Importer
from tutela.lists.exchanges.puller import Puller, PullResult
from tutela.lists.exchanges.service import Exchanges

TOKEN = "1234|secret"


@pytest.fixture
def exchanges(tmp_path: Path) -> Iterator[Exchanges]:
    store = Store.open(new_store(tmp_path / "tutela.db"))
    banks = Banks(store, tmp_path)
    banks.create("edge", uses={BankUse.DNS, BankUse.PROXY}, actor="test")
    banks.create("posts", actor="test")
    yield Exchanges(banks)
    store.close()


def clear(exchanges: Exchanges, signal: str, use: BankUse = BankUse.PROXY) -> set[str]:
    exchanges.banks.refresh()
    return {text for _, _, text in exchanges.banks.names_in_clear(signal, use)}


def pull(exchanges: Exchanges, name: str, **accepted: Any) -> PullResult:
    return Puller(exchanges).pull(name, actor="test", **accepted)


def follow(exchanges: Exchanges, path: Path, bank: str = "edge", **options: str) -> None:
    exchanges.add("list", "files", bank, {"path": str(path), **options}, actor="test")


def test_a_file_of_pages_folders_domains_and_words_keeps_what_resolvers_and_proxies_need(exchanges, tmp_path):
    path = tmp_path / "list.csv"
    lines = ["type,value,label", "url,https://Example.org/a?b=1,", "url-tree,example.org/folder/,"]
    lines += ["domain,Bücher.example,", "keyword,Code Word + place,", "url,http://,"]
    path.write_text("\n".join(lines) + "\n")
    follow(exchanges, path)
    result = pull(exchanges, "list")
    assert (result.listed, result.rejected) == (4, 1)
    assert clear(exchanges, URL) == {"example.org/a?b=1"}
    assert clear(exchanges, "url-tree") == {"example.org/folder/"}
    assert clear(exchanges, DOMAIN, BankUse.DNS) == {"xn--bcher-kva.example"}
    path.write_text("\n".join(lines[:2]) + "\n")
    pull(exchanges, "list")
    assert clear(exchanges, DOMAIN, BankUse.DNS) == set(), "what the list no longer names is gone"


@pytest.mark.slow
def test_a_list_that_grew_tenfold_is_not_applied_until_a_person_says_so(exchanges, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("".join(f"example.org/{number}\n" for number in range(500)))
    follow(exchanges, path, signal="url")
    pull(exchanges, "list")
    path.write_text("".join(f"example.org/{number}\n" for number in range(550)))
    pull(exchanges, "list")
    path.write_text("".join(f"example.org/{number}\n" for number in range(5_500)))
    with pytest.raises(GrownError, match="accept-growth"):
        pull(exchanges, "list")
    assert len(clear(exchanges, URL)) == 550
    pull(exchanges, "list", accept_growth=True)
    assert len(clear(exchanges, URL)) == 5_500


def test_a_list_that_turned_pages_into_domains_is_not_applied(exchanges, tmp_path):
    path = tmp_path / "list.csv"
    pages = "".join(f"url,host{number}.example/page\n" for number in range(50))
    path.write_text("type,value\n" + pages)
    follow(exchanges, path)
    pull(exchanges, "list")
    path.write_text("type,value\n" + pages + "domain,host1.example\n")
    pull(exchanges, "list")
    assert clear(exchanges, DOMAIN) == {"host1.example"}, "one that turned out to be dedicated is believed"
    path.write_text("type,value\n" + "".join(f"domain,host{number}.example\n" for number in range(50)))
    with pytest.raises(GrownError, match="domains of which it named pages"):
        pull(exchanges, "list")
    assert clear(exchanges, DOMAIN) == {"host1.example"} and len(clear(exchanges, URL)) == 50


def import_text(exchanges, text: str, *, bank: str = "edge", **more):
    """Import a CSV of links as the command line and the API do, from a file of a new name each time."""
    stream = BytesIO(f"type,value\n{text}".encode())
    return Importer(exchanges.banks).import_stream(
        stream, bank, actor="test", format=Format.CSV, source=f"file of {len(text)} letters", **more
    )


def test_an_import_that_grew_or_widened_as_no_list_does_is_not_applied_until_a_person_says_so(exchanges):
    pages = "".join(f"url,host{number}.example/page\n" for number in range(500))
    assert import_text(exchanges, pages).added == 500, "the first list of a bank is believed"
    assert import_text(exchanges, pages + "domain,host1.example\n").added == 501
    grown = "".join(f"url,host{number}.example/other\n" for number in range(5_000))
    with pytest.raises(GrownError, match="accept-growth"):
        import_text(exchanges, grown)
    assert clear(exchanges, URL) == {f"host{number}.example/page" for number in range(500)}
    with pytest.raises(GrownError, match="domains of which it named pages"):
        import_text(exchanges, "".join(f"domain,host{number}.example\n" for number in range(50)))
    assert clear(exchanges, DOMAIN) == {"host1.example"}
    assert import_text(exchanges, grown, accept_growth=True).added == 5_000


def test_a_first_import_that_was_killed_is_taken_up_whole(exchanges, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("".join(f"example.org/{number}\n" for number in range(1_000)))

    def killed(result, position):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Importer(exchanges.banks).import_file(path, "edge", actor="test", signal=URL, batch=200, on_progress=killed)
    assert Importer(exchanges.banks).import_file(path, "edge", actor="test", signal=URL).added == 1_000
    with pytest.raises(GrownError):
        path.write_text("".join(f"example.org/{number}\n" for number in range(1_000, 2_000)))
        Importer(exchanges.banks).import_file(path, "edge", actor="test", signal=URL)
    with pytest.raises(GrownError):  # a part of it is no list that was cut off: what is new in all counts
        Importer(exchanges.banks).import_file(path, "edge", actor="test", signal=URL)


def test_a_list_for_posts_may_grow_as_it_likes(exchanges, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("example.org/\n")
    follow(exchanges, path, "posts", signal="url")
    pull(exchanges, "list")
    path.write_text("".join(f"example.org/{number}\n" for number in range(500)))
    assert pull(exchanges, "list").listed == 500


def test_lists_of_hma_are_imported_as_what_they_mean_here():
    query = {"and": [{"or": ["alpha", "beta"]}, {"or": ["gamma"]}], "not": ["delta"]}
    rows = [
        {"type": "url", "value": "https://example.org/page"},
        {"type": "raw_text", "value": "a text that somebody sent to many"},
        {"type": "trend_query", "value": json.dumps(query)},
        {"type": "trend_query", "value": json.dumps({"and": [{"or": ["regex-/a+/"]}], "not": []})},
        {"type": "tlsh", "value": "T1" + "0" * 70},
        {"type": "url_md5", "value": "0" * 32},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    read = list(read_list(BytesIO(text), format=Format.JSONL, source="hma"))
    entries = [item[1] for item in read if isinstance(item, tuple)]
    found = [(entry.signal, signal_type(entry.signal).format(entry.value)) for entry in entries]
    assert [signal for signal, _ in found] == ["url", "text", "keyword", "keyword"]
    assert [term for signal, term in found if signal == "keyword"] == ["alpha + gamma - delta", "beta + gamma - delta"]
    bad = {item.line: item.reason for item in read if isinstance(item, BadLine)}
    assert set(bad) == {4, 5, 6}
    assert "regular expressions" in bad[4] and "TLSH" in bad[5] and "MD5" in bad[6]


def test_a_trend_query_that_is_none_is_said_to_be():
    for wrong in ("{", "[]", '{"and": []}', '{"and": [{"or": []}]}', '{"and": [{"or": ["a + b"]}]}', '{"and": 1}'):
        with pytest.raises(InvalidSignalError):
            read_foreign("trend_query", wrong)
    many = {"and": [{"or": [f"word{number}" for number in range(10)]}] * 3}
    with pytest.raises(InvalidSignalError, match="1,000 choices"):
        read_foreign("trend_query", json.dumps(many))


def test_threatexchange_carries_links_and_words(exchanges, monkeypatch):
    monkeypatch.setenv("TOKEN", TOKEN)
    service = ThreatExchangeStandIn()
    service.token = TOKEN
    service.put(1, "URI", "https://example.org/page", 1_700_000_000)
    service.put(2, "DOMAIN", "listed.example", 1_700_000_001)
    service.put(3, "TREND_QUERY", json.dumps({"and": [{"or": ["alpha"]}], "not": ["beta"]}), 1_700_000_002)
    service.put(4, "HASH_TEXT_TLSH", "T1" + "0" * 70, 1_700_000_003)
    with served(service.app()) as address:
        options = {"token": "env:TOKEN", "privacy_group": service.group, "url": f"{address}/v26.0"}
        options["types"] = "URI,DOMAIN,TREND_QUERY,HASH_TEXT_TLSH"
        exchanges.add("te", "threatexchange", "edge", options, actor="test")
        pull(exchanges, "te")
    assert clear(exchanges, URL) == {"example.org/page"}
    assert clear(exchanges, DOMAIN, BankUse.DNS) == {"listed.example"}
    signals = sorted(entry.signal for entry in exchanges.banks.entries("edge"))
    assert signals == ["domain", "keyword", "url"]


LABELS = st.lists(st.sampled_from(["a", "b", "ab", "example"]), min_size=1, max_size=4).map(".".join)


@given(st.frozensets(LABELS, max_size=6), LABELS)
def test_a_shared_host_is_touched_from_above_and_from_below(names, host):
    shared = SharedHosts(names)
    assert shared.covers(host) == any(f".{host}".endswith(f".{name}") for name in names)
    assert shared.within(host) == any(f".{name}".endswith(f".{host}") for name in names)
    assert shared.touched_by(host) == (shared.covers(host) or shared.within(host))
