"""Each kind of exchange against its strict stand-in, and the stand-in against a client that is not ours."""

import base64
import gzip
import hashlib
import random
import re
from pathlib import Path

import pytest
from arachnid_shield_sdk import ArachnidShield
from arachnid_shield_sdk.models import ScanMediaFromPdq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from threatexchange.exchanges.clients.fb_threatexchange.api import ThreatExchangeAPI
from threatexchange.exchanges.clients.stopncii.api import StopNCIIAPI, StopNCIICaseStatus

from tests.support.exchange_tools import QUICK, exported, listed, puller
from tests.support.feeds import random_hashes
from tests.support.standins.arachnid import ArachnidStandIn
from tests.support.standins.server import Fault, Faulty, served
from tests.support.standins.stopncii import StopNciiStandIn
from tests.support.standins.threatexchange import TOKEN, ThreatExchangeStandIn
from tutela.errors import InputError
from tutela.foundation.http import HttpError, RefusedError
from tutela.lists.banks.model import EntryState
from tutela.lists.exchanges.base import ExchangeError, Feedback, Opinion, Share
from tutela.lists.exchanges.inquiry import look_up
from tutela.lists.exchanges.puller import ShrunkenError
from tutela.lists.exchanges.service import Exchanges

PDQ = [row.tobytes().hex() for row in random_hashes(1000, seed=77)]
T0 = 1_700_000_000


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in {
        "SUBSCRIPTION": "subscription-key",
        "FETCH": "fk",
        "FEEDBACK": "bk",
        "SUBMIT": "sk",
        "TOKEN": TOKEN,
        "SHIELD_USER": "shield",
        "SHIELD_PASSWORD": "right-password",
    }.items():
        monkeypatch.setenv(name, secret)


def pull(exchanges: Exchanges, name: str, **options):
    return puller(exchanges).pull(name, actor="test", **options)


def values(exchanges: Exchanges) -> set[tuple[str, str]]:
    return {(signal, value.hex()) for _, signal, value, _ in listed(exchanges)}


# --- StopNCII


def add_stopncii(exchanges: Exchanges, address: str) -> None:
    keys = {"subscription_key": "env:SUBSCRIPTION", "fetch_key": "env:FETCH"}
    more = {"feedback_key": "env:FEEDBACK", "submit_key": "env:SUBMIT", "url": f"{address}/v1"}
    exchanges.add("stopncii", "stopncii", "known", {**keys, **more}, actor="test")


