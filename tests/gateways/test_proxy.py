"""The upload proxy: the application gets exactly what was screened, or nothing."""

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.gateways.conftest import MAX_BYTES
from tests.support.applications import Application, application
from tests.support.gateways import BANK, COPY, DAMAGED, OTHER, Running, form, talk
from tests.support.pictures import file_of, photos
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment
from tutela.gateways import proxy
from tutela.screening.jobs.service import JobState

FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}


@pytest.fixture(scope="module")
def behind() -> Iterator[Application]:
    with application() as running:
        yield running


@pytest.fixture(scope="module")
def front(knowing: Deployment, behind: Application) -> Iterator[Running]:
    options = {"application": f"127.0.0.1:{behind.port}", "details": {"uploader": "X-User"}}
    settings = {"kind": "proxy", "listen": ["127.0.0.1:0"], "overrides": {"unknown-type": "allow"}}
    running = Running(knowing, {"uploads": settings | options})
    yield running
    running.stop()


@pytest.fixture
def client(front: Running, behind: Application) -> Iterator[httpx.Client]:
    behind.requests.clear()
    port = front.ports["uploads"][0]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        yield client


def test_what_is_allowed_arrives_byte_for_byte_and_the_answer_comes_back_as_it_is(client, behind):
    body = form(OTHER, b"words")
    answer = client.post("/upload?a=%2F&b=c+d", content=body, headers=FORM | {"X-User": "u1", "Cookie": "c=d"})
    assert (answer.status_code, answer.text) == (201, f"taken {len(body)}")
    assert answer.headers["x-application"] == "yes"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    ((method, target, headers, got),) = behind.requests
    assert (method, target, got) == ("POST", "/upload?a=%2F&b=c+d", body)
    assert headers["cookie"] == "c=d" and headers["x-user"] == "u1"
    assert headers["content-length"] == str(len(body))


def test_every_way_to_send_an_upload_is_screened(client, behind):
    encoded = base64.b64encode(COPY).decode()
    for headers, body in (
        (FORM, form(COPY)),
        (FORM, form(OTHER, COPY)),
        ({"Content-Type": "image/jpeg"}, COPY),
        ({}, COPY),
        ({"Content-Type": "application/json"}, json.dumps({"image": f"data:image/jpeg;base64,{encoded}"}).encode()),
        ({"Content-Type": "application/json"}, json.dumps({"type": "Buffer", "data": list(COPY)}).encode()),
        ({"Content-Type": "application/json"}, json.dumps({"image": COPY.hex()}).encode()),
        ({"Content-Type": "application/x-www-form-urlencoded"}, f"image={quote(COPY)}".encode()),
        (FORM, form(OTHER).replace(b'; filename="a"', b"").replace(OTHER, json.dumps({"data": encoded}).encode())),
        (FORM | {"Content-Encoding": "gzip"}, gzip.compress(form(COPY))),
        ({"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}, gzip.compress(COPY)),
    ):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = client.request(method, "/upload", content=body, headers=headers)
            assert answer.status_code == 422, (method, headers)
            assert re.fullmatch(r"[0-9a-f]{12}", answer.json()["verdict"])
        chunked = client.post("/upload", content=iter([body[:100], body[100:]]), headers=headers)
        assert chunked.status_code == 422, headers
    assert client.post("/upload", content=DAMAGED).status_code == 202
    assert not behind.requests


def test_a_page_is_answered_to_a_browser_and_holds_the_number_only(client):
    answer = client.post("/upload", content=form(COPY), headers=FORM | {"Accept": "text/html,*/*"})
    assert answer.headers["content-type"].startswith("text/html")
    assert re.search(r"Number [0-9a-f]{12}", answer.text)
    assert "pdq" not in answer.text and BANK not in answer.text


def test_forms_that_could_be_read_in_two_ways_are_held(client, behind):
    whole = form(OTHER)
    for headers, body in (
        ({"Content-Type": "multipart/form-data; boundary=xyz; boundary=abc"}, whole),
        ({"Content-Type": "multipart/form-data"}, whole),
        (FORM, whole[:-6]),
        (FORM, whole + b"--xyz\r\n\r\n" + COPY),
        (FORM | {"Content-Encoding": "br"}, whole),
        ({"Content-Type": "application/json"}, b"{"),
    ):
        assert client.post("/upload", content=body, headers=headers).status_code == 202, headers
    two = [("Content-Type", "text/plain"), ("Content-Type", "multipart/form-data; boundary=xyz")]
    assert client.post("/upload", content=whole, headers=two).status_code == 202
    assert not behind.requests


def test_a_piece_of_an_upload_is_held_whatever_is_in_it(client, behind):
    words = b"words, " * 100
    for target, said in (
        ("/", {"Content-Range": "bytes 0-699/1400"}),
        ("/", {"Content-Range": "bytes 700-1399/1400"}),
        ("/", {"Content-Range": "bytes 0-699/*"}),
        ("/", {"Upload-Offset": "0"}),
        ("/", {"Upload-Offset": "700", "Content-Type": "application/x-www-form-urlencoded"}),
        ("/", {"Upload-Length": "1400"}),
        ("/", {"Upload-Complete": "?0"}),
        ("/a?uploadId=x&partNumber=1", {}),
        ("/a?comp=block&blockid=x", {}),
    ):
        assert client.put(target, content=words, headers=said).status_code == 202, (target, said)
    fields = b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%d\r\n' % (b"dztotalchunkcount", 2)
    assert client.post("/", content=fields + form(words), headers=FORM).status_code == 202
    assert not behind.requests
    assert client.post("/", content=fields.replace(b"2\r", b"1\r") + form(words), headers=FORM).status_code == 201
    for said in ({"Content-Range": "bytes 0-699/700"}, {"Upload-Length": "700"}, {"Upload-Complete": "?1"}):
        assert client.put("/", content=words, headers=said).status_code == 201, said


def test_what_an_address_carries_is_screened(client, behind):
    small = file_of(photos()[0].resize((128, 128)), "JPEG", quality=60)
    address = f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
    for query in (f"a=1&avatar={quote(address)}", f"avatar={quote(small)}", f"avatar={small.hex()}"):
        for asked in (
            client.build_request("GET", f"/?{query}"),
            client.build_request("POST", f"/?{query}", data={"b": 1}),
        ):
            assert client.send(asked).status_code == 422, query[:40]
    assert not behind.requests
    assert client.get(f"/?words={'words+' * 100}", headers=FORM).status_code == 200
    ((method, target, headers, _),) = behind.requests
    assert (method, target) == ("GET", f"/?words={'words+' * 100}") and "content-length" not in headers


def test_two_codings_in_two_headers_are_two(client, behind):
    said = [("Content-Type", "text/plain"), ("Content-Encoding", "identity"), ("Content-Encoding", "br")]
    assert client.post("/", content=b"words", headers=said).status_code == 202
    assert not behind.requests


def test_smuggled_requests_reach_nobody(front, behind):
    behind.requests.clear()
    port = ("127.0.0.1", front.ports["uploads"][0])
    inner = b"POST /inner HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(COPY) + COPY
    for head, body in (
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + inner),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello" + inner),
        (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + inner),
        (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + inner),
        (b"Content-Length: +5\r\n", b"hello"),
        (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + inner),
    ):
        answer, _ = talk(port, b"POST /outer HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + body, half_close=True)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.1 202")), (head, answer)
    assert all(body == b"" for body in behind.bodies)
    assert not any(target == "/inner" for _, target, _, _ in behind.requests)


