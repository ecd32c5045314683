"""Jobs: long uploads are sealed as they come, answered later, and survive whatever ends the service."""

import contextlib
import io
import json
import os
import secrets
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi.testclient import TestClient

from tests.support.hostile_pictures import gif_without_end
from tests.support.lists import list_in
from tests.support.pictures import file_of, photos
from tests.support.service import Service
from tests.support.serving import serving
from tests.support.waiting import wait_until
from tutela.api.app import create_app
from tutela.api.options import ApiOptions
from tutela.content.media.limits import Limits
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import ConflictError, NotFoundError, TutelaError
from tutela.foundation.outbox.webhooks import Endpoint, new_secret, read_secret, verify
from tutela.foundation.store import database
from tutela.screening.jobs import service
from tutela.screening.jobs.limits import JobLimits
from tutela.screening.jobs.seal import Sealer, SealError, unseal
from tutela.screening.jobs.service import MAX_ATTEMPTS, JobState
from tutela.screening.jobs.spool import Spool
from tutela.screening.verdict import Context

KNOWN = file_of(photos()[0].resize((256, 256)), "PNG")
COPY = file_of(photos()[0].resize((300, 300)), "JPEG", quality=60)
MARKER = b"only-in-this-upload-" * 4
LIMITS = Limits(max_bytes=200_000, max_expanded_bytes=64 * 1024**2)