def filled_stopncii(count: int) -> StopNciiStandIn:
    service = StopNciiStandIn()
    for number, value in enumerate(PDQ[:count]):
        service.put("ImagePDQ", value, "Received" if number % 2 else "Active", T0 + number // 3)
    service.put("VideoMD5", "0f" * 16, "Active", T0)
    service.put("URL", "https://example.org/a/" + "long/" * 80, "Active", T0)
    return service


def test_stopncii_records_replace_each_other_and_withdrawn_ones_go(exchanges):
    service = filled_stopncii(900)
    with served(service.app()) as address:
        add_stopncii(exchanges, address)
        pull(exchanges, "stopncii")
        assert values(exchanges) == {("pdq", value) for value in PDQ[:900]} | {("md5", "0f" * 16)}
        assert exchanges.unknown_fingerprints("stopncii") == {"URL": 1}
        service.put("ImagePDQ", PDQ[0], "Withdrawn", T0 + 10_000)
        service.put("ImagePDQ", PDQ[1], "Deleted", T0 + 10_000)
        service.put("ImagePDQ", PDQ[950], "Active", T0 + 10_000)
        result = pull(exchanges, "stopncii")
        assert (result.listed, result.withdrawn, result.pages) == (1, 2, 1)
        assert values(exchanges) == {("pdq", v) for v in [*PDQ[2:900], PDQ[950]]} | {("md5", "0f" * 16)}


def test_the_independent_client_sees_the_same_records_of_stopncii(exchanges):
    service = filled_stopncii(850)
    service.put("ImagePDQ", PDQ[3], "Withdrawn", T0 + 5)
    with served(service.app()) as address:
        client = StopNCIIAPI("subscription-key", "fk", base_url_override=f"{address}/v1")
        theirs = {
            (r.signalType.value, r.hashValue): r.hashStatus for p in client.fetch_hashes_iter() for r in p.hashRecords
        }
        add_stopncii(exchanges, address)
        pull(exchanges, "stopncii")
    gone = {StopNCIICaseStatus.Withdrawn, StopNCIICaseStatus.Deleted}
    kinds = {"ImagePDQ": "pdq", "VideoMD5": "md5"}
    assert values(exchanges) == {
        (kinds[kind], value) for (kind, value), status in theirs.items() if status not in gone and kind in kinds
    }
    assert len(theirs) == 852


def test_a_token_of_stopncii_that_is_no_longer_known_begins_the_run_anew(exchanges):
    service = filled_stopncii(1000)
    answers = iter([None])
    faulty = Faulty(service.app(), lambda _: next(answers, Fault.CUT))
    with served(faulty) as address, pytest.raises(HttpError):
        add_stopncii(exchanges, address)
        pull(exchanges, "stopncii")
    assert exchanges.get("stopncii").listed == 800
    service.epoch += 1
    with served(service.app()) as address:
        exchanges.update("stopncii", options={"url": f"{address}/v1"})
        pull(exchanges, "stopncii")
    assert exchanges.get("stopncii").listed == 1002


def test_stopncii_takes_feedback_and_hashes_with_the_key_of_each(exchanges):
    service = filled_stopncii(3)
    with served(service.app()) as address:
        add_stopncii(exchanges, address)
        connection = exchanges.open(exchanges.get("stopncii"), QUICK)
        for opinion, value in zip(Opinion, ("Blocked", "NotBlocked", "PendingReview"), strict=True):
            connection.give_feedback(Feedback(f"ImagePDQ:{PDQ[0]}", "pdq", PDQ[0], opinion))
            assert service.feedback[PDQ[0]]["feedbackValue"] == value
        connection.share(Share("entry-1", "image", None, (("pdq", PDQ[9]), ("sha1", "00" * 20))))
        assert [(r["signalType"], r["hashValue"]) for r in service.submitted] == [("ImagePDQ", PDQ[9])]
        with pytest.raises(RefusedError):
            connection.give_feedback(Feedback("", "pdq", PDQ[500], Opinion.CONFIRMED))
        connection.close()


# --- ThreatExchange


def add_threatexchange(exchanges: Exchanges, address: str, **options: str) -> None:
    given = {"token": "env:TOKEN", "privacy_group": ThreatExchangeStandIn().group, "url": f"{address}/v26.0"}
    exchanges.add("te", "threatexchange", "known", {**given, **options}, actor="test")


def filled_threatexchange(count: int) -> ThreatExchangeStandIn:
    service = ThreatExchangeStandIn()
    for number, value in enumerate(PDQ[:count]):
        service.put(100 + number, "HASH_PDQ", value, T0 + number, tags=("A1",) if number % 2 else ())
    service.put(9000, "HASH_VIDEO_MD5", "0e" * 16, T0)
    return service


def test_threatexchange_changes_are_followed_page_by_page(exchanges):
    service = filled_threatexchange(1000)
    with served(service.app()) as address:
        add_threatexchange(exchanges, address)
        pull(exchanges, "te")
        assert values(exchanges) == {("pdq", value) for value in PDQ} | {("md5", "0e" * 16)}
        service.put(100, "HASH_PDQ", PDQ[0], T0 + 5000, deleted=True)
        service.put(101, "HASH_PDQ", PDQ[1], T0 + 5000, status="NON_MALICIOUS")
        service.put(102, "HASH_PDQ", PDQ[2], T0 + 5000, tags=("B1",))
        result = pull(exchanges, "te")
        assert (result.withdrawn, result.changed) == (2, 1)
        assert values(exchanges) == {("pdq", value) for value in PDQ[2:]} | {("md5", "0e" * 16)}
        assert {label for reference, *_, label in listed(exchanges) if reference == "102"} == {"B1"}


def test_the_independent_client_sees_the_same_changes_of_threatexchange(exchanges):
    service = filled_threatexchange(700)
    service.put(105, "HASH_PDQ", PDQ[5], T0 + 9, deleted=True)
    with served(service.app()) as address:
        client = ThreatExchangeAPI(TOKEN, endpoint_override=f"{address}/v26.0")
        theirs = {}
        for page in client.get_threat_updates(int(service.group), page_size=50, start_time=0):
            theirs |= {(u["type"], u["indicator"]): u["should_delete"] for u in page}
        add_threatexchange(exchanges, address)
        pull(exchanges, "te")
    kinds = {"HASH_PDQ": "pdq", "HASH_VIDEO_MD5": "md5"}
    assert values(exchanges) == {(kinds[kind], value) for (kind, value), deleted in theirs.items() if not deleted}
    assert len(theirs) == 701


def test_a_token_is_in_no_checkpoint_no_error_and_no_log(exchanges, caplog):
    caplog.set_level("DEBUG")
    service = filled_threatexchange(1000)
    answers = iter([None])
    with served(Faulty(service.app(), lambda _: next(answers, Fault.ERROR))) as address:
        add_threatexchange(exchanges, address)
        with pytest.raises(HttpError):
            pull(exchanges, "te")
    row = exchanges.get("te")
    assert row.checkpoint is not None and "after" in row.checkpoint
    secret = TOKEN.partition("|")[2]
    assert secret not in f"{row.checkpoint} {row.error} {row.options} {caplog.text}"


def test_the_next_page_is_asked_of_the_same_service_only(exchanges):
    service = filled_threatexchange(1000)
    service.next_host = "http://localhost:1"
    with served(service.app()) as address:
        add_threatexchange(exchanges, address)
        with pytest.raises(ExchangeError, match="another address"):
            pull(exchanges, "te")


def test_a_rate_limit_is_waited_for(exchanges):
    service = filled_threatexchange(10)
    service.pages_to_limit = 2
    with served(service.app()) as address:
        add_threatexchange(exchanges, address)
        pull(exchanges, "te")
    assert exchanges.get("te").listed == 11


def test_threatexchange_takes_reactions_and_descriptors(exchanges):
    service = filled_threatexchange(3)
    with served(service.app()) as address:
        add_threatexchange(exchanges, address)
        connection = exchanges.open(exchanges.get("te"), QUICK)
        connection.give_feedback(Feedback("100", "pdq", PDQ[0], Opinion.CONFIRMED))
        connection.give_feedback(Feedback("101", "pdq", PDQ[1], Opinion.REJECTED))
        connection.share(Share("entry-7", "image", "A1", (("pdq", PDQ[9]),), "confirmed here"))
        connection.close()
    assert service.reactions == {"7100": "HELPFUL", "7101": "DISAGREE_WITH_TAGS"}
    assert service.descriptors[("HASH_PDQ", PDQ[9])]["tags"] == "A1"


# --- Project Arachnid


def test_shield_is_asked_by_hash_and_what_it_names_is_listed(exchanges, monkeypatch):
    service = ArachnidStandIn()
    sha1, sha256 = hashlib.sha1(b"x").hexdigest(), hashlib.sha256(b"x").hexdigest()
    service.known[bytes.fromhex(PDQ[0])] = (sha1, sha256)
    near = (int(PDQ[0], 16) ^ 0b1011).to_bytes(32).hex()
    with served(service.app()) as address:
        options = {"user": "env:SHIELD_USER", "password": "env:SHIELD_PASSWORD", "url": address}
        exchanges.add("shield", "arachnid", "known", options, actor="test")
        asked = [("pdq", near), *(("pdq", value) for value in PDQ[1:150])]
        found = look_up(exchanges, "shield", asked, actor="test", patience=QUICK)
        assert [(item.value, item.label) for item in found] == [(near, "csam")]
        assert values(exchanges) == {("sha1", sha1), ("sha256", sha256)}
        assert len(service.asked) == 150
        pull(exchanges, "shield")
        assert values(exchanges) == {("sha1", sha1), ("sha256", sha256)}
        monkeypatch.setattr("arachnid_shield_sdk.api.client._ArachnidShield.base_url", f"{address}/")
        client = ArachnidShield("shield", "right-password")
        texts = [base64.b64encode(bytes.fromhex(value)).decode() for value in (near, PDQ[1])]
        theirs = client.scan_pdq_hashes(ScanMediaFromPdq(hashes=texts)).scanned_hashes
        assert [theirs[text].classification for text in texts] == ["csam", "no-known-match"]


# --- files


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(["Hash Value,Hash Type,Category,Ref", *lines]) + "\n")


