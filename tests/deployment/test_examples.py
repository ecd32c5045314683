"""The example applications, each run as its README says, with a benign picture that stands for known material."""

import contextlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.support.pictures import draw_scene, file_of, photos
from tests.support.service import Service, free_port
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.casework.cases.model import CaseItem, CaseSummary
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.review_key import read_review_key
from tutela.deployment.casework import Casework, opened_casework
from tutela.deployment.installation import REVIEW_KEY, Plan, install, keys_beside
from tutela.deployment.library import open_deployment
from tutela.deployment.settings import load_settings
from tutela.foundation.outbox.webhooks import new_secret, read_secret, signed_headers
from tutela.lists.banks.model import Action, NewEntry, Policy

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
KNOWN = photos()[0]
KNOWN_FILE = file_of(KNOWN, "JPEG", quality=92)
ALTERED = file_of(KNOWN.resize((380, 380)), "WEBP", quality=60)
WATCHED_FILE = file_of(photos()[1], "JPEG", quality=92)
UNRELATED = file_of(draw_scene(3), "JPEG")
BROKEN = KNOWN_FILE[: len(KNOWN_FILE) // 2]
SECRET = new_secret()
SETTINGS = """
[cases]
callback = true

[cases.default.on_outcome]
reject = ["restore"]
confirm = ["hide"]

[webhooks.site]
url = "http://127.0.0.1:{port}/decisions"
secrets = ["file:{secret}"]
events = ["effect.hide", "effect.restore"]

[reports.organisation]
name = "Example Ltd"
"""


@dataclass
class Site:
    """An example that runs, and where it keeps what it published and what it holds."""

    client: httpx.Client
    folder: Path
    fields: dict[str, str]
    example: str

    def send(self, content: bytes, name: str = "holiday.jpg") -> httpx.Response:
        headers = {"X-Forwarded-User": self.sender}
        return self.client.post("/pictures", files={"picture": (name, content)}, data=self.fields, headers=headers)

    @property
    def sender(self) -> str:
        return f"account-of-{self.example}"

    def kept(self, where: str) -> list[bytes]:
        folder = self.folder / where
        return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []

    def files(self) -> set[Path]:
        return {path for path in self.folder.parent.rglob("*") if path.is_file()}


@cache
def webhook_port() -> int:
    """Where a site hears of decisions."""
    return free_port()


def home_with_a_known_picture(home: Path) -> Path:
    """A deployment as `tutela init` makes it, which blocks one picture and holds another."""
    install(Plan(home, keys_beside(home)))
    (home / "site.secret").touch(mode=0o600)
    (home / "site.secret").write_text(SECRET)
    with (home / "tutela.toml").open("a") as settings:
        settings.write(SETTINGS.format(port=webhook_port(), secret=home / "site.secret"))
    listed = {"known": (Action.BLOCK, KNOWN_FILE), "watched": (Action.HOLD, WATCHED_FILE)}
    with open_deployment(home, decoders=1) as deployment:
        for name, (action, content) in listed.items():
            deployment.banks.create(name, policy=Policy(action=action), actor="test")
            verdict = deployment.screener.screen(content)
            value = next(item.value for item in verdict.hashes if item.signal == "pdq")
            deployment.banks.add(name, [NewEntry("pdq", bytes.fromhex(value), "test")], actor="test")
    return home


@contextlib.contextmanager
def casework_of(home: Path) -> Iterator[Casework]:
    """What a console on the officer's machine has: casework with the review key."""
    settings = load_settings(home=home)
    key = read_review_key(keys_beside(home) / REVIEW_KEY, home)
    with opened_casework(home, None, settings.casework, key) as casework:
        yield casework


def run_site(folder: Path, command: list[str], example: str, port: int, **environment: str) -> Iterator[Site]:
    uploads = folder / "site" / "uploads"
    uploads.mkdir(parents=True)
    chosen = {"UPLOADS": str(uploads), "TUTELA_SECRET_SITE": SECRET, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=EXAMPLES / example,
        env=os.environ | chosen | environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:

            def answers() -> bool:
                assert process.poll() is None, f"{example} does not start"
                with contextlib.suppress(httpx.TransportError):
                    return client.get("/pictures").status_code < 500
                return False

            wait_until(answers, f"{example} answers")
            answer = client.get("/pictures")
            fields = answer.json() if answer.status_code == 200 else {}
            yield Site(client, uploads, fields, example)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return home_with_a_known_picture(tmp_path_factory.mktemp("examples") / "home")


@pytest.fixture(scope="module", params=["fastapi_app", "django_app", "wsgi_app"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    match request.param:
        case "fastapi_app":
            service = Service(home)
            command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(webhook_port())]
            settings = {"TUTELA_URL": service.address, "TUTELA_KEY": service.admin, "TIMEOUT_S": str(PATIENCE_S)}
            yield from run_site(folder, command, request.param, webhook_port(), **settings)
            service.stop()
        case "django_app":
            command = [sys.executable, "app.py", "runserver", "--noreload", str(port)]
            yield from run_site(folder, command, request.param, port, TUTELA_HOME=str(home))
        case "wsgi_app":
            command = [sys.executable, "app.py"]
            yield from run_site(folder, command, request.param, port, TUTELA_HOME=str(home), PORT=str(port))


def test_an_unrelated_picture_is_published_byte_for_byte(site):
    answer = site.send(UNRELATED)
    assert answer.status_code == 201, answer.text
    shown = site.client.get(answer.json()["address"])
    assert shown.content == UNRELATED
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content", [KNOWN_FILE, ALTERED], ids=["the same", "an altered copy"])
def test_a_known_picture_is_refused_and_kept_nowhere(site, content):
    before = site.files()
    answer = site.send(content)
    assert answer.status_code == 422
    assert answer.json() == {"message": "this picture cannot be published"}
    assert site.files() == before


@pytest.mark.parametrize("content", [b"", b"words", BROKEN[:300]], ids=["empty", "no picture", "broken"])
def test_what_cannot_be_screened_is_held_and_not_published(site, content):
    published = site.kept("public")
    answer = site.send(content)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"message": "the picture is being checked"}
    assert content in site.kept("quarantine")
    assert site.kept("public") == published


def only_case_of(casework: Casework, *, banks: str) -> tuple[CaseSummary, CaseItem]:
    """The undecided case in which something matches that bank; what other tests sent may be in it, too."""
    found = [
        (case, item)
        for case in casework.cases.queue()
        for item in casework.cases.get(case.id).items
        if banks in item.banks
    ]
    assert len({case.id for case, _ in found}) == 1, found
    return found[0]


def test_what_is_blocked_is_sealed_in_a_case_whose_report_names_the_sender(site, home):
    begun = datetime.now(UTC)
    assert site.send(KNOWN_FILE, "beach.jpg").status_code == 422
    hours = {f"{at:%Y-%m-%dT%H}" for at in (begun, datetime.now(UTC))}
    with casework_of(home) as casework:
        case, item = only_case_of(casework, banks="known")
        casework.cases.decide(case.id, Outcome.CONFIRM, by="test", reason="seen", label="A1")
        evidence = casework.evidence("test", "a test")
        report = b"".join(casework.desk().preview(case.id, evidence).xml()).decode()
        assert evidence.open(item.evidence_id).read() == KNOWN_FILE
    for said in (site.sender, "127.0.0.1", "beach.jpg"):
        assert said in report
    assert any(hour in report for hour in hours)


def test_what_is_decided_comes_back_and_the_picture_appears_or_goes(site, home):
    address = ""
    assert site.send(WATCHED_FILE).status_code == 202
    assert WATCHED_FILE in site.kept("quarantine")
    with casework_of(home) as casework:
        case, _ = only_case_of(casework, banks="watched")
        casework.cases.decide(case.id, Outcome.REJECT, by="test", reason="a beach")
        wait_until(lambda: WATCHED_FILE in site.kept("public"), "the picture is published")
        (address,) = [f"/pictures/{path.name}" for path in (site.folder / "public").iterdir() if is_watched(path)]
        assert site.client.get(address).content == WATCHED_FILE
        casework.cases.reopen(case.id, by="lead", reason="a complaint")
        casework.cases.decide(case.id, Outcome.CONFIRM, by="other", reason="seen again", label="A1")
    wait_until(lambda: WATCHED_FILE in site.kept("quarantine"), "the picture is hidden")
    assert site.client.get(address).status_code == 404


def is_watched(path: Path) -> bool:
    return path.read_bytes() == WATCHED_FILE


def test_only_the_service_can_ask_for_what_was_decided(tmp_path):
    for site in ask_fastapi_app(tmp_path, "http://127.0.0.1:9"):
        site.send(UNRELATED)
        (path,) = (site.folder / "quarantine").iterdir()
        body = json.dumps({"type": "effect.restore", "data": {"items": [path.name, "*", "../quarantine/*"]}}).encode()
        for secret in (new_secret(), SECRET):
            headers = signed_headers([read_secret(secret)], "m-1", int(time.time()), body)
            answer = site.client.post("/decisions", content=body, headers=headers)
            assert answer.status_code == (HTTPStatus.NO_CONTENT if secret == SECRET else HTTPStatus.UNAUTHORIZED)
            assert site.kept("quarantine") == [UNRELATED]
            assert site.kept("public") == []
        assert site.client.post("/decisions", content=body).status_code == HTTPStatus.UNAUTHORIZED


def test_a_picture_that_is_too_large_is_refused(site):
    answer = site.send(UNRELATED + bytes(10 * 1024 * 1024))
    assert answer.status_code == 413
    assert all(len(content) < 1024 * 1024 for content in site.kept("public") + site.kept("quarantine"))


@pytest.mark.parametrize("name", ["../../escaped.jpg", "/tmp/escaped.jpg", "a\x00b.jpg", "..", "x" * 3000])
def test_the_name_that_the_sender_gives_decides_nothing(site, name):
    before = site.files()
    answer = site.send(UNRELATED, name)
    assert answer.status_code in (201, 400)
    new = site.files() - before
    assert all(path.parent == site.folder / "public" and re.fullmatch(r"[0-9a-f]{32}\.jpg", path.name) for path in new)
    assert len(new) == (answer.status_code == 201)
    assert not Path("/tmp/escaped.jpg").exists()


@pytest.mark.parametrize("path", ["/pictures/../quarantine/x", "/pictures/%2e%2e%2fapp.py", "/pictures/" + "0" * 32])
def test_only_what_is_published_is_shown(site, path):
    assert site.client.get(path).status_code in (404, 422)


def test_a_form_without_a_picture_is_a_clear_error(site):
    answer = site.client.post("/pictures", files={"other": ("x", b"x")}, data=site.fields)
    assert answer.status_code in (400, 422)


def ask_fastapi_app(folder: Path, address: str) -> Iterator[Site]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    settings = {"TUTELA_URL": address, "TUTELA_KEY": "tutela_wrong", "TIMEOUT_S": "1"}
    yield from run_site(folder, command, "fastapi_app", port, **settings)


def serve_raw(answer: Callable[[socket.socket], None]) -> tuple[socket.socket, str]:
    """A service that misbehaves: each connection is handed to `answer`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def reply(text: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(1 << 20)
            connection.sendall(text)

    return answer


def say_nothing(connection: socket.socket) -> None:
    """Until the other side gives up."""
    with connection, contextlib.suppress(OSError):
        while connection.recv(1 << 20):
            pass


def trickle(connection: socket.socket) -> None:
    """One byte now and then, so that no single read times out."""
    with connection, contextlib.suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000):
            connection.sendall(bytes([byte]))
            time.sleep(0.3)


MISBEHAVIOUR: dict[str, Callable[[socket.socket], None]] = {
    "never answers": say_nothing,
    "trickles": trickle,
    "closes": lambda connection: connection.close(),
    "no JSON": reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "no decision": reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "a list": reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
    "an unknown decision": reply(
        b'HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n{"decision": "maybe", "media_type": "x/png"} '
    ),
    "an error": reply(
        b'HTTP/1.1 500 No\r\nContent-Length: 49\r\n\r\n{"decision": "allow", "media_type": "image/jpeg"}  '
    ),
}


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOUR)
def test_a_service_that_does_not_answer_clearly_is_a_hold(tmp_path, misbehaviour):
    listener, address = serve_raw(MISBEHAVIOUR[misbehaviour])
    with listener:
        for site in ask_fastapi_app(tmp_path, address):
            assert site.send(UNRELATED).status_code == 202
            assert site.kept("quarantine") == [UNRELATED]
            assert site.kept("public") == []


@pytest.mark.slow
def test_a_wrong_key_and_a_service_that_is_down_are_holds(tmp_path, home):
    service = Service(home)
    for site in ask_fastapi_app(tmp_path, service.address):
        assert site.send(UNRELATED).status_code == 202
        service.stop()
        assert site.send(UNRELATED).status_code == 202
        assert site.kept("public") == []
        assert len(site.kept("quarantine")) == 2


def test_the_django_form_needs_its_token(tmp_path, home):
    port = free_port()
    command = [sys.executable, "app.py", "runserver", "--noreload", str(port)]
    for site in run_site(tmp_path, command, "django_app", port, TUTELA_HOME=str(home)):
        site.client.cookies.clear()
        assert site.send(UNRELATED).status_code == 403


def test_the_docs_show_the_examples_as_they_are():
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("screen-uploads.md", "links-and-words.md"))
    blocks = re.findall(r"```python title=\"(examples/[\w/.]+)\"\n(.*?)```", pages, flags=re.DOTALL)
    assert {name for name, _ in blocks} == {f"examples/{path.parent.name}/app.py" for path in EXAMPLES.glob("*/app.py")}
    for name, block in blocks:
        assert block in (ROOT / name).read_text(), f"{name} does not contain:\n{block}"


@pytest.mark.parametrize("example", ["fastapi_app", "django_app", "wsgi_app"])
def test_the_examples_need_nothing_but_what_their_readme_installs(example):
    """Every import is of the standard library or of a package that the README names, as it is installed here."""
    text = (EXAMPLES / example / "app.py").read_text()
    named = {"django", "fastapi", "httpx", "python_multipart", "standardwebhooks", "tutela"}
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, flags=re.MULTILINE))
    assert imported <= set(sys.stdlib_module_names) | named
    assert all(importlib.util.find_spec(name) for name in imported)