def long_upload(size: int = 3_000_000) -> bytes:
    """An archive over the limit of what is answered at once, with the known picture in it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in (("words.txt", MARKER * (size // len(MARKER))), ("beach.jpg", COPY)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


@contextlib.contextmanager
def knowing(home: Path, **options) -> Iterator[Deployment]:
    """A deployment that knows one picture."""
    endpoint = Endpoint("platform", "http://127.0.0.1:9/hook", [read_secret(new_secret())], frozenset())
    with compose_deployment(
        home, decoders=1, limits=LIMITS, casework=CaseworkOptions(webhooks=(endpoint,)), **options
    ) as deployment:
        list_in(deployment, "known", KNOWN, "pdq", "sha256")
        yield deployment


@pytest.fixture
def deployment(tmp_path):
    with knowing(tmp_path / "home") as deployment:
        yield deployment


@pytest.fixture
def either(tmp_path, database):
    """The same in either kind of database."""
    with knowing(tmp_path / "home", database=database) as deployment:
        yield deployment


def submit(deployment: Deployment, content: bytes, context: Context | None = None) -> str:
    upload = deployment.jobs.begin(context or Context("item-1", {"user": "u1"}))
    upload.write(content)
    return deployment.jobs.submit(upload, "key:test").id


def test_a_job_is_screened_whole_and_its_verdict_has_its_id(either):
    job_id = submit(either, long_upload())
    assert either.jobs.get(job_id).state is JobState.PENDING
    assert either.job_runner.run_due() == 1
    job = either.jobs.get(job_id)
    assert job.state is JobState.DONE
    assert job.verdict["id"] == job_id
    assert job.verdict["decision"] == "block"
    assert {match["part"] for match in job.verdict["matches"]} == {"beach.jpg"}
    assert job.verdict["context"] == {"item": "item-1"}
    assert either.journal.get(job_id)["decision"] == "block"
    assert either.job_runner.run_due() == 0


def test_the_end_of_a_job_is_told_in_the_same_transaction(either):
    job_id = submit(either, long_upload())
    assert either.outbox.find("webhook", f"job.done/{job_id}/platform") is None
    either.job_runner.run_due()
    told = either.outbox.find("webhook", f"job.done/{job_id}/platform")
    assert told.payload["data"] == {"job": job_id, "item": "item-1", "decision": "block"}


def test_nothing_of_an_upload_is_on_the_disk_in_clear_and_nothing_at_all_afterwards(deployment, tmp_path):
    job_id = submit(deployment, long_upload(), Context("item-1", {"address": "someone@example.org"}))

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = files()
    assert any(path.name == f"{job_id}.sealed" and len(data) > 3_000_000 for path, data in before.items())
    for path, data in before.items():
        assert MARKER not in data and COPY[100:200] not in data and b"someone@example.org" not in data, path
        assert path.stat().st_mode & 0o077 == 0 or path.parent.name != "jobs"
    deployment.job_runner.run_due()
    after = files()
    assert not any(path.suffix == ".sealed" for path in after)
    assert not any(MARKER in data or b"someone@example.org" in data for data in after.values())
    assert deployment.jobs.get(job_id).sealed_key is None


def test_a_job_whose_process_died_is_done_by_the_next(either):
    job_id = submit(either, long_upload())
    held = either.jobs.take(lease_s=3600)
    assert either.jobs.take(lease_s=1) is None
    assert either.jobs.renew(held, 0.0)
    wait_until(lambda: either.job_runner.run_due() == 1, "the hold passes")
    assert either.jobs.get(job_id).state is JobState.DONE
    assert not either.jobs.finish(held, {"decision": "allow", "context": {"item": None}})
    assert either.jobs.get(job_id).verdict["decision"] == "block"


def test_a_job_that_was_taken_while_a_clock_was_wrong_is_done_by_the_next(either, monkeypatch):
    job_id = submit(either, long_upload())
    with monkeypatch.context() as leapt:
        leapt.setattr(service, "now", lambda: database.now() + 100 * 86_400 * 1_000_000)
        assert either.jobs.take(lease_s=10) is not None
        assert either.jobs.take(lease_s=10) is None
    assert either.job_runner.run_due() == 1
    assert either.jobs.get(job_id).state is JobState.DONE


def test_a_verdict_that_was_written_before_the_process_died_is_not_made_twice(deployment):
    job_id = submit(deployment, long_upload())
    held = deployment.jobs.take(lease_s=0.0)
    content, context = deployment.jobs.spool.open(job_id, held.sealed_key)
    with content:
        first = deployment.job_screener.screen(content, context, verdict_id=job_id)
    wait_until(lambda: deployment.job_runner.run_due() == 1, "the hold passes")
    assert deployment.jobs.get(job_id).verdict["at"] == first.at.isoformat()


def test_a_job_that_kills_its_process_again_and_again_is_given_up_and_can_be_retried(either):
    job_id = submit(either, long_upload())
    for _ in range(MAX_ATTEMPTS):
        wait_until(lambda: either.jobs.take(lease_s=0.0) is not None, "the hold passes")
    wait_until(lambda: either.job_runner.run_due() == 1, "the hold passes")
    job = either.jobs.get(job_id)
    assert (job.state, job.verdict) == (JobState.FAILED, None)
    assert either.outbox.find("webhook", f"job.failed/{job_id}/platform") is not None
    either.jobs.retry(job_id)
    either.job_runner.run_due()
    assert either.jobs.get(job_id).state is JobState.DONE
    with pytest.raises(ConflictError):
        either.jobs.retry(job_id)


def test_an_upload_that_was_changed_on_the_disk_is_never_screened(deployment):
    job_id = submit(deployment, long_upload())
    path = deployment.home / "jobs" / f"{job_id}.sealed"
    data = bytearray(path.read_bytes())
    data[2_000_000] ^= 1
    path.write_bytes(data)
    deployment.job_runner.run_due()
    assert deployment.jobs.get(job_id).state is JobState.FAILED
    with pytest.raises(NotFoundError):
        deployment.journal.get(job_id)


def test_a_job_that_is_interrupted_is_put_back_and_gives_no_verdict(deployment):
    job_id = submit(deployment, gif_without_end(49_000))
    for _ in range(2):  # what was stopped can be started again
        deployment.job_runner.start()
        wait_until(lambda: deployment.job_pool.busy(), "a worker is at it")
        deployment.job_runner.stop()
        job = deployment.jobs.get(job_id)
        assert (job.state, job.running, job.attempts) == (JobState.PENDING, False, 0)
        with pytest.raises(NotFoundError):
            deployment.journal.get(job_id)


def test_what_killed_processes_left_is_removed_and_what_waits_is_not(either):
    waiting = submit(either, long_upload())
    abandoned = either.jobs.begin(Context())
    abandoned.write(bytes(5_000_000))
    fresh = either.jobs.begin(Context())
    folder = either.home / "jobs"
    for name in (waiting, abandoned.job_id):
        os.utime(folder / f"{name}.sealed", (1, 1))
    either.jobs.tidy()
    assert sorted(either.jobs.spool.waiting()) == sorted([waiting, fresh.job_id])
    fresh.discard()


def test_a_spool_takes_only_its_own_jobs(deployment, tmp_path):
    job_id = submit(deployment, long_upload())
    other = type(deployment.jobs)(deployment.store, Spool(tmp_path / "elsewhere"), {})
    assert other.take(lease_s=60) is None
    with pytest.raises(SealError):
        other.spool._path(job_id).write_bytes((deployment.home / "jobs" / f"{job_id}.sealed").read_bytes())
        other.spool.open(job_id, deployment.jobs.get(job_id).sealed_key)


@pytest.mark.parametrize("length", [0, 1, 1 << 20, (1 << 20) + 1, (3 << 20) - 1, 3 << 20])
def test_what_is_sealed_comes_back_and_any_change_is_noticed(tmp_path, length):
    key, data = secrets.token_bytes(32), os.urandom(length)
    with (tmp_path / "sealed").open("wb") as file:
        sealer = Sealer(file, key)
        for at in range(0, length, 700_001):
            sealer.write(data[at : at + 700_001])
        sealer.finish()
    sealed = (tmp_path / "sealed").read_bytes()
    assert b"".join(unseal(io.BytesIO(sealed), key)) == data
    assert_every_change_is_noticed(sealed, key, length, head=16 + 24, block=(1 << 20) + 17)


@pytest.mark.parametrize("length", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_what_earlier_versions_sealed_is_read_and_any_change_is_noticed(length):
    key, data = secrets.token_bytes(32), os.urandom(length)
    cipher, blocks = AESGCM(key), [data[at : at + (1 << 20)] for at in range(0, max(1, length), 1 << 20)]
    sealed = b"tutela sealed 1\n" + b"".join(
        cipher.encrypt(number.to_bytes(11) + bytes([number == len(blocks) - 1]), block, None)
        for number, block in enumerate(blocks)
    )
    assert b"".join(unseal(io.BytesIO(sealed), key)) == data
    assert_every_change_is_noticed(sealed, key, length, head=16, block=(1 << 20) + 16)


def assert_every_change_is_noticed(sealed: bytes, key: bytes, length: int, *, head: int, block: int) -> None:
    broken = [sealed[:-1], sealed + b"x", sealed[:head], sealed[:16], sealed[:8]]
    broken.append(sealed[: head + block] if length > 1 << 20 else sealed[: head + 4])
    if length > 2 << 20:  # the first two blocks change places
        first, second = sealed[head : head + block], sealed[head + block : head + 2 * block]
        broken.append(sealed[:head] + second + first + sealed[head + 2 * block :])
    for changed in broken:
        with pytest.raises(SealError):
            list(unseal(io.BytesIO(changed), key))
    with pytest.raises(SealError):
        list(unseal(io.BytesIO(sealed), secrets.token_bytes(32)))


def test_processes_that_start_at_once_agree_on_the_spools_key(tmp_path):
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(Spool(tmp_path / "jobs").name)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    (tmp_path / "jobs" / "key").write_bytes(b"short")
    with pytest.raises(TutelaError, match="not a key"):
        Spool(tmp_path / "jobs")


@pytest.fixture
def client(tmp_path):
    with compose_deployment(
        tmp_path / "home", decoders=1, limits=LIMITS, job_limits=JobLimits(max_bytes=4_000_000)
    ) as deployment:
        list_in(deployment, "known", KNOWN, "pdq", "sha256")
        app = create_app(deployment, ApiOptions(auth_required=False))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def ended(client, answer) -> dict:
    assert answer.status_code == 202, answer.text
    address = answer.headers["location"]
    wait_until(lambda: client.get(address).json()["state"] == "done", "the job ends")
    return client.get(address).json()


def test_a_long_upload_is_answered_later_and_a_short_one_at_once(client):
    assert client.post("/v1/screen", content=COPY).json()["decision"] == "block"
    answer = client.post("/v1/screen", content=long_upload(), headers={"Tutela-Context": '{"item": "long"}'})
    assert answer.json()["state"] == "pending"
    job = ended(client, answer)
    assert job["verdict"]["decision"] == "block"
    assert job["verdict"]["context"] == {"item": "long"}
    assert job["byte_length"] == len(long_upload())
    assert client.post("/v1/screen", content=bytes(4_000_001)).status_code == 413


def test_a_client_may_prefer_to_be_answered_later(client):
    preferring = {"Prefer": "handling=lenient, respond-async; wait=3"}
    assert ended(client, client.post("/v1/screen", content=COPY, headers=preferring))["verdict"]["decision"] == "block"
    assert ended(client, client.post("/v1/screen", content=b"", headers=preferring))["verdict"]["decision"] == "hold"
    form = client.post("/v1/screen", files={"file": COPY}, data={"context": '{"item": "f"}'}, headers=preferring)
    assert ended(client, form)["verdict"]["context"] == {"item": "f"}


def test_an_upload_that_breaks_off_leaves_nothing(client):
    def broken():
        yield bytes(1_500_000)
        raise OSError("the sender is gone")

    assert client.post("/v1/screen", content=broken()).status_code == 500
    spool = client.app.state.deployment.jobs.spool
    wait_until(lambda: spool.waiting() == [], "the file is discarded")


def test_a_full_disk_and_too_many_jobs_are_said(client, monkeypatch):
    deployment = client.app.state.deployment
    monkeypatch.setattr(deployment.jobs.spool, "free_bytes", lambda: 10)
    answer = client.post("/v1/screen", content=long_upload())
    assert (answer.status_code, answer.json()["type"]) == (507, "/problems/no-room")
    monkeypatch.undo()
    monkeypatch.setattr("tutela.screening.jobs.service.MAX_WAITING", 0)
    answer = client.post("/v1/screen", content=long_upload())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")


class Receiver(BaseHTTPRequestHandler):
    """A platform that takes webhooks."""

    received: ClassVar[list[tuple[dict[str, str], bytes]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quietly."""


