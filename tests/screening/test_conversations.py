"""Conversations: events are durable before they are answered, state is exactly what they come to, reasons are true."""

import itertools
import json
import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.support.effort import effort
from tests.support.observe_until_killed import BETWEEN_PRESSURE, WrittenDesk
from tests.support.preloaded import start_python
from tests.support.recruiter import WORDING_A, positives
from tests.support.talk import MINOR, ON, START, Desk, group_leader, opened, requests, shuffled, town
from tutela.casework.cases.contacts import Line, read_lines
from tutela.casework.cases.model import CaseState, Queue
from tutela.casework.cases.options import CaseOptions, EvidenceOptions
from tutela.casework.cases.outcomes import ACCOUNT_EFFECTS, Effect, Outcome
from tutela.casework.cases.policy import CasePolicy
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.casework.evidence.vault import Vault
from tutela.deployment.casework import CaseworkOptions, opened_casework
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.deployment.conversations import open_conversations
from tutela.errors import ConflictError, InputError, NotFoundError, NotReadyError
from tutela.foundation.outbox.webhooks import Endpoint
from tutela.foundation.store.database import Store, moment
from tutela.foundation.store.outbox_tables import outbox
from tutela.screening.conversations import AgeBand, ConversationOptions, Event, EventKind, Level
from tutela.screening.conversations.ledger import ConversationLedger
from tutela.screening.conversations.ledger_index import ROW
from tutela.screening.conversations.model import FILE, signed
from tutela.screening.conversations.policy import PolicyText, RiskPolicy, read_policy
from tutela.screening.conversations.records import RECORD, Heard, Pseudonyms, names_of, pack
from tutela.screening.conversations.scorers.contacts import CONTACTS
from tutela.screening.conversations.service import Conversations
from tutela.screening.conversations.state import ACCOUNT, FEATURES, PAIR, RiskState
from tutela.screening.conversations.strata import read_grouping
from tutela.screening.conversations.training import Labelled, train

