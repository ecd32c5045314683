"""Google's and Azure's own clients speak with the stand-ins that the gateway is tested with, and the gateway with
Azurite; `make test-peers`."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clamd_clients import PEERS
from tests.support.gateways import COPY, DAMAGED, OTHER, PATIENT, Running, list_known
from tests.support.mail_server import answers
from tests.support.service import free_port
from tests.support.standins.azure import ACCOUNT, KEY, azure
from tests.support.standins.gcs import google
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import compose_deployment
from tutela.gateways.buckets.azure import AzureStore, SharedKey, StorageQueue
from tutela.gateways.buckets.calls import Request
from tutela.gateways.buckets.events import NewObject
from tutela.gateways.buckets.options import STATUS
from tutela.gateways.buckets.store import ChangedError, GoneError

pytestmark = pytest.mark.peers

NAMES = ("plain.jpg", "a b+c", "ü/%2F", "x//y", "q?#&=", "a'()*!~,;:@$")
GOOGLES_CLIENT = """
import json, sys
from google.cloud import storage
from google.oauth2 import service_account
account, address, names = json.loads(sys.stdin.read())
scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
credentials = service_account.Credentials.from_service_account_info(account, scopes=scopes)
client = storage.Client("example", credentials, client_options={"api_endpoint": address})
for name in names:
    blob = client.bucket("uploads").get_blob(name)
    again = client.bucket("uploads").blob(name, generation=blob.generation)
    blob.metadata = {"mine": "1"}
    blob.patch()
    copied = client.bucket("public").blob(name)
    token, _, _ = copied.rewrite(blob)
    while token is not None:
        token, _, _ = copied.rewrite(blob, token=token)
    assert client.bucket("public").get_blob(name).metadata == {"mine": "1"}
    print(json.dumps([name, blob.generation, again.download_as_bytes(checksum=None).decode()]))
"""
AZURES_CLIENT = """
import json, sys
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, BinaryBase64DecodePolicy
address, key, names = json.loads(sys.stdin.read())
account = address.rpartition("/")[2]
service = BlobServiceClient(address, {"account_name": account, "account_key": key}, api_version="2021-08-06")
for name in names:
    blob = service.get_blob_client("uploads", name)
    etag = blob.upload_blob(b"words")["etag"]
    blob.set_blob_tags({"mine": "1"})
    assert blob.get_blob_tags() == {"mine": "1"}
    assert blob.download_blob(etag=etag, match_condition=MatchConditions.IfNotModified).readall() == b"words"
    try:
        blob.download_blob(etag='"0x1"', match_condition=MatchConditions.IfNotModified)
        raise SystemExit("a condition is not held to")
    except HttpResponseError as error:
        assert error.status_code == 412
    print(json.dumps([name, etag]))
