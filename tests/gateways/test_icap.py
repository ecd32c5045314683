"""The ICAP gateway as proxies meet it: what is allowed comes back unchanged, what is not by the grammar is no pass."""

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateways.conftest import MAX_BYTES
from tests.support.gateways import BANK, COPY, DAMAGED, OTHER, Running, connected, everything, form, talk
from tests.support.waiting import wait_until
from tutela.deployment.composition import Deployment
from tutela.gateways.icap.messages import BadRequestError, check_http_head, parse_chunk, parse_encapsulated, parse_head
from tutela.gateways.icap.options import IcapOptions
from tutela.gateways.icap.service import KIND
from tutela.gateways.listeners import ListenAddress
from tutela.lists.banks.model import NewEntry

POST = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n\r\n"
FORM = POST % b"multipart/form-data; boundary=xyz"
PLAIN = POST % b"application/octet-stream"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"


def chunks(content: bytes, size: int = 4096, end: bytes = b"0\r\n\r\n") -> bytes:
    parts = (content[at : at + size] for at in range(0, len(content), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def reqmod(body: bytes, http: bytes = PLAIN, extra: bytes = b"Allow: 204\r\n", service: bytes = b"tutela") -> bytes:
    head = b"REQMOD icap://x/%s ICAP/1.0\r\nHost: x\r\n%s" % (service, extra)
    return head + b"Encapsulated: req-hdr=0, req-body=%d\r\n\r\n" % len(http) + http + body


def respmod(body: bytes, answer: bytes = ANSWER, extra: bytes = b"Allow: 204\r\n") -> bytes:
    get = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"RESPMOD icap://x/tutela ICAP/1.0\r\nHost: x\r\n%s" % extra
    carried = b"Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d\r\n\r\n" % (len(get), len(get) + len(answer))
    return head + carried + get + answer + body


CLOSE = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def icap(knowing: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path: Path = tmp_path_factory.mktemp("icap") / "socket"
    settings = {"kind": "icap", "listen": [str(path)], "overrides": {"unknown-type": "allow"}, "first_s": 5}
    running = Running(knowing, {"icap": settings})
    yield str(path)
    wait_until(lambda: running.capacity.held_bytes == 0, "the memory is given back")
    running.stop()


def refused(answer: bytes) -> bool:
    return answer.startswith(b"ICAP/1.0 200 OK\r\n") and b"HTTP/1.1 403 Forbidden" in answer


def test_options_says_what_the_service_can_do(icap):
    answer, _ = talk(icap, b"OPTIONS icap://x/tutela ICAP/1.0\r\nHost: x\r\n\r\n", half_close=True)
    assert answer.startswith(b"ICAP/1.0 200 OK\r\n")
    for line in (b"Methods: RESPMOD, REQMOD", b"Allow: 204", b"Preview: 1024", b"Transfer-Preview: *"):
        assert line in answer
    assert re.search(rb'ISTag: "[^"]{1,30}"', answer)


def test_the_tag_changes_with_the_lists(icap, knowing):
    def tag() -> bytes:
        answer, _ = talk(icap, b"OPTIONS icap://x/tutela ICAP/1.0\r\nHost: x\r\n\r\n", half_close=True)
        return re.search(rb"ISTag: (\S+)", answer)[1]

    before = tag()
    assert tag() == before

    entry = NewEntry("sha256", hashlib.sha256(b"one more").digest())
    knowing.banks.add(BANK, [entry], actor="test", reason="for the test")
    knowing.refresh()
    assert tag() != before


def test_uploads_are_judged_whatever_they_come_in(icap):
    for body, http, passes in (
        (OTHER, PLAIN, True),
        (COPY, PLAIN, False),
        (form(OTHER), FORM, True),
        (form(OTHER, COPY), FORM, False),
        (form(COPY), b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", False),
        (DAMAGED, PLAIN, False),
        (form(OTHER)[:-4], FORM, False),
    ):
        answer, _ = talk(icap, reqmod(chunks(body), http, b"Allow: 204\r\n" + CLOSE))
        assert answer.startswith(b"ICAP/1.0 204 ") is passes
        assert refused(answer) is not passes
    answer, _ = talk(icap, respmod(chunks(COPY), extra=CLOSE))
    assert refused(answer)
    assert re.search(rb"X-Infection-Found: Type=0; Resolution=2; Threat=Tutela\.Blocked\.[0-9a-f]{12};\r\n", answer)
    assert re.search(rb"X-Violations-Found: 1\r\n\t-\r\n\tTutela\.\S+\r\n\t0\r\n\t2\r\n", answer)
    head = re.search(rb"res-hdr=0, res-body=(\d+)\r\n\r\n", answer)
    page = answer[head.end() :]
    assert page[: int(head[1])].endswith(b"\r\n\r\n") and page.endswith(b"\r\n0\r\n\r\n")


def test_where_204_is_not_allowed_the_echo_is_the_same_bytes(icap):
    for size in (1, 4096, 1 << 20):
        answer, _ = talk(icap, reqmod(chunks(OTHER, size), extra=CLOSE))
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"ICAP/1.0 200 OK") and b"Encapsulated: req-hdr=0, req-body=%d" % len(PLAIN) in head
        assert rest == PLAIN + b"%x\r\n%s\r\n0\r\n\r\n" % (len(OTHER), OTHER)
    answer, _ = talk(icap, respmod(chunks(OTHER), extra=CLOSE))
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b"Encapsulated: res-hdr=0, res-body=%d" % len(ANSWER) in head
    assert rest == ANSWER + b"%x\r\n%s\r\n0\r\n\r\n" % (len(OTHER), OTHER)
    answer, _ = talk(icap, reqmod(chunks(b""), extra=CLOSE))
    assert answer.endswith(PLAIN + b"0\r\n\r\n") or answer.startswith(b"ICAP/1.0 200 OK")


def test_a_preview_is_answered_by_continue_or_by_the_verdict(icap):
    extra = b"Preview: 1024\r\n" + CLOSE
    with connected(icap) as connection:
        connection.sendall(reqmod(chunks(COPY[:1024]), extra=extra))
        assert connection.recv(100) == b"ICAP/1.0 100 Continue\r\n\r\n"
        connection.sendall(chunks(COPY[1024:]))
        assert refused(everything(connection)[0])
    answer, _ = talk(icap, reqmod(chunks(b"words", end=b"0; ieof\r\n\r\n"), extra=extra))
    assert answer.startswith(b"ICAP/1.0 204 ")
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    nothing = (
        b"REQMOD icap://x/tutela ICAP/1.0\r\nHost: x\r\nPreview: 0\r\nEncapsulated: req-hdr=0, null-body=%d\r\n\r\n"
    )
    answer, _ = talk(icap, nothing % len(get) + get, half_close=True)
    assert answer.startswith(b"ICAP/1.0 204 ")


def test_requests_on_one_connection_are_answered_in_order(icap):
    three = reqmod(chunks(OTHER)) + respmod(chunks(COPY)) + reqmod(chunks(b"words"), extra=b"Allow: 204\r\n" + CLOSE)
    answer, how = talk(icap, three)
    assert how == "closed"
    codes = re.findall(rb"ICAP/1\.0 (\d+)", answer)
    assert codes == [b"204", b"200", b"204"]


def test_what_is_not_by_the_grammar_is_400_and_the_end(icap):
    cut = len(PLAIN)
    good = reqmod(chunks(OTHER))
    for request in (
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        good.replace(b"req-hdr=0, req-body=%d" % cut, b"req-hdr=0, req-body=%d" % (cut - 1)),
        good.replace(b"req-hdr=0, req-body=%d" % cut, b"req-hdr=1, req-body=%d" % cut),
        good.replace(b"req-hdr=0, req-body=%d" % cut, b"req-body=%d, req-hdr=0" % cut),
        good.replace(b"req-hdr=0, req-body=%d" % cut, b"res-hdr=0, res-body=%d" % cut),
        good.replace(b"Encapsulated: ", b"X: "),
        good.replace(b"Allow: 204", b"Allow: 204\r\n folded"),
        good.replace(b"Host: x\r\nAllow", b"Host: x\r\nX: " + b"a" * 100_000 + b"\r\nAllow"),
        good.replace(b"Encapsulated: ", b"Encapsulated: null-body=0\r\nEncapsulated: "),
        good.replace(b"\r\n1000\r\n", b"\r\nxyz\r\n", 1)
        if b"\r\n1000\r\n" in good
        else good.replace(b"ICAP/1.0", b"I/1"),
        reqmod(b"5\r\nlonger than five\r\n0\r\n\r\n"),
        reqmod(chunks(OTHER), extra=b"Preview: 10\r\n"),
        reqmod(chunks(OTHER), extra=b"Preview: -1\r\n"),
        reqmod(chunks(OTHER), b"POST / HTTP/1.1\r\nContent-Type:\r\n application/json\r\n\r\n"),
    ):
        answer, how = talk(icap, request)
        assert answer.startswith(b"ICAP/1.0 400 ") and how == "closed", (request[:200], answer)
    assert talk(icap, reqmod(chunks(OTHER), service=b"other"))[0].startswith(b"ICAP/1.0 404 ")
    for part in (good[:-2], good[:300], good[:50]):
        assert talk(icap, part, half_close=True)[0] == b""


def test_a_part_of_a_file_and_what_is_too_long_are_held(icap):
    partial = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/100\r\n\r\n"
    assert refused(talk(icap, respmod(chunks(OTHER), partial, CLOSE))[0])
    answer, _ = talk(icap, reqmod(chunks(bytes(MAX_BYTES + 1), 65_536), extra=CLOSE))
    assert refused(answer) and b"Tutela.Held." in answer


def test_a_running_gateway_is_checked_through_its_protocol(icap):
    asking = KIND.asking(IcapOptions(kind="icap", listen=(ListenAddress(path=icap),)))
    assert asking(OTHER) is True
    assert asking(DAMAGED) is False


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_bad_request(data):
    for parse in (
        parse_head,
        parse_chunk,
        check_http_head,
        lambda text: parse_encapsulated(text.decode("latin-1"), "REQMOD"),
    ):
        try:
            parse(data)
        except BadRequestError:
            continue


def test_a_head_takes_time_by_its_length_alone():
    spaces = b" " * 60_000
    began = time.thread_time()
    for parse, text in (
        (parse_head, b"OPTIONS icap://x/y ICAP/1.0\r\nX:" + spaces + b"\x00"),
        (parse_chunk, b"1;" + spaces + b"\r"),
        (parse_chunk, b"1" + spaces + b"x"),
    ):
        with pytest.raises(BadRequestError):
            parse(text)
    assert time.thread_time() - began < 2, "by its square, it would be a minute"
