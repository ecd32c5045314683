"""Takedown notices: registered once, told to the platform, alarms by the clock, answered, and in the audit log."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from tests.support.held_items import a_held_verdict
from tutela.casework.cases.addresses import plain_address
from tutela.casework.cases.custody import Custody
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import Recipients, new_identity
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.notices import NewTarget, Notices, NoticeState, TargetOutcome, read_clock
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.outbox.webhooks import Endpoint, Webhooks
from tutela.foundation.store.database import Store
from tutela.foundation.store.evidence_tables import audit
from tutela.foundation.store.outbox_tables import outbox
from tutela.foundation.store.tables import metadata, verdict
from tutela.screening.verdict import ContentHash, Context

WEBHOOKS = Webhooks([Endpoint("platform", "https://platform.example/hook", [b"x" * 32])])
SHA256 = "ab" * 32
URL = NewTarget("url", "https://example.test/p/1")


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 8, tzinfo=UTC)

    def __call__(self) -> int:
        return int(self.at.timestamp() * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notices(store: Store, clock: Clock) -> Notices:
    return Notices(store, WEBHOOKS, clock)


def told(store: Store) -> list[str]:
    with store.read() as connection:
        return [row.payload["type"] for row in connection.execute(select(outbox).order_by(outbox.c.id))]


def actions(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(audit.c.action).order_by(audit.c.sequence)).scalars())


def registered(notices: Notices, *targets: NewTarget, within: timedelta = timedelta(hours=24), reference: str = "R-1"):
    return notices.register("Authority", reference, targets or [URL], within=within, law="a law", actor="me")


def test_a_notice_is_registered_once_and_the_platform_is_told(store, notices, clock):
    first = registered(notices, URL, NewTarget("item", "item-1"), NewTarget("sha256", SHA256.upper()))
    assert first.state is NoticeState.OPEN
    assert first.due_at == clock.at + timedelta(hours=24)
    assert [target.value for target in first.targets] == ["https://example.test/p/1", "item-1", SHA256]
    clock.at += timedelta(hours=1)
    assert registered(notices, NewTarget("item", "other")) == first
    assert told(store) == ["notice.received"]
    with store.read() as connection:
        payload = connection.execute(select(outbox.c.payload)).scalar_one()
    assert payload["data"]["targets"][1] == {"kind": "item", "value": "item-1"}
    assert actions(store) == ["notice.received"]


def test_the_clock_runs_from_when_the_notice_came(notices, clock):
    came = clock.at - timedelta(minutes=50)
    found = notices.register("A", "1", [URL], within=timedelta(hours=1), received_at=came, actor="me")
    assert found.due_at == clock.at + timedelta(minutes=10)
    with pytest.raises(InputError, match="future"):
        notices.register(
            "A", "2", [URL], within=timedelta(hours=1), received_at=clock.at + timedelta(seconds=9), actor="me"
        )


def test_an_open_notice_is_an_alarm_at_half_its_time_later_and_every_hour_when_late(store, notices, clock):
    registered(notices, within=timedelta(hours=4))
    assert notices.escalate() == []
    seen = []
    for _ in range(7 * 4):
        clock.at += timedelta(minutes=15)
        seen += [(clock.at.strftime("%H:%M"), notice.alarms) for notice in notices.escalate()]
        assert notices.escalate() == [], "each alarm is told once"
    assert seen == [("10:00", 1), ("11:00", 2), ("12:00", 3), ("13:00", 4), ("14:00", 5), ("15:00", 6)]
    assert told(store) == ["notice.received", *["notice.due"] * 2, *["notice.late"] * 4]
    assert actions(store).count("notice.alarm") == 6


def test_alarms_that_were_missed_are_told_once(store, notices, clock):
    registered(notices, within=timedelta(hours=1))
    clock.at += timedelta(days=3)
    assert len(notices.escalate()) == 1
    assert told(store) == ["notice.received", "notice.late"]


def test_a_notice_is_answered_target_by_target(store, notices, clock):
    found = registered(notices, URL, NewTarget("item", "item-1"))
    clock.at += timedelta(hours=2)
    partly = notices.answer(found.id, {0: TargetOutcome.REMOVED}, actor="me")
    assert partly.state is NoticeState.OPEN
    done = notices.answer(found.id, {1: TargetOutcome.NOT_FOUND}, text="never seen", actor="me")
    assert done.state is NoticeState.ANSWERED
    assert done.answered_at == clock.at
    assert not done.late
    assert [target.outcome for target in done.targets] == [TargetOutcome.REMOVED, TargetOutcome.NOT_FOUND]
    clock.at += timedelta(days=2)
    assert notices.escalate() == []
    with pytest.raises(ConflictError):
        notices.answer(found.id, {0: TargetOutcome.REMOVED}, actor="me")
    assert actions(store) == ["notice.received", "notice.partly-answered", "notice.answered"]


def test_an_answer_after_its_time_is_late(notices, clock):
    found = registered(notices, within=timedelta(hours=1))
    clock.at += timedelta(hours=1, seconds=1)
    assert notices.answer(found.id, {0: TargetOutcome.REMOVED}, actor="me").late


def test_what_stays_up_needs_a_reason(notices):
    found = registered(notices)
    with pytest.raises(InputError, match="reason"):
        notices.answer(found.id, {0: TargetOutcome.REFUSED}, actor="me")
    with pytest.raises(InputError, match="no target 7"):
        notices.answer(found.id, {7: TargetOutcome.REMOVED}, actor="me")
    assert notices.get(found.id).targets[0].outcome is None
    assert notices.answer(found.id, {0: TargetOutcome.REFUSED}, text="not ours", actor="me").answer == "not ours"


def test_a_notice_may_be_withdrawn(notices, clock):
    found = registered(notices)
    with pytest.raises(InputError):
        notices.withdraw(found.id, reason=" ", actor="me")
    assert notices.withdraw(found.id, reason="they say so", actor="me").state is NoticeState.WITHDRAWN
    clock.at += timedelta(days=2)
    assert notices.escalate() == []


def test_a_notice_finds_what_was_screened(store, notices):
    with store.write() as connection:
        connection.execute(insert(verdict).values(id="v1", at=1, decision="block", content_sha256=SHA256, document={}))
    found = registered(notices, NewTarget("sha256", SHA256), NewTarget("sha256", "cd" * 32), URL)
    assert [(one.position, one.verdict_id) for one in notices.matches(found.id)] == [(0, "v1")]


@pytest.fixture
def custody(store: Store, tmp_path: Path) -> Custody:
    """Where held content goes."""
    vault = Vault(store, Objects(f"file://{tmp_path / 'evidence'}"), Recipients([new_identity()[1]]))
    return Custody(store, vault, Cases(store))


def held(custody: Custody, item: str, *, url: str = "", pdq: str = "", md5: str = "") -> None:
    hashes = [ContentHash("pdq", pdq, "whole", 100)] if pdq else []
    hashes += [ContentHash("md5", md5, "whole", None)] if md5 else []
    context = Context(item, {"url": url} if url else {})
    custody.keep(b"content", replace(a_held_verdict(item, "u"), context=context, hashes=tuple(hashes)))


def meant(notices: Notices, *targets: NewTarget) -> list[tuple[int, str | None, int]]:
    found = registered(notices, *targets, reference=os.urandom(4).hex())
    return [(one.position, one.item, one.distance) for one in notices.matches(found.id)]


PDQ = "0f" * 32
NEAR = "f0" + PDQ[2:]
FAR = PDQ[:48] + "f0" * 8


def test_a_notice_finds_held_content_by_address_digest_and_nearly_the_same_picture(notices, custody):
    assert meant(notices, NewTarget("url", "https://photos.example/p/1")) == []
    held(custody, "one", url="https://photos.example/p/1", pdq=PDQ, md5="ab" * 16)
    held(custody, "two", url="https://photos.example/p/2?id=7", pdq=NEAR)
    held(custody, "none")
    assert meant(notices, NewTarget("url", "http://www.Photos.example:80/x/../p/1/#top")) == [(0, "one", 0)]
    assert meant(notices, NewTarget("url", "https://photos.example/p/2?id=7&utm_source=m")) == [(0, "two", 0)]
    assert meant(notices, NewTarget("url", "https://photos.example/p/2"), NewTarget("url", "https://[")) == []
    assert meant(notices, NewTarget("md5", "AB" * 16), NewTarget("item", "two")) == [(0, "one", 0), (1, "two", 0)]
    assert meant(notices, NewTarget("pdq", NEAR)) == [(0, "two", 0), (0, "one", 8)]
    assert meant(notices, NewTarget("pdq", FAR)) == []
    assert meant(notices, NewTarget("photodna", ",".join(["1"] * 144))) == []


def test_what_the_platform_called_an_address_is_in_no_row(store, custody):
    held(custody, "one", url="https://photos.example/someones-name")
    with store.read() as connection:
        rows = [str(row) for table in metadata.sorted_tables for row in connection.execute(select(table))]
    assert not [row for row in rows if "photos.example" in row]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("https://Example.TEST", "example.test"),
        ("http://www.example.test:80/", "example.test"),
        ("https://example.test:8443/a//b/./c/../d/", "example.test:8443/a/b/d"),
        ("https://someone:word@example.test/%7euser/%C3%A9", "example.test/~user/%C3%A9"),
        ("https://example.test/~user/é", "example.test/~user/%C3%A9"),
        ("https://bücher.example/a b", "xn--bcher-kva.example/a%20b"),
        ("https://example.test/p?id=2&a=%20&b", "example.test/p?id=2&a=+&b="),
        ("https://example.test/p?utm_medium=x&fbclid=y#z", "example.test/p"),
        ("https://example.test/../../p", "example.test/p"),
        ("ftp://example.test/p", None),
        ("https:///p", None),
        ("https://[::1", None),
        ("https://example.test:port/", None),
        ("", None),
    ],
)
def test_an_address_has_one_plain_form(text, plain):
    assert plain_address(text) == plain


@given(st.text())
def test_any_text_has_a_plain_form_or_none_and_it_is_stable(text):
    plain = plain_address(f"https://example.test/{text}")
    assert plain is None or plain_address(f"https://{plain}") == plain
    plain_address(text)


@pytest.mark.parametrize(
    "target",
    [
        NewTarget("url", "javascript:alert(1)"), NewTarget("url", ""), NewTarget("item", " "), NewTarget("sha256", "x"),
        NewTarget("colour", "red"), NewTarget("item", "a\x00"), NewTarget("item", "x" * 2001),
    ],
)  # fmt: skip
def test_a_target_that_names_nothing_is_refused(notices, target):
    with pytest.raises(InputError):
        registered(notices, target)
    assert notices.all() == []


def test_what_makes_no_notice_is_refused(notices):
    for authority, reference, within, targets in (
        ("", "1", timedelta(hours=1), [URL]),
        ("A", " ", timedelta(hours=1), [URL]),
        ("A", "1", timedelta(seconds=1), [URL]),
        ("A", "1", timedelta(days=400), [URL]),
        ("A", "1", timedelta(hours=1), []),
        ("A", "1", timedelta(hours=1), [URL] * 501),
    ):
        with pytest.raises(InputError):
            notices.register(authority, reference, targets, within=within, actor="me")
    with pytest.raises(NotFoundError):
        notices.get("nothing")


def test_the_most_pressing_notice_is_first(notices):
    registered(notices, within=timedelta(hours=24), reference="slow")
    registered(notices, within=timedelta(hours=1), reference="fast")
    assert [notice.reference for notice in notices.all(state=NoticeState.OPEN)] == ["fast", "slow"]
    assert notices.all(state=NoticeState.ANSWERED) == []


@pytest.mark.parametrize(("text", "expected"), [("1h", 3600), ("24h", 86400), ("90m", 5400), ("14d", 1209600)])
def test_a_clock_is_read(text, expected):
    assert read_clock(text).total_seconds() == expected


@pytest.mark.parametrize("text", ["", "h", "1", "1w", "-1h", "1.5h", "99999h", "١h"])
def test_what_is_no_clock_is_refused(text):
    with pytest.raises(InputError):
        read_clock(text)