SECRET, PUBLIC = new_identity()
NAMES = Pseudonyms(b"0123456789abcdef")
NOW = int(START) + 100_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger takes everything shortly after it happened."""
    monkeypatch.setattr("tutela.screening.conversations.service.received_now_s", lambda: NOW)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def talk(tmp_path: Path, desk: Desk, clock: None) -> Iterator[Conversations]:
    conversations = opened(tmp_path / "home", desk)
    yield conversations
    conversations.close()


def state_of(events: Sequence[Event], received_s: int = NOW, state: RiskState | None = None) -> RiskState:
    """What events come to, without a ledger."""
    state, policy = state or RiskState(), read_policy(None)
    state.weigh(CONTACTS.scales, CONTACTS.weights)
    state.watch(policy.gates)
    records = pack(events, Heard.nothing(len(events)), NAMES, received_s)
    records["position"] = np.arange(len(events)) + state.position
    state.apply(records)
    return state


def features(state: RiskState, account: str) -> dict[str, float]:
    found = state.table.features(NAMES.of(account))
    assert found is not None
    return dict(zip(FEATURES, map(float, found), strict=True))


# --- events, ledger, state


def test_layouts_are_those_of_the_native_core_and_small():
    state = state_of(requests("adult", 3, accepted=1))
    assert RECORD.itemsize == 80
    assert ACCOUNT.itemsize == len(state.table.account(NAMES.of("adult"))) <= 160
    assert PAIR.itemsize == len(state.table.pairs_of(NAMES.of("adult"))) // 3 <= 96
    known = state.account(NAMES.of("adult"))
    assert (known["key"], known["band"], known["last_s"]) == (NAMES.of("adult"), AgeBand.ADULT, int(START) + 620)


def test_pseudonyms_are_siphash_under_the_deployments_key():
    # The vector of the SipHash paper's appendix A: key 00…0f, message 00…0e.
    key = bytes(range(16))
    assert Pseudonyms(key).of("".join(map(chr, range(15)))) == 0xA129CA6149BE45E5
    assert Pseudonyms(bytes(16)).of("a") != Pseudonyms(key).of("a")
    assert Pseudonyms(key).of("") == 0


def test_events_are_in_state_once_however_often_they_are_sent(talk: Conversations):
    events = requests("adult", 12, accepted=3)
    assert talk.observe(events) == talk.observe(events) == len(events)
    assert talk.drain() == 2 * len(events)
    assert talk.risk("adult").features["requests_week"] == pytest.approx(12, rel=0.01)


def test_state_is_the_snapshot_and_the_ledger_after_it(tmp_path: Path, desk: Desk, clock: None):
    events = requests("adult", 20, accepted=5, moves=5) + group_leader("coach", 30)
    first = opened(tmp_path / "home", desk)
    first.observe(events[:40])
    first.drain()
    first.stop()  # writes the snapshot
    first.observe(events[40:])
    first.drain()
    digest = first.digest()
    os.close(first._owned)  # as if it had died: what it read since is in no snapshot
    again = opened(tmp_path / "home", desk)
    assert again.drain() == len(events) - 40
    assert again.digest() == digest
    again.close()
    apart = Desk()
    whole = opened(tmp_path / "other", apart)
    whole.observe(events)
    whole.drain()
    assert {one.key.partition("/")[0] for one in desk.alarms.values()} == {
        one.key.partition("/")[0] for one in apart.alarms.values()
    }
    whole.close()


@pytest.mark.parametrize("cut", [1, 30, 79, 200])
def test_a_torn_tail_is_found_and_never_read(tmp_path: Path, cut: int):
    events = requests("adult", 4, accepted=1)
    ledger = ConversationLedger(tmp_path, bytes(32))
    for event in events:
        ledger.append(pack([event], Heard.nothing(1), NAMES, NOW), names_of([event]))
    (path,) = tmp_path.glob("*.risk")
    path.write_bytes(path.read_bytes()[:-cut])
    again = ConversationLedger(tmp_path, bytes(32))
    kept = list(again.read())
    assert len(kept) == len(events) - (1 if cut < 200 else 2)
    assert again.append(pack(events[:1], Heard.nothing(1), NAMES, NOW), names_of(events[:1])) == len(kept)
    assert [again.names(batch)[0].id for batch in again.read()][-1] == events[0].id


def test_a_flipped_bit_in_the_ledger_ends_what_is_read(tmp_path: Path):
    ledger = ConversationLedger(tmp_path, bytes(32))
    for event in requests("adult", 2, accepted=1):
        ledger.append(pack([event], Heard.nothing(1), NAMES, NOW), names_of([event]))
    (path,) = tmp_path.glob("*.risk")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert len(list(ledger.read())) < 4


def test_names_are_sealed_and_text_is_nowhere(tmp_path: Path, desk: Desk, clock: None):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "phrases.toml").write_text('[[phrase]]\ntext = "blue canary"\nstage = "trust"\n')
    options = ConversationOptions(enabled=True, content=True, legal_basis="test", legal_basis_since="2026-11-30")
    conversations = opened(tmp_path / "home", desk, options)
    said = Event("m1", EventKind.MESSAGE, START, "adult-4711", "other-4712", text="a blue canary sings xyzzy", **MINOR)
    conversations.observe(said)
    conversations.drain()
    assert conversations.risk("adult-4711").features["trust"] > 0
    conversations.close()
    for path in (tmp_path / "home" / "conversations").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(word in data for word in (b"canary", b"xyzzy", b"adult-4711", b"other-4712"))


def test_without_a_legal_basis_no_content_is_scored(tmp_path: Path, desk: Desk, clock: None):
    with pytest.raises(InputError, match="legal_basis"):
        ConversationOptions(enabled=True, content=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "phrases.toml").write_text('[[phrase]]\ntext = "blue canary"\nstage = "trust"\n')
    conversations = opened(tmp_path / "home", desk)
    conversations.observe(Event("m1", EventKind.MESSAGE, START, "adult", "other", text="a blue canary", **MINOR))
    conversations.drain()
    assert conversations.risk("adult").features["trust"] == 0
    conversations.close()


def test_messages_in_a_language_that_no_scorer_reads_are_said_not_to_be_covered(
    tmp_path: Path, desk: Desk, clock: None
):
    home = tmp_path / "home"
    home.mkdir()
    options = ConversationOptions(enabled=True, content=True, legal_basis="test", legal_basis_since="2026-11-30")
    english = [f"the weather in our town was rather fine on day {i} of the week" for i in range(300)]
    learnt = [Labelled(*one) for one in positives(WORDING_A)]
    (home / FILE).write_bytes(
        signed(train(learnt, english, least_ordinary=300), b"conversations-memory".ljust(32, b"."))
    )
    conversations = opened(home, desk, options)
    said = ["the weather is fine", "das Wetter ist heute wirklich schön", "wir gehen morgen zusammen wandern", "ok"]
    conversations.observe(
        [Event(f"m{i}", EventKind.MESSAGE, START + i, "adult", "other", text=text) for i, text in enumerate(said)]
        + [Event("silent", EventKind.MESSAGE, START + 9, "adult", "other")]
    )
    conversations.drain()
    found = conversations.risk("adult")
    assert found.coverage.document() == {"messages": 4, "language_not_covered": 2}
    assert found.document()["coverage"] == found.coverage.document()
    conversations.close()


def test_order_within_a_minute_and_lateness_change_no_level():
    events = requests("adult", 20, accepted=5, moves=5) + group_leader("coach", 40)
    policy = read_policy(None)
    plain = state_of(events)
    wanted = {name: policy.judge(plain.table.features(NAMES.of(name))).level for name in ("adult", "coach")}
    assert wanted["adult"] is Level.REVIEW
    for seed in range(effort(30, 300)):
        other = state_of(shuffled(events, seed) + events[:7])
        found = {name: policy.judge(other.table.features(NAMES.of(name))).level for name in wanted}
        assert found == wanted
        assert other.table.odd[0] == 7


def test_clocks_that_are_a_year_off_are_counted():
    year = 365 * 86_400.0
    state = state_of(
        [
            Event("fast", EventKind.CONTACT_REQUEST, NOW + year, "adult", "a", **MINOR),
            Event("slow", EventKind.CONTACT_REQUEST, NOW - year, "adult", "b", **MINOR),
        ]
    )
    assert state.table.odd == (0, 1, 1)
    assert features(state, "adult")["requests_week"] == pytest.approx(1.5, rel=0.01)


def test_what_is_silent_for_thirty_days_is_forgotten():
    events = requests("adult", 12, accepted=3)
    state = state_of(events)
    before = state.table.accounts
    assert state.table.forget_before(int(START) - 1) == 0
    assert state.table.forget_before(int(START) + 10_000) == before + 12
    assert (state.table.accounts, state.table.pairs) == (0, 0)
    late = [Event("later", EventKind.MESSAGE, START + 40 * 86_400, "adult", "x")]
    assert features(state_of(late, NOW + 41 * 86_400, state_of(events)), "adult")["requests_week"] == 0


def test_forgetting_an_account_leaves_what_was_never_shown_it(talk: Conversations):
    others = group_leader("coach", 10)
    talk.observe(requests("adult", 12, accepted=3) + others)
    talk.drain()
    assert talk.forget("adult") > 12
    talk.drain()
    with pytest.raises(NotFoundError):
        talk.risk("adult")
    assert talk.risk("coach").features["contacts_week"] == 0
    assert all(NAMES.of("adult") not in batch.records["sender"] for batch in talk._ledger.read())


@pytest.mark.slow
def test_an_account_is_found_in_finished_files_as_by_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tutela.screening.conversations.ledger.SEGMENT_BYTES", 20_000)
    ledger, other = ConversationLedger(tmp_path, bytes(32)), ConversationLedger(tmp_path, bytes(32))
    chance = random.Random(1)

    def talk() -> Event:
        sender, recipient = (f"a{one}" for one in chance.sample(range(40), 2))
        return Event(str(chance.random()), EventKind.MESSAGE, NOW, sender, recipient)

    def write(count: int) -> None:
        for _ in range(count):
            events = [talk() for _ in range(chance.randrange(1, 30))]
            ledger.append(pack(events, Heard.nothing(len(events)), NAMES, NOW), names_of(events))

    def agree() -> None:
        for number in range(41):
            account = NAMES.of(f"a{number}")
            expected = [
                (batch.offset, int(record["position"]))
                for batch in ledger.read()
                for record in batch.records
                if account in (record["sender"], record["recipient"])
            ]
            for one in (ledger, other):
                found = one.of_account(account)
                rows = [(batch.offset, int(batch.records["position"][row])) for batch, rows in found for row in rows]
                assert rows == expected

    write(100)
    assert len(ledger.segments()) > 5
    agree()
    tables = sorted(tmp_path.glob("*.index"))
    assert len(tables) == len(ledger.segments()) - 1
    gone = NAMES.of("a7")
    assert other.erase(gone) > 0
    agree()
    for table in tmp_path.glob("*.index"):
        assert gone & 0xFFFFFFFF not in np.fromfile(table, ROW) >> 32
    write(100)
    agree()
    kept = ledger.segments()[3]
    assert ledger.drop_before(kept, NOW + 1) == 3
    assert min(int(path.name.split(".")[0]) for path in tmp_path.glob("*.index")) == kept
    agree()


def test_what_another_process_erases_costs_no_later_event(tmp_path: Path):
    """The command line forgets an account while the service goes on taking events."""
    service, command = ConversationLedger(tmp_path, bytes(32)), ConversationLedger(tmp_path, bytes(32))

    def take(events: Sequence[Event]) -> None:
        for event in events:
            service.append(pack([event], Heard.nothing(1), NAMES, NOW), names_of([event]))

    first, second = requests("adult", 6, accepted=1), group_leader("coach", 4)
    take(first)
    *_, last = service.read()
    for _ in range(3):
        assert command.erase(NAMES.of("adult")) > 0
        take(second)
        following = [service.names(batch)[0].id for batch in service.read(last.following, after=last)]
        assert following[-len(second) :] == [event.id for event in second]
        take(first)
    assert sum(len(batch.records) for batch in command.read()) == 4 * len(first) + 3 * len(second)


def resident_bytes() -> int:
    """This process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "most"), [(False, 160), (True, 52)])
