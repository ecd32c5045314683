"""Screening: content in, verdict out; whatever fails, fails closed; the decision is the policy's."""

import json
import logging

import pytest

from tests.support.lists import hashes, list_in
from tests.support.pictures import file_of, photos
from tests.support.waiting import wait_until
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.deployment.composition import compose_deployment
from tutela.errors import InputError, NotFoundError, StoreError
from tutela.lists.banks.model import Action, BankKind, EntryState, NewEntry, Policy
from tutela.screening.decision import Decision
from tutela.screening.options import ScreeningPolicy
from tutela.screening.verdict import Context

KNOWN = file_of(photos()[0], "PNG")
COPY = file_of(photos()[0].resize((300, 300)), "JPEG", quality=60)
OTHER = file_of(photos()[1], "JPEG")


def test_an_altered_copy_of_a_known_picture_is_blocked_and_another_is_not(deployment):
    list_in(deployment, "known", KNOWN, "pdq", "sha256", label="A1")
    verdict = deployment.screener.screen(COPY, Context("upload-7", {"user": "u1"}))
    assert verdict.decision is Decision.BLOCK
    (match,) = verdict.matches
    assert (match.bank, match.signal, match.view, match.threshold, match.label) == ("known", "pdq", "whole", 31, "A1")
    assert 0 < match.distance <= 31
    assert match.quality == 100
    assert verdict.reasons[0].code == "match-block"
    assert (verdict.media_type, verdict.width, verdict.height) == ("image/jpeg", 300, 300)
    assert verdict.byte_length == len(COPY)
    assert verdict.versions.lists["pdq"] == deployment.banks.head("pdq")
    exact = deployment.screener.screen(KNOWN)
    assert {(match.signal, match.distance) for match in exact.matches} == {("sha256", 0), ("pdq", 0)}
    assert deployment.screener.screen(OTHER).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("action", "decision"), [(Action.BLOCK, "block"), (Action.HOLD, "hold"), (Action.LOG, "allow")]
)
def test_a_bank_says_what_a_match_does_and_every_match_is_written_down(deployment, action, decision):
    list_in(deployment, "known", KNOWN, "pdq", policy=Policy(action))
    verdict = deployment.screener.screen(COPY)
    assert verdict.decision == decision
    assert verdict.reasons[0].code == f"match-{action}"
    assert deployment.journal.get(verdict.id)["decision"] == decision


def test_the_severest_of_several_banks_counts(deployment):
    list_in(deployment, "log", KNOWN, "pdq", policy=Policy(Action.LOG))
    list_in(deployment, "block", KNOWN, "pdq", policy=Policy(Action.BLOCK))
    list_in(deployment, "hold", KNOWN, "pdq", policy=Policy(Action.HOLD))
    verdict = deployment.screener.screen(COPY)
    assert verdict.decision is Decision.BLOCK
    assert [reason.code for reason in verdict.reasons] == ["match-block", "match-hold", "match-log"]


