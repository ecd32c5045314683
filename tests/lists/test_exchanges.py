"""Exchanges: a bank stays equal to its outside list, whatever happens to the service, the wire or us."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from threatexchange.exchanges.clients.ncmec.hash_api import NCMECEnvironment, NCMECHashAPI

from tests.support.exchange_tools import QUICK, T0, expected, exported, filled, listed, ncmec_entry, opened, puller
from tests.support.standins.ncmec import NcmecEntry
from tests.support.standins.server import Fault, Faulty, served
from tests.support.stores import new_store
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.errors import InputError
from tutela.foundation.http import HttpError, RefusedError
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import EntryState
from tutela.lists.exchanges.base import ExchangeError, Listing, Page
from tutela.lists.exchanges.prefetch import Batch, read_ahead
from tutela.lists.exchanges.puller import Puller
from tutela.lists.exchanges.service import Exchanges

pytestmark = pytest.mark.slow


@pytest.fixture
def exchanges(store: Store, database: str) -> Iterator[Exchanges]:
    with opened(database) as exchanges:
        yield exchanges


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Exchanges]:
    with opened(new_store(tmp_path / "test.db")) as exchanges:
        yield exchanges


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCMEC_USER", "esp")
    monkeypatch.setenv("NCMEC_PASSWORD", "right-password")


def add_ncmec(exchanges: Exchanges, address: str, name: str = "ncmec", **options: str) -> None:
    given = {"user": "env:NCMEC_USER", "password": "env:NCMEC_PASSWORD", "url": f"{address}/hashsharing"}
    exchanges.add(name, "ncmec", "known", {**given, **options}, actor="test")


# --- NCMEC


def test_a_bank_becomes_equal_to_the_list_and_follows_every_change(exchanges):
    service = filled(2500, page_size=200)
    with served(service.app()) as address:
        add_ncmec(exchanges, address)
        first = puller(exchanges).pull("ncmec", actor="test")
        assert listed(exchanges) == expected(service.current())
        assert first.listed == 2500
        rng, now = random.Random(5), int(time.time()) - 60
        for number in rng.sample(range(2500), 60):
            entry = ncmec_entry(number)
            match number % 4:
                case 0:
                    service.delete(entry, now)
                case 1:
                    service.put(replace(entry, at=now, classification="B2"))
                case 2:
                    service.put(replace(entry, at=now, fingerprints=entry.fingerprints[:1]))
                case 3:
                    service.put(replace(ncmec_entry(number, at=now, seed="other"), member=entry.member))
        for number in range(5000, 5030):
            service.put(ncmec_entry(number, at=now))
        second = puller(exchanges).pull("ncmec", actor="test")
        assert listed(exchanges) == expected(service.current())
        assert second.pages <= 2, "only the changes are read again"
        row = exchanges.get("ncmec")
        assert row.listed == len(service.current())
        assert row.error is None and row.failures == 0


def test_a_deleted_entry_counts_again_when_it_is_listed_again(exchanges):
    service, now = filled(10), int(time.time())
    with served(service.app()) as address:
        add_ncmec(exchanges, address)
        puller(exchanges).pull("ncmec", actor="test")
        service.delete(ncmec_entry(3), now - 50)
        puller(exchanges).pull("ncmec", actor="test")
        assert listed(exchanges) == expected(service.current())
        assert len(service.current()) == 9
        service.put(replace(ncmec_entry(3), at=now - 40))
        puller(exchanges).pull("ncmec", actor="test")
        assert listed(exchanges) == expected(service.current())
        assert exchanges.get("ncmec").listed == 10


def test_pulling_everything_again_leaves_the_bank_byte_for_byte_as_it_is(exchanges):
    service = filled(700, page_size=100)
    with served(service.app()) as address:
        add_ncmec(exchanges, address)
        puller(exchanges).pull("ncmec", actor="test")
        for number in range(20):
            service.delete(ncmec_entry(number), int(time.time()) - 60)
        puller(exchanges).pull("ncmec", actor="test")
        before = exported(exchanges)
        again = puller(exchanges).pull("ncmec", actor="test", full=True)
        assert exported(exchanges) == before
        assert (again.listed, again.changed, again.withdrawn) == (0, 0, 0)


def test_what_the_service_forgot_to_withdraw_goes_when_everything_is_pulled_again(sqlite):
    service = filled(100)
    with served(service.app()) as address:
        add_ncmec(sqlite, address)
        puller(sqlite).pull("ncmec", actor="test")
        for number in range(5):
            entry = ncmec_entry(number)
            del service.entries[(entry.member, entry.id)]
        puller(sqlite).pull("ncmec", actor="test")
        assert sqlite.get("ncmec").listed == 100
        puller(sqlite).pull("ncmec", actor="test", full=True)
        assert listed(sqlite) == expected(service.current())


@pytest.mark.slow
def test_an_entry_that_moves_while_the_whole_list_is_read_is_not_taken_for_gone(sqlite):
    service, moved = filled(200, page_size=20), []
    with served(service.app()) as address:
        add_ncmec(sqlite, address)
        puller(sqlite).pull("ncmec", actor="test")
        gone = ncmec_entry(5)
        del service.entries[(gone.member, gone.id)]

        def move(_) -> None:
            if not moved:  # from a range that is not read yet to a time after the last one
                latest = max(service.entries.values(), key=lambda entry: entry.at)
                moved.append(latest)
                service.put(replace(latest, at=int(time.time())))

        patient = Puller(sqlite, patience=QUICK)
        patient.pull("ncmec", actor="test", full=True, on_page=move)
        assert {reference for reference, *_ in listed(sqlite)} >= {f"{moved[0].member}/{moved[0].id}", key_of(gone)}
        patient.pull("ncmec", actor="test")
        assert key_of(gone) in {reference for reference, *_ in listed(sqlite)}, "it is too early to know"
        with sqlite.store.write() as connection:
            connection.execute(text("UPDATE exchange SET sweep_at = 1"))
        sqlite.update("ncmec", options={"settle_s": "0"})
        # Its clock tells whole seconds: the one to which the entry moved must be over by it.
        over = service.entries[(moved[0].member, moved[0].id)].at + 3
        wait_until(lambda: time.time() >= over, "the second after the move")
        patient.pull("ncmec", actor="test")
        assert listed(sqlite) == expected(service.current())


def key_of(entry: NcmecEntry) -> str:
    return f"{entry.member}/{entry.id}"


def test_fingerprints_of_unknown_types_are_kept_and_shown(sqlite):
    service = filled(21)
    with served(service.app()) as address:
        add_ncmec(sqlite, address)
        puller(sqlite).pull("ncmec", actor="test")
    assert sqlite.unknown_fingerprints("ncmec") == {"netclean": 3}


def test_what_the_operator_disabled_stays_disabled_whatever_the_list_does(exchanges):
    service, now = filled(3), int(time.time())
    with served(service.app()) as address:
        add_ncmec(exchanges, address)
        puller(exchanges).pull("ncmec", actor="test")
        entry = exchanges.banks.entries("known")[0]
        number = int(entry.reference.rpartition("-")[2])
        exchanges.banks.set_state(entry.id, EntryState.DISABLED, reason="a false match", actor="operator")
        service.delete(ncmec_entry(number), now - 50)
        puller(exchanges).pull("ncmec", actor="test")
        service.put(replace(ncmec_entry(number), at=now - 40))
        puller(exchanges).pull("ncmec", actor="test")
        puller(exchanges).pull("ncmec", actor="test", full=True)
        assert exchanges.banks.entry(entry.id).state is EntryState.DISABLED


def test_the_independent_client_sees_what_we_see(sqlite, monkeypatch):
    service = filled(350, page_size=50)
    service.delete(ncmec_entry(7), T0 + 100)
    with served(service.app()) as address:
        client = NCMECHashAPI("esp", "right-password", NCMECEnvironment.test_Industry)
        monkeypatch.setattr(client, "_base_url", f"{address}/hashsharing")
        assert client.status().esp_name == "A service"
        seen = {}
        for page in client.get_entries_iter(start_timestamp=1, end_timestamp=int(time.time())):
            seen |= {f"{update.member_id}/{update.id}": update for update in page.updates}
        add_ncmec(sqlite, address)
        puller(sqlite).pull("ncmec", actor="test")
        assert {key for key, update in seen.items() if update.deleted} == {f"{ncmec_entry(7).member}/entry-7"}
        theirs = {
            key: NcmecEntry(u.member_id, u.id, 0, u.entry_type.value, u.classification, tuple(u.fingerprints.items()))
            for key, u in seen.items()
            if not u.deleted
        }
        assert listed(sqlite) == expected(theirs)
        assert len(theirs) == 349


def test_wrong_credentials_are_said_once_and_not_tried_again(sqlite, monkeypatch):
    service = filled(1)
    monkeypatch.setenv("NCMEC_PASSWORD", "wrong-password")
    with served(service.app()) as address:
        add_ncmec(sqlite, address)
        with pytest.raises(RefusedError, match="credentials") as error:
            puller(sqlite).pull("ncmec", actor="test")
    assert len(service.requests) == 1
    row = sqlite.get("ncmec")
    assert row.failures == 1
    assert "wrong-password" not in f"{error.value}{row.error}{row}"


def test_a_secret_in_clear_is_not_taken(sqlite):
    with pytest.raises(InputError, match="env:NAME") as error:
        sqlite.add("ncmec", "ncmec", "known", {"user": "esp", "password": "hunter2"}, actor="test")
    assert "hunter2" not in str(error.value)


def test_a_page_that_is_no_longer_known_makes_the_range_begin_anew(sqlite):
    service = filled(600, page_size=100)
    cut_after = iter([None] * 4)

    def next_fault(path: str) -> Fault | None:
        return next(cut_after, Fault.CUT)

    with served(Faulty(service.app(), next_fault)) as address, pytest.raises(HttpError):
        add_ncmec(sqlite, address, range_days="5000")
        puller(sqlite).pull("ncmec", actor="test")
    applied = sqlite.get("ncmec")
    assert applied.checkpoint is not None and 0 < applied.listed < 600
    service.forget_pages()
    with served(service.app()) as address:
        sqlite.update("ncmec", options={"url": f"{address}/hashsharing"})
        puller(sqlite).pull("ncmec", actor="test")
    assert listed(sqlite) == expected(service.current())


@pytest.mark.slow
@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_of_ours_that_is_wrong_loses_nothing(sqlite, monkeypatch, hours):
    service, real = filled(20), time.time
    monkeypatch.setattr("tutela.lists.exchanges.ncmec.time", SimpleNamespace(time=lambda: real() + 3600 * hours))
    with served(service.app()) as address:
        add_ncmec(sqlite, address, settle_s="1", overlap_s="5")
        puller(sqlite).pull("ncmec", actor="test")
        service.put(ncmec_entry(100, at=int(real())))
        time.sleep(2.5)
        puller(sqlite).pull("ncmec", actor="test")
    assert listed(sqlite) == expected(service.current())


@pytest.mark.slow
@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_on_the_wire_never_makes_the_bank_differ(sqlite, fault):
    service = filled(450, page_size=50, repeats_pages=True)
    rng = random.Random(fault.value)

    def next_fault(path: str) -> Fault | None:
        return fault if rng.random() < (0.08 if fault is Fault.DRIP else 0.3) else None

    with served(Faulty(service.app(), next_fault)) as address:
        add_ncmec(sqlite, address, range_days="1500")
        for _ in range(60):
            try:
                puller(sqlite).pull("ncmec", actor="test")
                break
            except (HttpError, ExchangeError):
                pass
        else:
            pytest.fail("the pull never came through")
    with served(service.app()) as address:
        sqlite.update("ncmec", options={"url": f"{address}/hashsharing"})
        puller(sqlite).pull("ncmec", actor="test")
    assert listed(sqlite) == expected(service.current())


# --- pages that came meanwhile


def page(number: int, listings: int = 10, **options) -> Page:
    found = [Listing("", f"{number}-{place}") for place in range(listings)]
    return Page(found, str(number), **{"final": False, "rejected": 1, **options})


def read_at_leisure(pages: list[Page], together: int) -> list[Batch]:
    """What is given out to a reader who begins when all pages wait."""
    fetched = threading.Event()

    def fetch() -> Iterator[Page]:
        yield from pages
        fetched.set()

    batches = read_ahead(fetch(), together)
    found = [next(batches)]
    assert fetched.wait(PATIENCE_S)
    return [*found, *batches]


def test_pages_that_wait_are_joined_with_the_checkpoint_of_the_last():
    pages = [page(number, final=number == 4) for number in range(5)]
    batches = read_at_leisure(pages, 30)
    assert sum(batch.pages for batch in batches) == 5
    assert all(len(batch.page.listings) <= 30 for batch in batches)
    ends = list(itertools.accumulate(batch.pages for batch in batches))
    assert [batch.page.checkpoint for batch in batches] == [str(end - 1) for end in ends]
    assert [batch.page.rejected for batch in batches] == [batch.pages for batch in batches]
    assert [batch.page.final for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert [item for batch in batches for item in batch.page.listings] == [i for one in pages for i in one.listings]
    assert batches[-1].pages > 1, "what waited was joined"


def test_a_page_is_never_split_and_the_beginning_of_a_whole_list_is_never_joined_to_what_was_before():
    assert [batch.pages for batch in read_at_leisure([page(0, 50), page(1, 50, final=True)], 30)] == [1, 1]
    batches = read_at_leisure([page(0), page(1), page(2, begins=True), page(3, final=True)], 1000)
    (beginning,) = [batch for batch in batches if batch.page.begins]
    assert beginning.page.listings[0].id == "2-0"


def test_what_fetching_raises_is_raised_after_all_that_was_fetched():
    def fetch() -> Iterator[Page]:
        yield page(0)
        yield page(1)
        raise ExchangeError("cut")

    found: list[Listing] = []
    with pytest.raises(ExchangeError, match="cut"):
        for batch in read_ahead(fetch(), 1000):
            found += batch.page.listings
    assert len(found) == 20