def test_ten_million_accounts_take_at_most_1_6_gigabytes_and_forgetting_gives_them_back(pairs: bool, most: int):
    """By `full` effort ten million accounts, and twenty million pairs in 1.2; fewer otherwise."""
    count, step = effort(300_000, 20_000_000 if pairs else 10_000_000, least=300_000), 100_000
    table, before = RiskState().table, resident_bytes()
    for begin in range(0, count, step):
        records = np.zeros(step, RECORD)
        numbers = np.arange(begin, begin + step, dtype=np.uint64)
        records["kind"], records["at_ms"], records["received_s"] = EventKind.MESSAGE.number, NOW * 1000, NOW
        records["sender"] = 7 if pairs else numbers + 1
        records["recipient"] = numbers + 8 if pairs else 0
        table.apply(records.tobytes())
    assert (table.pairs if pairs else table.accounts) == count
    assert table.memory_bytes / count <= most
    if count >= 5_000_000:  # of fewer the rest of the process is most
        assert (resident_bytes() - before) / count <= most * 1.15
    assert table.forget_before(NOW + 1) >= count
    assert table.memory_bytes < 1_000_000
    if count >= 5_000_000:
        assert (resident_bytes() - before) / count <= 16


# --- levels and alarms


def test_an_alarm_is_raised_once_and_has_reasons_with_counts(talk: Conversations, desk: Desk):
    talk.observe(requests("adult", 25, accepted=6, moves=6))
    talk.drain()
    levels = [alarm.level for alarm in desk.alarms.values()]
    assert levels == sorted(set(levels))
    last = list(desk.alarms.values())[-1]
    assert last.account == "adult"
    assert last.level is Level.REVIEW
    codes = {reason.code: reason for reason in last.reasons}
    assert codes["minors-contacted"].people == codes["minors-contacted"].count >= 12
    assert codes["moved-elsewhere"].count >= 3
    assert codes["minors-contacted"].known == "declared"
    assert set(codes["moved-elsewhere"].references) <= {f"adult-m{i}" for i in range(6)}