"""


def asked(environment: str, program: str, told: object) -> list[list[str]]:
    """What a program of a peer's environment says, a line of JSON each."""
    python = PEERS / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{environment} is not installed: run .ci/peers")
    done = subprocess.run(
        [str(python), "-c", program], input=json.dumps(told).encode(), capture_output=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_googles_client_finds_its_service_in_the_stand_in():
    with google("uploads", "public") as cloud:
        generations = {name: cloud.put("uploads", name, b"words") for name in NAMES}
        said = asked("gcs", GOOGLES_CLIENT, [json.loads(cloud.service_account()), cloud.address, NAMES])
        assert [[str(each) for each in line] for line in said] == [[n, generations[n], "words"] for n in NAMES]
        assert set(cloud.buckets["public"]) == set(NAMES)


def test_azures_client_finds_its_service_in_the_stand_in():
    with azure("uploads") as account:
        said = asked("azure", AZURES_CLIENT, [account.address, KEY, NAMES])
        assert [line[0] for line in said] == list(NAMES)
        for name, etag in said:
            blob = account.find("uploads", name)
            assert blob is not None and f'"{blob.etag}"' == etag


@dataclass
class Azurite:
    """A running emulator."""

    store: AzureStore
    address: str
    queue: str


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    program = PEERS / "node" / "node_modules" / ".bin" / "azurite"
    if not program.exists():
        pytest.skip("Azurite is not installed: run .ci/peers")
    folder: Path = tmp_path_factory.mktemp("azurite")
    blobs, queues, tables = free_port(), free_port(), free_port()
    command = [str(program), "--location", str(folder), "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    for name, port in (("blob", blobs), ("queue", queues), ("table", tables)):
        command += [f"--{name}Host", "127.0.0.1", f"--{name}Port", str(port)]
    process = subprocess.Popen(command, env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"})
    try:
        wait_until(lambda: process.poll() is None and answers(blobs) and answers(queues), "Azurite answers")
        address, queue = f"http://127.0.0.1:{blobs}/{ACCOUNT}", f"http://127.0.0.1:{queues}/{ACCOUNT}/uploads"
        store = AzureStore(address, SharedKey(ACCOUNT, KEY))
        for container in ("uploads", "public"):
            store._account.ask(Request("PUT", f"/{container}?restype=container"))
        server = StorageQueue(queue, SharedKey(ACCOUNT, KEY), 8, 300, 0.2)
        server._account.ask(Request("PUT", "/uploads"))
        yield Azurite(store, address, queue)
    finally:
        process.terminate()
        process.wait(60)


def test_azurite_reads_tags_and_copies_what_the_store_asks_of_it(azurite):
    store = azurite.store
    for name in NAMES:
        new = store.put("uploads", name, OTHER)
        pinned = store.pin(new)
        assert b"".join(store.read(pinned)) == OTHER
        assert store.tags(pinned) == {}
        store.tag(pinned, {"mine": "1"})
        store.tag(pinned, {STATUS: "allow"})
        assert store.tags(pinned) == {"mine": "1", STATUS: "allow"}
        store.copy(pinned, "public")
        assert b"".join(store.read(store.pin(NewObject("public", name)))) == OTHER
        store.put("uploads", name, COPY)
        with pytest.raises(ChangedError):
            store.pin(new)
        with pytest.raises(ChangedError):
            next(store.read(pinned))
        with pytest.raises(ChangedError):
            store.tag(pinned, {STATUS: "allow"})
        assert STATUS not in store.tags(store.pin(NewObject("uploads", name)))
    with pytest.raises(GoneError):
        store.pin(NewObject("uploads", "never there"))


def test_what_azurites_queue_tells_of_is_tagged(azurite, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_ACCOUNT", ACCOUNT)
    monkeypatch.setenv("TEST_KEY", KEY)
    settings = {"kind": "buckets", "store": "azure", "endpoint": azurite.address, "queue": azurite.queue}
    settings |= {"access_key": "env:TEST_ACCOUNT", "secret_key": "env:TEST_KEY", "answer_s": 170}
    teller = StorageQueue(azurite.queue, SharedKey(ACCOUNT, KEY), 8, 300, 0.2)
    with compose_deployment(tmp_path / "home", decoders=1, limits=PATIENT) as deployment:
        list_known(deployment)
        running = Running(deployment, {"store": settings})
        try:
            judge(azurite.store, teller)
        finally:
            running.stop()


def judge(store: AzureStore, teller: StorageQueue) -> None:
    """Put each kind of content, tell the queue of it as Event Grid does, and wait for its tag."""
    for content, status in ((OTHER, "allow"), (COPY, "block"), (DAMAGED, "hold")):
        pinned = store.pin(store.put("uploads", f"told/{status}", content))
        subject = f"/blobServices/default/containers/uploads/blobs/told/{status}"
        event = {"eventType": "Microsoft.Storage.BlobCreated", "subject": subject, "data": {"eTag": pinned.etag}}
        letters = base64.b64encode(json.dumps(event).encode()).decode()
        document = f"<QueueMessage><MessageText>{letters}</MessageText></QueueMessage>".encode()
        teller._account.ask(Request("POST", "/uploads/messages", {"Content-Type": "application/xml"}, document))
        wait_until(lambda at=pinned: STATUS in store.tags(at), f"{status} is tagged")  # type: ignore[misc]
        assert store.tags(pinned)[STATUS] == status
    wait_until(lambda: not teller.receive(), "the queue is empty")