def test_requests_behind_each_other_keep_their_bodies_apart(front, behind):
    behind.requests.clear()
    port = ("127.0.0.1", front.ports["uploads"][0])
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
    first = head % len(OTHER) + b"\r\n" + OTHER
    last = head % len(COPY) + b"Connection: close\r\n\r\n" + COPY
    for at in (len(first), len(first) + 10, len(first) + len(last) - 1_000):
        answer, how = talk(port, (first + last)[:at], (first + last)[at:], gap_s=0.05)
        assert how == "closed"
        assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"201", b"422"], at
    assert behind.bodies == [OTHER] * 3


def test_requests_without_a_body_pass_and_some_methods_never(client, behind):
    assert client.get("/page").text == "taken 0"
    assert client.head("/page").status_code == 200
    assert client.options("/page").status_code == 200
    assert client.request("TRACE", "/page").status_code == 501
    assert client.get("/page", headers={"Upgrade": "websocket", "Connection": "upgrade"}).status_code == 501
    assert len(behind.requests) == 3


def test_an_upload_over_the_limit_is_held_and_its_form_is_unpacked_by_the_job(client, front, behind, knowing):
    knowing.job_runner.start()
    body = form(bytes(MAX_BYTES), COPY)
    answer = client.post("/upload", content=body, headers=FORM)
    assert answer.status_code == 202
    number = answer.json()["verdict"]

    def ended() -> bool:
        found = [job for job in knowing.jobs.all() if job.id.startswith(number)]
        return bool(found) and found[0].state is JobState.DONE and found[0].verdict["decision"] == "block"

    wait_until(ended, "the job finds the picture in the form")
    knowing.job_runner.stop()
    assert not behind.requests
    wait_until(lambda: front.capacity.held_bytes == 0, "the memory is given back")


def test_many_uploads_at_once_are_told_apart(client, behind):
    statuses: list[int] = []

    def send(number: int) -> None:
        content = COPY if number % 5 == 0 else OTHER
        body = form(content, b"%d" % number)
        statuses.append(client.post("/upload", content=body, headers=FORM).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(statuses) == [201] * 32 + [422] * 8
    assert sorted(behind.bodies) == sorted(form(OTHER, b"%d" % number) for number in range(40) if number % 5)


def test_an_application_that_is_away_is_said_to_be(knowing, tmp_path):
    settings = {"kind": "proxy", "listen": [str(tmp_path / "s")], "application": str(tmp_path / "none")}
    running = Running(knowing, {"uploads": settings})
    try:
        transport = httpx.HTTPTransport(uds=str(tmp_path / "s"))
        with httpx.Client(transport=transport, base_url="http://x", timeout=PATIENCE_S) as client:
            assert client.post("/", content=OTHER).status_code == 502
            assert client.post("/", content=COPY).status_code == 422
        asking = proxy.KIND.asking(proxy.ProxyOptions.model_validate(settings))
        assert asking(OTHER) is True
        assert asking(DAMAGED) is False
    finally:
        running.stop()