def test_what_cannot_be_written_down_is_judged_again(talk: Conversations, desk: Desk):
    desk.broken = True
    talk.observe(requests("adult", 25, accepted=6, moves=6))
    with pytest.raises(OSError):
        talk.drain()
    talk.stop()
    desk.broken = False
    talk.drain()
    assert desk.alarms


def test_reasons_are_true_by_leaving_them_out():
    """Without the acts of the first reason the level falls; without five others it does not."""
    policy, held = read_policy(None), 0
    tries = effort(10, 100)
    for seed in range(tries):
        chance = random.Random(seed)
        count = chance.randint(20, 40)
        events = requests(f"a{seed}", count, accepted=count // 5, moves=chance.randint(4, 8))
        events += group_leader(f"a{seed}", 6, at=START - 5_000)
        desk = Desk()
        level = policy.judge(state_of(events).table.features(NAMES.of(f"a{seed}"))).level
        assert level is Level.REVIEW
        named = {event.id for event in events if event.kind is not EventKind.CONTACT_ANSWER and "-g" not in event.id}
        without = state_of([event for event in events if event.id not in named]).table.features(NAMES.of(f"a{seed}"))
        held += without is None or policy.judge(without).level < level
        others = [event for event in events if event.id not in named]
        spared = set(chance.sample(range(len(others)), min(5, len(others))))
        kept = [event for event in events if event.id in named] + [e for i, e in enumerate(others) if i not in spared]
        kept.sort(key=lambda event: event.at)
        assert policy.judge(state_of(kept).table.features(NAMES.of(f"a{seed}"))).level == level
        assert not desk.alarms
    assert held >= 0.95 * tries


@given(st.lists(st.sampled_from(range(60)), min_size=1, max_size=25), st.integers(0, 30))
def test_more_of_the_same_never_lowers_the_score(rows: list[int], extra: int):
    events = requests("adult", 20, accepted=4, moves=20)
    chosen = [events[row] for row in sorted(set(rows))]
    last = max(event.at for event in events)
    end = Event("end", EventKind.MESSAGE, last + 3_600, "adult", "somebody", group=True)
    one_more = Event("more", EventKind.MESSAGE, last, "adult", f"adult-to-{extra}", moves=True, **MINOR)
    before = features(state_of([*chosen, end]), "adult")
    after = features(state_of([*chosen, one_more, end]), "adult")
    assert after["score"] >= before["score"] - 1e-5
    assert after["coercion"] >= before["coercion"] - 1e-5


@pytest.mark.parametrize("kind", ["coach", "support", "guild"])
def test_people_who_reach_many_young_people_for_a_reason_stay_under_review(kind: str):
    match kind:
        case "coach":
            events = group_leader("x", 60)
        case "guild":
            events = group_leader("x", 200)
        case _:  # a support desk answers whoever wrote first
            events = [
                event
                for i in range(120)
                for event in (
                    Event(f"q{i}", EventKind.MESSAGE, START + i * 60, f"kid{i}", "x", band=AgeBand.FROM_13),
                    Event(f"s{i}", EventKind.MESSAGE, START + i * 60 + 30, "x", f"kid{i}", band=AgeBand.ADULT),
                )
            ]
    assert read_policy(None).judge(state_of(events).table.features(NAMES.of("x"))).level < Level.REVIEW
    teacher = [
        Event(f"t{i}", EventKind.CONTACT_REQUEST, START + i, "t", f"p{i}", role=True, **MINOR) for i in range(40)
    ]
    assert read_policy(None).judge(state_of(teacher).table.features(NAMES.of("t"))).level is Level.NONE


def test_between_minors_words_of_trust_are_never_evidence():
    """Whatever two minors write to each other; what an adult writes to one is."""
    for sender, trusted in ((AgeBand.FROM_13, False), (AgeBand.FROM_16, False), (AgeBand.ADULT, True)):
        events = [Event(f"p{i}", EventKind.MESSAGE, START + i, "x", "y", band=sender, **MINOR) for i in range(20)]
        heard = Heard.nothing(len(events))
        heard.trust[:], heard.stage[:] = 3.0, 1
        records = pack(events, heard, NAMES, NOW)
        records["position"] = np.arange(len(events))
        state = RiskState()
        state.apply(records)
        assert (features(state, "x")["trust"] > 0) is trusted


def test_what_a_policy_would_raise_is_told_by_age_with_an_interval(talk: Conversations):
    talk.observe([event for i in range(5) for event in requests(f"adult{i}", 25, accepted=5, moves=6)])
    talk.drain()
    by_age = talk.replay().by_age
    assert (by_age["adult"].alarmed, by_age["adult"].accounts) == (5, 5)
    assert (by_age["from-13"].alarmed, by_age["from-13"].accounts) == (0, 125)
    assert by_age["adult"].least > 1 > by_age["from-13"].most


@pytest.mark.slow
def test_what_a_policy_would_raise_is_told_by_whatever_groups_a_service_knows(talk: Conversations, tmp_path: Path):
    """Alarms that are three times as frequent in one language are told apart from regions that are treated alike."""
    chance, rows = random.Random(4), ["account,language,region"]
    for number in range(600):
        language = ("de", "fr")[number % 2]
        many = number % 20 in ((0, 2, 4) if language == "de" else (1,))
        rows.append(f"adult{number},{language},{chance.choice(('north', 'south'))}")
        talk.observe(requests(f"adult{number}", 25 if many else 1, accepted=5, moves=6))
    talk.drain()
    given = tmp_path / "accounts.csv"
    given.write_text("\n".join([*rows, "nobody,de,north", "adult0-to-1,,south"]))
    found = talk.replay(grouping=read_grouping(given))
    de, fr = found.by_group["language"]["de"], found.by_group["language"]["fr"]
    assert (de.alarmed, de.accounts, fr.alarmed, fr.accounts) == (90, 300, 30, 300)
    assert de.least > 2 > 1 > fr.most
    assert 2.5 < de.ratio < 3.5
    for region in ("north", "south"):
        one = found.by_group["region"][region]
        assert one.least < 1 < one.most
    assert sum(one.accounts for one in found.by_group["region"].values()) == 601
    assert talk.replay().by_group == {}
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"north" not in kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "first line must be"),
        ("language,account\nde,a\n", "first line must be"),
        ("account,language,language\n", "first line must be"),
        ("account,language\na,de\nb\n", "line 3 must have 2 cells"),
        ("account,language\n,de\n", "line 2 must have"),
        ("account,language\na,de\na,fr\n", "'a' is there more than once"),
        ('account,language\na,"de\n', "is not CSV"),
        ("account,language\n" + "".join(f"a{i},g{i}\n" for i in range(201)), "more than 200 groups"),
    ],
)
def test_a_file_of_groups_that_cannot_be_kept_to_is_refused_with_why(tmp_path: Path, text: str, why: str):
    given = tmp_path / "accounts.csv"
    given.write_text(text)
    with pytest.raises(InputError, match=re.escape(why)):
        read_grouping(given)