def test_thresholds_and_qualities_are_the_banks_own(deployment):
    list_in(deployment, "exact", KNOWN, "pdq", policy=Policy(Action.BLOCK, {"pdq": 0}))
    assert deployment.screener.screen(COPY).matches == ()
    deployment.banks.update("exact", policy=Policy(Action.BLOCK, {"pdq": 64}), actor="test")
    assert deployment.screener.screen(COPY).decision is Decision.BLOCK
    flat = file_of(photos()[0].point(lambda level: 120 + level // 64), "PNG")
    (quality,) = {item.quality for item in deployment.screener.screen(flat).hashes if item.signal == "pdq"}
    assert quality < 50
    list_in(deployment, "flat", flat, "pdq")
    assert [match.bank for match in deployment.screener.screen(flat).matches] == []
    deployment.banks.update("flat", policy=Policy(Action.BLOCK, min_quality=0), actor="test")
    assert [match.bank for match in deployment.screener.screen(flat).matches] == ["flat"]


def test_a_disabled_bank_or_entry_no_longer_counts(deployment):
    (entry_id,) = list_in(deployment, "known", KNOWN, "pdq")
    deployment.banks.update("known", enabled=False, actor="test")
    assert deployment.screener.screen(COPY).decision is Decision.ALLOW
    deployment.banks.update("known", enabled=True, actor="test")
    assert deployment.screener.screen(COPY).decision is Decision.BLOCK
    deployment.banks.set_state(entry_id, EntryState.WITHDRAWN, reason="x", actor="test")
    assert deployment.screener.screen(COPY).decision is Decision.ALLOW


def test_changes_are_seen_without_being_told(deployment):
    value = hashes(deployment, KNOWN)["pdq"]
    with compose_deployment(deployment.home, decoders=1) as elsewhere:
        elsewhere.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
        (entry_id,) = elsewhere.banks.add("known", [NewEntry("pdq", value)], actor="test").entry_ids
        wait_until(lambda: deployment.screener.screen(COPY).decision is Decision.BLOCK, "the new entry matches")
        elsewhere.banks.set_state(entry_id, EntryState.WITHDRAWN, reason="x", actor="test")
        wait_until(lambda: deployment.screener.screen(COPY).decision is Decision.ALLOW, "it matches no longer")


def near(value: bytes, distance: int) -> bytes:
    """A PDQ hash at that distance from another."""
    return (int.from_bytes(value) ^ ((1 << distance) - 1)).to_bytes(32)


def test_the_allow_list_takes_a_match_out_of_the_decision_and_says_so(deployment):
    value = hashes(deployment, COPY)["pdq"]
    deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
    deployment.banks.add("known", [NewEntry("pdq", near(value, 12))], actor="test")
    (allow_id,) = list_in(deployment, "false-matches", COPY, "pdq", kind=BankKind.ALLOW)
    verdict = deployment.screener.screen(COPY)
    assert verdict.decision is Decision.ALLOW
    assert verdict.matches[0].suppressed_by == f"false-matches#{allow_id}"
    assert deployment.journal.get(verdict.id)["decision"] == "allow"
    # Another copy is not at distance 0 of the allowed one: it still matches.
    assert deployment.screener.screen(file_of(photos()[0].resize((217, 220)), "JPEG", quality=30)).decision == "block"


def test_an_allowed_perceptual_hash_does_not_cover_an_exact_one_and_an_allowed_digest_covers_all(deployment):
    found = hashes(deployment, KNOWN)
    deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
    listed = [NewEntry("pdq", near(found["pdq"], 20)), NewEntry("md5", found["md5"])]
    deployment.banks.add("known", listed, actor="test")
    list_in(deployment, "looks-alike", KNOWN, "pdq", kind=BankKind.ALLOW)
    verdict = deployment.screener.screen(KNOWN)
    assert verdict.decision is Decision.BLOCK
    assert {match.signal: match.suppressed_by is None for match in verdict.matches} == {"md5": True, "pdq": False}
    list_in(deployment, "this-file", KNOWN, "sha256", kind=BankKind.ALLOW)
    assert deployment.screener.screen(KNOWN).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"only words", "unsupported-type"),
        (b"\x07\x01\x00\x02" * 20, "unknown-type"),
        (b"8BPS a layered picture", "unreadable"),
        (b"\xff\xd8\xff\xe0broken", "unreadable"),
        (COPY[: len(COPY) // 2], "damaged"),
    ],
)
def test_what_cannot_be_screened_wholly_is_held_and_written_down(deployment, content, code):
    verdict = deployment.screener.screen(content)
    assert verdict.decision is Decision.HOLD
    assert [reason.code for reason in verdict.reasons] == [code]
    assert deployment.journal.get(verdict.id)["reasons"][0]["code"] == code


def test_a_damaged_copy_of_a_known_picture_is_blocked_all_the_same(deployment):
    list_in(deployment, "known", KNOWN, "pdq")
    whole = file_of(photos()[0], "JPEG", quality=90)
    verdict = deployment.screener.screen(whole[: int(len(whole) * 0.98)])
    assert verdict.decision is Decision.BLOCK
    assert {"match-block", "damaged"} == {reason.code for reason in verdict.reasons}


def test_a_file_that_crashes_its_decoder_is_still_matched_by_its_digest(deployment):
    list_in(deployment, "known", b"words that no decoder reads", "md5")
    assert deployment.screener.screen(b"words that no decoder reads").decision is Decision.BLOCK


def test_an_operator_may_let_named_shortcomings_pass(tmp_path):
    policy = ScreeningPolicy({"unknown-type": Decision.ALLOW, "damaged": Decision.BLOCK})
    with compose_deployment(tmp_path, decoders=1, policy=policy) as deployment:
        assert deployment.screener.screen(b"\x07\x01\x00\x02" * 20).decision is Decision.ALLOW
        assert deployment.screener.screen(b"%PDF-1.7").decision is Decision.HOLD
        assert deployment.screener.screen(COPY[: len(COPY) // 2]).decision is Decision.BLOCK


def test_limits_hold(tmp_path):
    with compose_deployment(tmp_path, decoders=1, limits=Limits(max_bytes=1000, max_pixels=5000)) as deployment:
        codes = [
            deployment.screener.screen(content).reasons[0].code
            for content in (KNOWN, file_of(photos()[0].resize((90, 90)).quantize(2), "PNG"))
        ]
    assert codes == ["too-many-bytes", "too-many-pixels"]


def test_the_same_content_and_lists_give_the_same_verdict(deployment):
    list_in(deployment, "known", KNOWN, "pdq", "md5")
    list_in(deployment, "other", KNOWN, "pdq", policy=Policy(Action.HOLD))
    documents = []
    for _ in range(3):
        document = deployment.screener.screen(KNOWN).document()
        for varying in ("id", "at", "timings"):
            document.pop(varying)
        documents.append(json.dumps(document))
    assert documents[0] == documents[1] == documents[2]


class Broken:
    """A searcher that fails."""

    def __init__(self):
        self.sequences = {"pdq": 1}

    def search_many(self, signal, values, radius):
        raise OSError("the disk is gone")


def test_a_fault_of_ours_is_held_and_loud(deployment, caplog):
    list_in(deployment, "known", KNOWN, "pdq")
    deployment.screener._searcher = Broken()
    with caplog.at_level(logging.ERROR):
        verdict = deployment.screener.screen(OTHER)
    assert verdict.decision is Decision.HOLD
    assert verdict.reasons[0].code == "engine-fault"
    assert "the disk is gone" in caplog.text


def test_lists_that_could_not_be_read_for_long_hold(deployment, monkeypatch):
    assert deployment.screener.screen(OTHER).decision is Decision.ALLOW
    monkeypatch.setattr(deployment.screener, "_lists_age_s", lambda: 31.0)
    verdict = deployment.screener.screen(OTHER)
    assert verdict.decision is Decision.HOLD
    assert [reason.code for reason in verdict.reasons] == ["lists-stale"]


def test_an_index_that_is_not_ready_holds(deployment):
    list_in(deployment, "known", KNOWN, "pdq")
    index = deployment.indexes.by_signal["pdq"]
    with index._refreshing:  # or the thread that follows the lists makes it ready at any moment
        index._fault = "made so by the test"
        assert deployment.screener.screen(OTHER).decision is Decision.HOLD
        assert deployment.shortcomings()


def test_a_verdict_that_cannot_be_written_down_is_not_answered(deployment):
    deployment.store._engine.dispose()

    class Full:
        def record(self, verdict):
            raise StoreError("the disk is full")

    deployment.screener._journal = Full()
    with pytest.raises(StoreError):
        deployment.screener.screen(b"only words")


def test_only_the_items_name_is_kept_of_the_context(deployment):
    verdict = deployment.screener.screen(b"words", Context("item-9", {"email": "someone@example.org"}))
    kept = deployment.journal.get(verdict.id)
    assert kept["context"] == {"item": "item-9"}
    assert "example.org" not in json.dumps(kept)
    with pytest.raises(NotFoundError):
        deployment.journal.get("0" * 32)


def test_hashes_that_the_caller_made_are_screened(deployment):
    list_in(deployment, "known", KNOWN, "pdq")
    value = hashes(deployment, COPY)["pdq"]
    verdict = deployment.screener.screen_hashes([Sample("pdq", value)])
    assert (verdict.decision, verdict.sha256, verdict.media_type) == (Decision.BLOCK, None, None)
    assert deployment.screener.screen_hashes([Sample("pdq", value, quality=10)]).decision is Decision.ALLOW
    with pytest.raises(InputError):
        deployment.screener.screen_hashes([])


def test_many_hashes_are_looked_up_each_on_its_own(deployment):
    list_in(deployment, "known", KNOWN, "pdq", "md5")
    values, other = hashes(deployment, KNOWN), hashes(deployment, OTHER)
    results = deployment.screener.lookup(
        [Sample("pdq", other["pdq"]), Sample("md5", values["md5"]), Sample("pdq", values["pdq"])]
    )
    assert [[match.signal for match in matches] for matches in results] == [[], ["md5"], ["pdq"]]


def test_photodna_values_match_by_the_banks_threshold(deployment):
    value = bytes(range(144))
    near = bytes([value[0] + 3]) + value[1:]
    deployment.banks.create("known", policy=Policy(Action.HOLD, {"photodna": 9}), actor="test")
    deployment.banks.add("known", [NewEntry("photodna", value)], actor="test")
    deployment.refresh()
    assert deployment.screener.screen_hashes([Sample("photodna", near)]).matches[0].distance == 9
    deployment.banks.update("known", policy=Policy(Action.HOLD, {"photodna": 8}), actor="test")
    assert deployment.screener.screen_hashes([Sample("photodna", near)]).decision is Decision.ALLOW


@pytest.mark.slow
def test_the_index_is_built_aside_when_enough_changed_and_serves_on(tmp_path):
    from tests.support.feeds import random_hashes

    with compose_deployment(tmp_path, decoders=1) as deployment:
        deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
        rows = [row.tobytes() for row in random_hashes(12_000, seed=15)]
        deployment.banks.add("known", [NewEntry("pdq", value) for value in rows], actor="test")
        deployment.refresh()

        def built_while_serving() -> bool:
            assert deployment.screener.screen_hashes([Sample("pdq", rows[77])]).decision is Decision.BLOCK
            return deployment.indexes.by_signal["pdq"].changed == 0

        wait_until(built_while_serving, "the index is built")
        assert (tmp_path / "index" / "pdq" / "manifest.json").exists()
        assert deployment.screener.screen_hashes([Sample("pdq", rows[77])]).decision is Decision.BLOCK
    with compose_deployment(tmp_path, decoders=1) as again:
        assert again.screener.screen_hashes([Sample("pdq", rows[-1])]).decision is Decision.BLOCK