def test_jobs_survive_kill_nine_and_the_platform_is_told_with_a_signature(tmp_path):
    secret = new_secret()

    class Platform(Receiver):
        received: ClassVar = []

    platform = ExitStack()
    server = platform.enter_context(serving(HTTPServer(("127.0.0.1", 0), Platform)))
    hook = {"platform": {"url": f"http://127.0.0.1:{server.server_port}/hook", "secrets": [secret]}}
    home = tmp_path / "home"
    with compose_deployment(home, decoders=1) as deployment:
        list_in(deployment, "known", KNOWN, "pdq", "sha256")
    service = Service(home, TUTELA_LIMITS__MAX_BYTES="200000", TUTELA_WEBHOOKS=json.dumps(hook))
    try:
        jobs = []
        with service.client() as client:
            for _ in range(6):
                answer = client.post("/v1/screen", content=long_upload())
                assert answer.status_code == 202
                jobs.append(answer.headers["location"])
        service.kill()
        service.start()
        service.kill()
        service.start()
        with service.client() as client:
            wait_until(lambda: all(client.get(job).json()["state"] == "done" for job in jobs), "every job ends")
            assert {client.get(job).json()["verdict"]["decision"] for job in jobs} == {"block"}
            other = service.keys.create("other", ["screen"], by="test")[1]
            assert client.get(jobs[0], headers={"Authorization": f"Bearer {other}"}).status_code == 404
        told: set[str] = set()

        def all_told() -> bool:
            for headers, body in Platform.received:
                verify([read_secret(secret)], headers, body)
                told.add(json.loads(body)["data"]["job"])
            return told == {job.rpartition("/")[2] for job in jobs}

        wait_until(all_told, "the platform hears of every job")
        assert list((home / "jobs").glob("*.sealed")) == []
    finally:
        service.stop()
        platform.close()