def test_what_a_rule_in_shadow_would_raise_holds_the_next_day(tmp_path: Path, clock: None):
    """The forecast of one day has the next day's rate in its interval: people who act alike, other accounts."""
    rates = []
    for day in (1, 2):
        chance, talk = random.Random(day), opened(tmp_path / f"day{day}", Desk())
        acts = [
            event
            for i in range(effort(300, 2_000, least=300))
            for event in requests(f"d{day}-{i}", chance.choice((1, 2, 2, 3, 4, 12)), accepted=chance.randint(0, 2))
        ]
        talk.observe(acts)
        rule = {"name": "r", "when": "minors_day >= 8", "level": "notice", "reason": "minors-contacted"}
        rates.append(talk.replay(RiskPolicy(PolicyText.model_validate({"rule": [rule]}), "v")).rules["r"])
        talk.close()
    assert rates[0].least_per_million <= rates[1].per_million <= rates[0].most_per_million
    assert rates[0].accounts > 20


def test_a_thousand_reports_of_one_person_never_pass_a_notice():
    contacted = [
        Event(f"m{i}", EventKind.MESSAGE, START + i * 9_000, "x", f"k{i}", band=AgeBand.ADULT, **MINOR)
        for i in range(5)
    ]
    crowd = [
        Event(f"c{i}", EventKind.REPORT, START + 50_000 + i, f"c{i}", "x", band=AgeBand.FROM_13) for i in range(1_000)
    ]
    truly = [Event(f"b{i}", EventKind.BLOCK, START + 60_000 + i, f"k{i}", "x") for i in range(5)]
    found = features(state_of(contacted + crowd), "x")
    assert found["rejected_month"] == 0
    level = read_policy(None).judge(state_of(contacted + crowd + truly).table.features(NAMES.of("x"))).level
    assert level is Level.NOTICE


@given(
    st.lists(st.tuples(st.sampled_from(list(EventKind)), st.booleans(), st.booleans(), st.integers(0, 3)), max_size=40)
)
def test_nothing_that_others_do_makes_a_child_a_suspect(acts: list[tuple[EventKind, bool, bool, int]]):
    """Whatever an adult sends, blocks, reports, answers or pays: the child who only answers in words stays clear."""
    events = [Event("age", EventKind.PROFILE, START, "child", band=AgeBand.FROM_13)]
    for place, (kind, asked, group, other) in enumerate(acts):
        at = START + 60 * place
        adult = Event(
            f"a{place}", kind, at, f"adult{other}", "child", asked=asked, group=group, moves=True, band=AgeBand.ADULT
        )
        events += [adult, Event(f"c{place}", EventKind.MESSAGE, at + 5, "child", f"adult{other}", moves=True)]
    found = features(state_of(events), "child")
    assert found["trust"] == found["coercion"] == found["rejected_month"] == found["moves_week"] == 0
    assert read_policy(None).judge(state_of(events).table.features(NAMES.of("child"))).level is Level.NONE