def lines_of(numbers: range) -> list[str]:
    return [f"{PDQ[number]},pdq,A,case-{number}" for number in numbers]


def test_a_file_is_followed_and_what_it_no_longer_has_is_withdrawn(exchanges, tmp_path):
    path = tmp_path / "list.csv"
    write(path, [*lines_of(range(200)), f"{'0a' * 16},md5,B,case-0"])
    options = {"path": str(path), "column_value": "Hash Value", "column_label": "Category", "column_reference": "Ref"}
    exchanges.add("iwf", "files", "known", {**options, "column_signal": "Hash Type"}, actor="test")
    assert pull(exchanges, "iwf").listed == 201
    assert {label for *_, label in listed(exchanges)} == {"A", "B"}
    assert pull(exchanges, "iwf").pages == 1
    write(path, lines_of(range(10, 210)))
    result = pull(exchanges, "iwf")
    assert (result.listed, result.withdrawn) == (10, 11)
    assert values(exchanges) == {("pdq", value) for value in PDQ[10:210]}


def test_a_list_that_lost_much_is_not_believed_until_a_person_says_so(exchanges, tmp_path):
    path = tmp_path / "list.csv"
    write(path, lines_of(range(200)))
    exchanges.add("iwf", "files", "known", {"path": str(path), "column_reference": "Ref"}, actor="test")
    pull(exchanges, "iwf")
    write(path, lines_of(range(5)))
    for _ in range(2):
        with pytest.raises(ShrunkenError, match="lacks 195 of 200"):
            pull(exchanges, "iwf")
    assert len(listed(exchanges)) == 200
    assert "accept-shrinking" in (exchanges.get("iwf").error or "")
    pull(exchanges, "iwf", accept_shrinking=True)
    assert values(exchanges) == {("pdq", value) for value in PDQ[:5]}


