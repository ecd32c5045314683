"""HTTP askers: the status that passes is given to what is allowed and to nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.gateways import COPY, DAMAGED, OTHER, Running, talk
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment
from tutela.gateways import askers

FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}


def form(content: bytes) -> bytes:
    head = b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
    return head + content + b"\r\n--xyz--\r\n"


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tus")


@pytest.fixture(scope="module")
def running(knowing: Deployment, uploads: Path) -> Iterator[Running]:
    settings = {"kind": "askers", "listen": ["127.0.0.1:0"], "roots": [str(uploads)], "sweep_s": 0.2}
    running = Running(knowing, {"ask": settings | {"overrides": {"unknown-type": "allow"}}})
    yield running
    running.stop()


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{running.ports['ask'][0]}", timeout=PATIENCE_S) as client:
        yield client


def test_content_is_judged_as_it_is(client):
    for content, status in ((OTHER, 200), (COPY, 422), (DAMAGED, 403), (b"words", 200)):
        assert client.post("/content", content=content).status_code == status


def test_the_request_of_pict_rs_passes_on_a_status_of_the_200s_only(running):
    """As pict-rs 0.5 sends it: chunked, without a length, with the type that it found."""
    port = ("127.0.0.1", running.ports["ask"][0])
    head = b"POST /content HTTP/1.1\r\nhost: tutela\r\ntransfer-encoding: chunked\r\ncontent-type: image/jpeg\r\n"
    head += b"accept: */*\r\nconnection: close\r\n\r\n"
    for content, passes in ((OTHER, True), (COPY, False), (DAMAGED, False)):
        parts = (content[at : at + 4096] for at in range(0, len(content), 4096))
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        answer, _ = talk(port, head + chunks + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 2") is passes, answer
        cut, _ = talk(port, head + chunks, half_close=True)
        assert not cut.startswith(b"HTTP/1.1 2")


def test_a_forwarded_request_is_unwrapped_whether_its_type_is_forwarded_or_not(client):
    for headers in (FORM, {}):
        assert client.post("/authorize/upload", content=form(COPY), headers=headers).status_code == 422
        assert client.put("/authorize", content=form(OTHER), headers=headers).status_code == 200
    assert client.get("/authorize/page").status_code == 200
    assert client.post("/authorize/x", content=b"{", headers={"Content-Type": "application/json"}).status_code == 403


def hook(path: Path, kind: str = "pre-finish", **upload: object) -> dict[str, object]:
    """As tusd 2 sends it."""
    storage = {"Type": "filestore", "Path": str(path), "InfoPath": f"{path}.info"}
    described = {"ID": path.name, "Size": 1, "Offset": 1, "IsPartial": False, "Storage": storage, "MetaData": {}}
    return {"Type": kind, "Event": {"Upload": described | upload, "HTTPRequest": {"Method": "PATCH", "URI": "/x"}}}


def test_a_finished_upload_is_refused_with_statuses_that_no_client_takes_for_success(client, uploads):
    for number, (content, status) in enumerate(((OTHER, None), (COPY, 422), (DAMAGED, 403))):
        path = uploads / f"upload-{number}"
        path.write_bytes(content)
        for _ in range(2):
            answer = client.post("/tusd", json=hook(path))
            assert answer.status_code == 200
            assert answer.json().get("HTTPResponse", {}).get("StatusCode") == status
        assert client.post("/finished", json={"path": str(path)}).status_code == (status or 200)
        mark = json.loads(Path(f"{path}{askers.MARK}").read_text())
        assert mark["decision"] == {None: "allow", 422: "block", 403: "hold"}[status]
    assert client.post("/tusd", json=hook(uploads / "x", IsPartial=True)).json() == {}
    assert client.post("/tusd", json=hook(uploads / "x", kind="pre-create")).json() == {}


def test_an_upload_that_is_not_there_or_elsewhere_is_never_passed(client, uploads, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(OTHER)
    (uploads / "link").symlink_to(outside)
    for path in (outside, uploads / "none", uploads / "link", uploads / ".." / "x", Path("relative")):
        assert client.post("/finished", json={"path": str(path)}).status_code == 403
        assert client.post("/tusd", json=hook(path)).json()["HTTPResponse"]["StatusCode"] == 403
    for text in (b"{", b"[]", b"{}", b'{"path": ' + b"1" * 300_000):
        assert client.post("/finished", content=text).status_code == 403
    (uploads / "link").unlink()


def test_a_new_upload_of_the_same_name_is_judged_anew(client, uploads):
    path = uploads / "again"
    path.write_bytes(OTHER)
    assert client.post("/finished", json={"path": str(path)}).status_code == 200
    path.write_bytes(COPY)
    assert client.post("/finished", json={"path": str(path)}).status_code == 422


def test_the_sweep_judges_finished_uploads_that_nobody_asked_about(running, uploads):
    for name, content, said in (
        ("tusd-1", COPY, ("info", {"Size": len(COPY), "Offset": 0, "IsPartial": False})),
        ("node-1", OTHER, ("json", {"size": len(OTHER), "id": "node-1", "offset": 0})),
        ("part-1", OTHER, ("info", {"Size": len(OTHER), "IsPartial": True})),
        ("half-1", OTHER[:100], ("info", {"Size": len(OTHER)})),
    ):
        (uploads / name).write_bytes(content)
        (uploads / f"{name}.{said[0]}").write_text(json.dumps(said[1]))
    marks = {name: uploads / f"{name}{askers.MARK}" for name in ("tusd-1", "node-1", "part-1", "half-1")}
    wait_until(lambda: marks["tusd-1"].exists() and marks["node-1"].exists(), "the sweep comes by")
    assert json.loads(marks["tusd-1"].read_text())["decision"] == "block"
    assert json.loads(marks["node-1"].read_text())["decision"] == "allow"
    assert not marks["part-1"].exists() and not marks["half-1"].exists()