def test_the_fast_pattern_is_urgent_before_anything_is_paid(talk: Conversations, desk: Desk):
    at = START
    talk.observe(
        [
            Event("1", EventKind.CONTACT_REQUEST, at, "fast", "kid", **MINOR),
            Event("2", EventKind.MEDIA, at + 300, "fast", "kid", asked=True),
            Event("3", EventKind.PAYMENT, at + 700, "fast", "kid", asked=True),
        ]
    )
    talk.drain()
    assert [(alarm.level, alarm.others) for alarm in desk.alarms.values()] == [(Level.URGENT, ("kid",))]
    assert {reason.code for alarm in desk.alarms.values() for reason in alarm.reasons} >= {"demands"}


def test_a_rule_in_shadow_has_no_effect_and_one_that_punishes_is_refused():
    rule = {"name": "r", "when": "minors_day >= 2", "level": "review", "reason": "minors-contacted"}
    shadow = RiskPolicy(PolicyText.model_validate({"rule": [rule]}), "v")
    judged = shadow.judge(state_of(requests("a", 5, accepted=1)).table.features(NAMES.of("a")))
    assert (judged.level, judged.shadow) == (Level.NONE, (("r", Level.REVIEW),))
    live = RiskPolicy(PolicyText.model_validate({"rule": [rule | {"state": "live"}]}), "v")
    assert live.judge(state_of(requests("a", 5, accepted=1)).table.features(NAMES.of("a"))).level is Level.REVIEW
    for level in ("suspend", "lock", "none"):
        with pytest.raises(ValueError, match="level"):
            PolicyText.model_validate({"rule": [rule | {"level": level}]})


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("minors_dya >= 3", "there is no minors_dya"),
        ("minors_day >= ", "rule r"),
        ("minors_day <= 3", "holds of an account that did nothing"),
        ("minors_day + 1", "does not come to true or false"),
        ("minors_day >= 3 || contact <= -1", "each alternative must ask for a least"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_with_why(when: str, said: str):
    text = PolicyText.model_validate({"rule": [{"name": "r", "when": when, "level": "notice", "reason": "x"}]})
    with pytest.raises(InputError, match=said.replace("+", r"\+")):
        RiskPolicy(text, "v")


@given(st.lists(st.floats(0, 50, width=32), min_size=len(FEATURES), max_size=len(FEATURES)))
def test_the_compiled_leasts_never_hide_a_rule_that_holds(values: list[float]):
    policy = read_policy(None)
    found = np.array(values, np.float32)
    judged = policy.judge(found)
    if judged.rules or judged.shadow:
        assert any(found[FEATURES.index(name)] >= least for name, least in policy.gates)


def test_events_wait_where_alarms_could_reach_nobody(tmp_path: Path, clock: None):
    conversations = opened(tmp_path / "home", None)
    conversations.observe(requests("adult", 2, accepted=1))
    with pytest.raises(NotReadyError):
        conversations.drain()
    assert conversations.shortcomings()
    conversations.close()


def test_events_that_wait_are_told_of_once_until_they_no_longer_do(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    conversations = opened(tmp_path / "home", desk)
    times = [NOW]
    monkeypatch.setattr("tutela.screening.conversations.service.received_now_s", lambda: times[0])
    for wait in (0, 100, 200, 0, 300):
        times[0] = NOW
        conversations.observe(requests(f"a{wait}", 1, accepted=1))
        times[0] = NOW + wait
        conversations.drain()
    assert desk.warnings == [("risk.delayed", {"seconds": 100.0}), ("risk.delayed", {"seconds": 300.0})]
    conversations.close()


def test_drift_and_delay_reach_webhooks_and_the_audit_log(house: Deployment):
    house.casework.contacts.warn("risk.drift", "1", {"share": 0.2})
    assert ("risk.drift", {"share": 0.2}) in [(row.action, row.detail) for row in house.casework.audit.rows()]


def test_one_process_judges_and_another_can_look(tmp_path: Path, desk: Desk, clock: None):
    first, second = opened(tmp_path / "home", desk), opened(tmp_path / "home", desk)
    first.observe(requests("adult", 3, accepted=1))
    assert first.drain() == 9 - 3
    second.observe(requests("other", 3, accepted=1))
    assert second.drain() == 0
    assert second.risk("adult").features["requests_week"] > 0
    assert first.drain() == 6
    first.close()
    second.drain()
    assert second.digest() != 0
    second.close()


# --- cases


@pytest.fixture
def house(tmp_path: Path, clock: None) -> Iterator[Deployment]:
    casework = CaseworkOptions(evidence=EvidenceOptions(recipients=(PUBLIC,)))
    with compose_deployment(tmp_path / "home", decoders=1, casework=casework, conversations=ON) as deployment:
        yield deployment


def test_an_account_has_one_case_whoever_looks_at_it_and_a_rejection_clears_it(house: Deployment):
    cases, contacts = house.casework.cases, house.casework.contacts
    house.conversations.observe(requests("adult", 25, accepted=6, moves=6))
    house.conversations.drain()
    (summary,) = cases.queue(queue=Queue.CONTACT)
    cases.claim(summary.id, by="person:1")
    at = START + 9_000
    house.conversations.observe(
        [
            Event("x1", EventKind.MEDIA, at, "adult", "adult-to-1", asked=True),
            Event("x2", EventKind.PAYMENT, at + 60, "adult", "adult-to-1", asked=True),
        ]
    )
    house.conversations.drain()
    assert [one.id for one in cases.queue(queue=Queue.CONTACT)] == [summary.id]
    assert [one.level for one in contacts.of_case(summary.id)] == [Level.REVIEW, Level.URGENT]
    assert house.conversations.risk("adult").level is Level.URGENT
    stored = str(cases.get(summary.id)) + str(contacts.of_case(summary.id)[0].document)
    assert "'adult'" not in stored
    decided = cases.decide(summary.id, Outcome.REJECT, by="person:1", reason="a school class")
    assert decided.state is CaseState.DECIDED
    house.conversations.drain()
    found = house.conversations.risk("adult")
    assert (found.level, found.features["contact"]) == (Level.NONE, 0)


def test_a_case_that_is_opened_again_brings_back_what_was_cleared(house: Deployment):
    cases, contacts, talk = house.casework.cases, house.casework.contacts, house.conversations
    acts = requests("adult", 25, accepted=6, moves=6)
    talk.observe(acts)
    talk.drain()
    before = talk.risk("adult")
    (summary,) = cases.queue(queue=Queue.CONTACT)
    alarms = len(contacts.of_case(summary.id))
    cases.claim(summary.id, by="person:1")
    cases.decide(summary.id, Outcome.REJECT, by="person:1", reason="a school class")
    talk.drain()
    assert talk.risk("adult").features["contact"] == 0
    assert talk.risk("adult").reasons == ()
    later = [
        Event(f"l{i}", EventKind.CONTACT_REQUEST, START + 50_000 + i, "adult", f"late-{i}", **MINOR) for i in range(2)
    ]
    talk.observe(later)
    talk.drain()
    cases.reopen(summary.id, by="person:2", reason="a complaint")
    talk.drain()
    found = talk.risk("adult")
    assert found.level is before.level is Level.REVIEW
    whole = state_of(acts + later)
    assert found.features == pytest.approx(features(whole, "adult"), rel=1e-3, abs=1e-3)
    counts = {reason.code: reason.count for reason in found.reasons}
    assert counts["minors-contacted"] == 27
    assert counts["moved-elsewhere"] == 6
    assert "adult-m1" in {name for reason in found.reasons for name in reason.references}
    assert len(contacts.of_case(summary.id)) == alarms  # none is raised twice
    clean = RiskState()
    clean.weigh(CONTACTS.scales, CONTACTS.weights)
    assert isinstance(talk, Conversations)
    for batch in talk._ledger.read():
        clean.apply(batch.records)
    assert features_of(clean, talk, "adult") == pytest.approx(found.features, rel=1e-3, abs=1e-3)
    talk.drain()
    cases.claim(summary.id, by="person:1")
    cases.decide(summary.id, Outcome.REJECT, by="person:1", reason="a school class after all")
    talk.drain()
    assert (talk.risk("adult").level, talk.risk("adult").features["contact"]) == (Level.NONE, 0)


@pytest.mark.parametrize("seed", range(effort(2, 20)))
def test_whatever_the_events_and_the_rules_only_a_decision_touches_an_account(tmp_path: Path, clock: None, seed: int):
    chance, home = random.Random(seed), tmp_path / "home"
    home.mkdir(mode=0o700)
    rules = [
        f'[[rule]]\nname = "r{place}"\nwhen = "{feature} >= {chance.randint(1, 3)}"\nreason = "minors-contacted"\n'
        f'level = "{chance.choice(("notice", "review", "urgent"))}"\nstate = "live"\n'
        for place, feature in enumerate(("minors_day", "contact", "coercion", "rejected_month", "moves_week"))
    ]
    (home / "risk.toml").write_text('author = "kim"\n' + "\n".join(rules))
    punishing = CasePolicy(on_outcome={Outcome.CONFIRM: (Effect.SUSPEND, Effect.LOCK)})
    told = (Endpoint("platform", "http://127.0.0.1:9/", (bytes(32),)),)
    options = CaseworkOptions(EvidenceOptions((PUBLIC,)), CaseOptions(default=punishing), webhooks=told)
    loud = ConversationOptions(enabled=True, notices=True, deterrence=True)
    with opened_casework(home, None, options) as casework:
        open_conversations(home, casework, loud).approve("ada")
        talk, decided = open_conversations(home, casework, loud), set()
        for part in range(3):
            talk.observe(town(seed * 3 + part, 12, START))
            talk.drain()
            asked = effects_of(casework.store)
            assert {case for effect, case in asked if effect in ACCOUNT_EFFECTS} <= decided
            for summary in casework.cases.queue(queue=Queue.CONTACT):
                if chance.random() < 0.5:
                    outcome, label = chance.choice(((Outcome.CONFIRM, "enticement"), (Outcome.REJECT, None)))
                    casework.cases.claim(summary.id, by="person:1")
                    casework.cases.decide(summary.id, outcome, by="person:1", reason="made up", label=label)
                    decided |= {summary.id} if outcome is Outcome.CONFIRM else set()
        talk.close()
        assert {effect for effect, _ in effects_of(casework.store)} >= {"suspend", "lock", "notice-recipient"}


def effects_of(store: Store) -> set[tuple[str, str | None]]:
    """What the platform was asked to do, and for which case."""
    with store.read() as connection:
        payloads = list(connection.execute(select(outbox.c.payload)).scalars())
    bodies = [json.loads(payload["body"]) if "body" in payload else payload for payload in payloads]
    return {(body["data"]["effect"], body["data"].get("case")) for body in bodies if "effect" in body["data"]}


def features_of(state: RiskState, talk: Conversations, account: str) -> dict[str, float]:
    found = state.table.features(talk._names.of(account))
    return dict(zip(FEATURES, map(float, found), strict=True))


def test_what_was_cleared_before_stays_cleared_when_a_later_decision_is_taken_back(talk: Conversations, desk: Desk):
    talk.observe(requests("adult", 12, accepted=3))
    talk.drain()
    key = next(iter(desk.alarms.values())).pseudonym
    desk.clearing = [("1", key)]
    talk.drain()
    second = [
        Event(f"s{i}", EventKind.CONTACT_REQUEST, START + 9_000 + i, "adult", f"new-{i}", **MINOR) for i in range(3)
    ]
    talk.observe(second)
    desk.clearing = [("2", key), ("3", key)]
    talk.drain()
    talk.drain()
    assert talk.risk("adult").features["requests_week"] == 0
    for _ in range(2):
        desk.restoring = [("2", key), ("3", key)]
        talk.drain()
        assert talk.risk("adult").features["requests_week"] == pytest.approx(3, rel=0.01)
        desk.clearing = [("2", key)]
        talk.drain()
        assert talk.risk("adult").features["requests_week"] == 0


def test_words_of_a_conversation_are_taken_for_an_open_case_and_sealed(house: Deployment):
    cases, contacts = house.casework.cases, house.casework.contacts
    house.conversations.observe(requests("adult", 25, accepted=6, moves=6))
    house.conversations.drain()
    (summary,) = cases.queue(queue=Queue.CONTACT)
    line = Line("adult-m1", moment(NOW * 1_000_000), True, "a blue canary sings")
    contacts.add_words(summary.id, [line], actor="key:1")
    (words,) = contacts.words_of(summary.id)
    vault, key = house.casework.vault, ReviewKey(SECRET)
    assert isinstance(vault, Vault)
    assert read_lines(vault.context(words.evidence_id, key, actor="t", purpose="review")) == [line]
    for path in house.home.rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes()
    cases.claim(summary.id, by="person:1")
    cases.decide(summary.id, Outcome.REJECT, by="person:1", reason="no")
    with pytest.raises(ConflictError):
        contacts.add_words(summary.id, [line], actor="key:1")


# --- evidence that is asked for while events come


def test_who_has_evidence_may_be_asked_of_while_events_are_taken():
    state, accounts = RiskState(), 20_000
    batches = []
    for begin in range(0, accounts, 1_000):
        numbers = range(begin, begin + 1_000)
        events = [Event(f"e{i}", EventKind.MESSAGE, START + i, f"u{i}", f"v{i}", **MINOR) for i in numbers]
        records = pack(events, Heard.nothing(1_000), NAMES, NOW)
        records["trust"] = [2.0 if i % 2 else 0.5 for i in numbers]
        records["position"] = list(numbers)
        batches.append(records)
    keys = NAMES.all([f"u{i}" for i in range(accounts)])
    odd = np.arange(accounts) % 2 == 1
    asked: list[np.ndarray] = []
    taking = threading.Thread(target=lambda: [state.apply(records) for records in batches])
    taking.start()
    while taking.is_alive():
        asked.append(state.evident(keys))
    taking.join()
    assert np.array_equal(state.evident(keys), odd)
    assert not any((one & ~odd).any() for one in asked)
    # What was known once stays known.
    assert all((later | ~before).all() for before, later in itertools.pairwise(asked))
    assert not state.evident(NAMES.all(["", "nobody"])).any()


# --- kills


OBSERVE = """
import sys
from pathlib import Path
from tests.support.observe_until_killed import observe
observe(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.slow
def test_whatever_was_answered_before_a_kill_is_in_state_exactly_once(tmp_path: Path):
    home, number, chance = tmp_path / "home", 0, random.Random(7)
    for _ in range(effort(4, 200)):
        process = start_python(OBSERVE, str(home), str(number), stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        answered = [int(line) for line in process.stdout.read().split()]
        process.wait()
        number = max([number, *answered])
    after = opened(home, WrittenDesk(home / "alarms"))
    after.drain()
    clean = RiskState()
    clean.weigh(CONTACTS.scales, CONTACTS.weights)
    clean.watch(after.policy.gates)
    taken = set()
    for batch in after._ledger.read():
        clean.apply(batch.records)
        taken |= {name.id for name in after._ledger.names(batch)}
    assert {f"e{i}" for i in range(number)} <= taken
    for chunk in range(after._state.table.account_chunks()):
        for known in np.frombuffer(after._state.table.account_chunk(chunk), ACCOUNT):
            after._state.table.set_level(int(known["key"]), 0, 0)  # what was raised stands beside, not in, the ledger
    assert after.digest() == clean.digest()
    alarms = (home / "alarms").read_text().split()
    assert len(alarms) == len(set(alarms)) > 0
    pressing = {f"p{i // BETWEEN_PRESSURE}" for i in range(number) if i % BETWEEN_PRESSURE == 2}
    raised = {key.partition("/")[0] for key in alarms}
    assert {f"{after._names.of(one):016x}" for one in pressing} <= raised
    after.close()