def test_an_emptied_file_withdraws_nothing(exchanges, tmp_path):
    path = tmp_path / "list.csv"
    write(path, lines_of(range(100)))
    exchanges.add("iwf", "files", "known", {"path": str(path)}, actor="test")
    pull(exchanges, "iwf")
    path.write_text("")
    with pytest.raises(ShrunkenError):
        pull(exchanges, "iwf")
    assert len(listed(exchanges)) == 100


def test_a_folder_is_one_list_and_two_files_may_list_the_same_value(exchanges, tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    write(folder / "one.csv", lines_of(range(30)))
    write(folder / "two.csv", lines_of(range(20, 50)))
    with gzip.open(folder / "three.txt.gz", "wt") as file:
        file.write("\n".join(PDQ[60:70]))
    exchanges.add("hotline", "files", "known", {"path": str(folder), "signal": "pdq"}, actor="test")
    pull(exchanges, "hotline")
    assert values(exchanges) == {("pdq", value) for value in [*PDQ[:50], *PDQ[60:70]]}
    write(folder / "two.csv", lines_of(range(40, 50)))
    pull(exchanges, "hotline")
    assert values(exchanges) == {("pdq", value) for value in [*PDQ[:30], *PDQ[40:50], *PDQ[60:70]]}


def test_a_checksum_and_a_signature_are_compared_before_a_line_counts(exchanges, tmp_path):
    path, key = tmp_path / "list.csv", Ed25519PrivateKey.generate()
    write(path, lines_of(range(10)))
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    options = {"path": str(path), "checksum": "sidecar", "public_key": public}
    exchanges.add("signed", "files", "known", options, actor="test")
    beside = path.with_name("list.csv.sha256")
    beside.write_text(f"{'00' * 32}  list.csv\n")
    path.with_name("list.csv.sig").write_bytes(key.sign(path.read_bytes()))
    with pytest.raises(ExchangeError, match="checksum"):
        pull(exchanges, "signed")
    beside.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  list.csv\n")
    assert pull(exchanges, "signed").listed == 10
    write(path, lines_of(range(11)))
    beside.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  list.csv\n")
    with pytest.raises(ExchangeError, match="not signed"):
        pull(exchanges, "signed")
    assert len(listed(exchanges)) == 10


@pytest.mark.slow
def test_a_long_list_that_is_killed_goes_on_where_it_was(exchanges, tmp_path):
    path = tmp_path / "list.txt"
    rng = random.Random(4)
    path.write_text("\n".join(rng.randbytes(16).hex() for _ in range(12_000)))
    exchanges.add("long", "files", "known", {"path": str(path)}, actor="test")

    class Killed(Exception):
        pass

    def kill(_):
        raise Killed

    with pytest.raises(Killed):
        puller(exchanges).pull("long", actor="test", on_page=kill)
    assert exchanges.get("long").listed == 5000
    result = pull(exchanges, "long")
    assert (result.listed, result.unchanged) == (7000, 0)
    before = exported(exchanges)
    pull(exchanges, "long", full=True)
    assert exported(exchanges) == before


def test_a_list_at_an_address_is_fetched_only_when_it_changed(exchanges):
    body, asked = ["\n".join(PDQ[:20]).encode()], []

    def answer(request: Request) -> Response:
        tag = f'"{hashlib.md5(body[0]).hexdigest()}"'
        asked.append(request.headers.get("if-none-match"))
        if request.headers.get("authorization") != "Bearer subscription-key":
            return Response(status_code=403)
        return Response(status_code=304) if asked[-1] == tag else Response(body[0], headers={"etag": tag})

    with served(Starlette(routes=[Route("/list.txt", answer)])) as address:
        options = {"url": f"{address}/list.txt", "signal": "pdq", "token": "env:SUBSCRIPTION"}
        exchanges.add("web", "files", "known", options, actor="test")
        pull(exchanges, "web")
        pull(exchanges, "web")
        assert asked[0] is None and asked[1] is not None
        body[0] = "\n".join(PDQ[:25]).encode()
        assert pull(exchanges, "web").listed == 5
    with pytest.raises(InputError, match="https"):
        exchanges.add("http", "files", "known", {"url": "http://example.org/list.txt"}, actor="test")
        pull(exchanges, "http")


def test_bad_lines_are_counted_and_the_rest_is_listed(exchanges, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\n".join([*PDQ[:5], "no hash", "zz" * 16, *PDQ[5:8]]))
    exchanges.add("dirty", "files", "known", {"path": str(path), "signal": "pdq"}, actor="test")
    assert pull(exchanges, "dirty").rejected == 2
    assert exchanges.get("dirty").rejected == 2
    assert len(listed(exchanges, state=EntryState.ACTIVE)) == 8


# --- a sixth kind, by its docs page


def test_the_exchange_of_the_docs_page_works_as_it_stands_there(exchanges, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "add-an-exchange.md").read_text()
    module: dict = {"__name__": "example_hotline"}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), module)
    kind = module["KIND"]
    monkeypatch.setattr("tutela.lists.exchanges.registry.kinds", lambda: {kind.name: kind})
    changes = [{"number": n + 1, "name": f"a-{n}", "pdq": PDQ[n], "category": "A"} for n in range(25)]

    def answer(request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer fk":
            return Response(status_code=401)
        later = [change for change in changes if change["number"] > int(request.query_params["after"])]
        return JSONResponse({"changes": later[:10], "more": len(later) > 10})

    with served(Starlette(routes=[Route("/changes", answer)])) as address:
        options = {"url": address, "token": "env:FETCH"}
        exchanges.add("hotline", "example-hotline", "known", options, actor="test")
        assert pull(exchanges, "hotline").pages == 3
        changes.append({"number": 26, "name": "a-3", "gone": True})
        assert pull(exchanges, "hotline").withdrawn == 1
    assert values(exchanges) == {("pdq", value) for value in [*PDQ[:3], *PDQ[4:25]]}
    assert {label for *_, label in listed(exchanges)} == {"A"}
