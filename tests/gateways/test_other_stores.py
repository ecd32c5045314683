"""Google's and Azure's object stores: each version ends with one verdict there, too, whatever its events look like."""

import base64
import json
import operator
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.gateways import COPY, DAMAGED, OTHER, Running, described
from tests.support.standins.azure import ACCOUNT, KEY, Azure, azure
from tests.support.standins.gcs import SUBSCRIPTION, Google, google
from tests.support.standins.imds import imds
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment
from tutela.errors import InputError
from tutela.gateways.buckets.azure import MachineIdentity, SharedKey
from tutela.gateways.buckets.calls import Calls, Request
from tutela.gateways.buckets.events import NewObject, UnknownEventError, read_events
from tutela.gateways.buckets.gcs import Tokens
from tutela.gateways.buckets.options import STATUS, VERDICT
from tutela.gateways.buckets.store import GoneError, StoreUnreachableError
from tutela.gateways.check import check_gateways

pytestmark = pytest.mark.slow

CONTENTS = ((OTHER, "allow"), (COPY, "block"), (DAMAGED, "hold"))
KEYS = ("plain.jpg", "a b+c", "ü/%2F", "x//y", "trail/", "q?#&=", "a'()*!~,;:@$")
LISTENS = {"kind": "buckets", "listen": ["127.0.0.1:0"], "token": "env:TEST_TOKEN", "copy_to": "public"}


@pytest.fixture(scope="module", autouse=True)
def secrets() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_TOKEN", "secret")
        patch.setenv("TEST_ACCOUNT", ACCOUNT)
        patch.setenv("TEST_KEY", KEY)
        yield patch


def told(running: Running, message: object) -> httpx.Response:
    """As Pub/Sub and Event Grid push, with the token in the address."""
    address = f"http://127.0.0.1:{running.ports['store'][0]}/events?token=secret"
    return httpx.post(address, json=message, timeout=PATIENCE_S)


def pushed(cloud: Google, bucket: str, name: str, generation: str) -> dict[str, Any]:
    message = cloud.tell("OBJECT_FINALIZE", bucket, name, generation)
    return {"message": message, "subscription": SUBSCRIPTION}


def created(container: str, name: str, etag: str = "") -> list[dict[str, Any]]:
    """What Event Grid sends."""
    data = {"api": "PutBlob", "contentType": "image/jpeg", "blobType": "BlockBlob"} | ({"eTag": etag} if etag else {})
    return [
        {
            "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/example",
            "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
            "eventType": "Microsoft.Storage.BlobCreated",
            "id": "1",
            "eventTime": "2026-11-30T12:00:00Z",
            "data": data,
            "dataVersion": "",
            "metadataVersion": "1",
        }
    ]


@pytest.fixture(scope="module")
def cloud(secrets: pytest.MonkeyPatch) -> Iterator[Google]:
    with google("uploads", "kept", "public", versioned=("kept",)) as running:
        secrets.setenv("TEST_SERVICE_ACCOUNT", running.service_account())
        yield running


@pytest.fixture(scope="module")
def at_google(knowing: Deployment, cloud: Google) -> Iterator[Running]:
    settings = {
        "store": "gcs",
        "endpoint": cloud.address,
        "secret_key": "env:TEST_SERVICE_ACCOUNT",
        "queue": f"{cloud.address}/v1/{SUBSCRIPTION}",
    }
    running = Running(knowing, {"store": LISTENS | settings})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def account() -> Iterator[Azure]:
    with azure("uploads", "public") as running:
        yield running


@pytest.fixture(scope="module")
def at_azure(knowing: Deployment, account: Azure) -> Iterator[Running]:
    settings = {
        "store": "azure",
        "endpoint": account.address,
        "access_key": "env:TEST_ACCOUNT",
        "secret_key": "env:TEST_KEY",
        "queue": account.queue,
    }
    running = Running(knowing, {"store": LISTENS | settings})
    yield running
    running.stop()


def test_every_shape_tells_of_the_same_object():
    resource = {"kind": "storage#object", "bucket": "b", "name": "a b/ü", "generation": "17"}
    attributes = {"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "a b/ü", "objectGeneration": "17"}
    data = base64.b64encode(json.dumps(resource).encode()).decode()
    kind = "google.cloud.storage.object.v1.finalized"
    for message in (
        {"message": {"attributes": attributes, "data": data}, "subscription": SUBSCRIPTION},
        {"specversion": "1.0", "type": kind, "source": "//storage.googleapis.com/b", "data": resource},
        resource,
    ):
        assert read_events(json.dumps(message)) == [NewObject("b", "a b/ü", "17")], message
    (grid,) = created("b", "a b/ü", "0x8DB1F")
    subject = grid["subject"].removeprefix("/")
    event = {"specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "subject": subject, "data": grid["data"]}
    for azures in ([grid], event, [event], grid):
        assert read_events(json.dumps(azures)) == [NewObject("b", "a b/ü", "", "0x8DB1F")], azures


def test_what_is_not_about_a_new_object_is_nothing_and_what_is_of_no_shape_is_refused():
    (grid,) = created("b", "k")
    attributes = {"eventType": "OBJECT_METADATA_UPDATE", "bucketId": "b", "objectId": "k", "objectGeneration": "17"}
    for message in (
        {"message": {"attributes": attributes}},
        {"message": {"attributes": attributes | {"eventType": "OBJECT_DELETE"}}},
        {"specversion": "1.0", "type": "google.cloud.storage.object.v1.metadataUpdated", "data": {}},
        [grid | {"eventType": "Microsoft.Storage.BlobDeleted"}],
    ):
        assert read_events(json.dumps(message)) == [], message
    for unknown in (
        [],
        [[grid]],
        {"message": {}},
        {"specversion": "1.0", "type": "org.example"},
        [grid | {"subject": "/blobServices/default/containers/b"}],
        [grid | {"subject": "/elsewhere/blobs/k"}],
    ):
        with pytest.raises(UnknownEventError):
            read_events(json.dumps(unknown))


def test_google_objects_are_tagged_beside_what_others_wrote_and_only_what_is_allowed_is_copied(cloud, at_google):
    for bucket in ("uploads", "kept"):
        for content, status in CONTENTS:
            generation = cloud.put(bucket, f"{bucket}/{status}", content, {"mine": "1"})  # the queue tells of it
            made = cloud.find(bucket, f"{bucket}/{status}", generation)
            wait_until(partial(operator.contains, made.metadata, STATUS), f"{bucket}/{status} is tagged")
            assert (made.metadata[STATUS], made.metadata["mine"]) == (status, "1")
    wait_until(lambda: not cloud.waiting, "every message is acknowledged, those of our own tags, too")
    # Its own events come to the same queue.
    assert set(cloud.buckets["public"]) == {"uploads/allow", "kept/allow"}
    assert cloud.buckets["public"]["kept/allow"][0].content == OTHER


@pytest.mark.parametrize("name", KEYS)
def test_every_name_is_read_as_it_is(cloud, at_google, account, at_azure, name):
    cloud.buckets["uploads"].clear()
    generation = cloud.put("uploads", name, COPY)
    assert told(at_google, pushed(cloud, "uploads", name, generation)).status_code == 200
    assert cloud.find("uploads", name, generation).metadata[STATUS] == "block"
    blob = account.put("uploads", name, COPY)
    assert told(at_azure, created("uploads", name, blob.etag)).status_code == 200
    assert blob.tags[STATUS] == "block"


def test_a_generation_keeps_its_verdict_and_a_new_one_never_gets_it(cloud, at_google):
    first = cloud.put("kept", "twice", COPY)
    assert told(at_google, pushed(cloud, "kept", "twice", first)).status_code == 200
    verdict = cloud.find("kept", "twice", first).metadata[VERDICT]
    forged = dict(cloud.find("kept", "twice", first).metadata) | {STATUS: "allow"}
    second = cloud.put("kept", "twice", DAMAGED, forged)
    for generation in (second, first, first, second):
        assert told(at_google, pushed(cloud, "kept", "twice", generation)).status_code == 200
    assert cloud.find("kept", "twice", first).metadata[VERDICT] == verdict
    assert cloud.find("kept", "twice", second).metadata[STATUS] == "hold"
    old = cloud.put("uploads", "over", OTHER)
    new = cloud.put("uploads", "over", COPY)
    assert told(at_google, pushed(cloud, "uploads", "over", old)).status_code == 200
    assert told(at_google, pushed(cloud, "uploads", "over", new)).status_code == 200
    assert cloud.find("uploads", "over").metadata[STATUS] == "block"


def test_an_object_that_comes_cut_short_is_not_tagged_and_its_event_comes_again(cloud, at_google):
    generation = cloud.put("kept", "cut", OTHER)
    cloud.cuts = True
    try:
        assert told(at_google, pushed(cloud, "kept", "cut", generation)).status_code == 503
        assert STATUS not in cloud.find("kept", "cut", generation).metadata
    finally:
        cloud.cuts = False
    assert told(at_google, pushed(cloud, "kept", "cut", generation)).status_code == 200
    assert cloud.find("kept", "cut", generation).metadata[STATUS] == "allow"


def test_blobs_are_tagged_beside_what_others_wrote_and_only_what_is_allowed_is_copied(account, at_azure):
    for content, status in CONTENTS:
        blob = account.put("uploads", f"told/{status}", content, {"mine": "1"})
        account.tell(json.dumps(created("uploads", f"told/{status}", blob.etag)[0]))
        wait_until(lambda each=blob: STATUS in each.tags, f"{status} is tagged")  # type: ignore[misc]
        assert (blob.tags[STATUS], blob.tags["mine"]) == (status, "1")
    wait_until(lambda: not account.messages, "every message is deleted")
    assert set(account.containers["public"]) == {"told/allow"}
    assert account.containers["public"]["told/allow"][0].content == OTHER


def test_a_blob_that_is_overwritten_meanwhile_loses_the_tags_of_the_one_before(account, at_azure):
    old = account.put("uploads", "over", OTHER)
    account.after_tagging.append(("uploads", "over", COPY))
    assert told(at_azure, created("uploads", "over", old.etag)).status_code == 200
    new = account.find("uploads", "over")
    assert STATUS not in new.tags
    assert told(at_azure, created("uploads", "over", old.etag)).status_code == 200  # late: it is gone
    assert STATUS not in new.tags
    assert told(at_azure, created("uploads", "over", new.etag)).status_code == 200
    assert new.tags[STATUS] == "block"


def test_of_an_account_with_versions_each_version_has_its_own_tags(knowing):
    with azure("uploads", "public", versioned=True) as account:
        keys = {"access_key": "env:TEST_ACCOUNT", "secret_key": "env:TEST_KEY"}
        settings = LISTENS | {"store": "azure", "endpoint": account.address} | keys
        running = Running(knowing, {"store": settings})
        try:
            first = account.put("uploads", "a", COPY)
            assert told(running, created("uploads", "a", first.etag)).status_code == 200
            second = account.put("uploads", "a", OTHER)
            assert told(running, created("uploads", "a", second.etag)).status_code == 200
            assert (first.tags[STATUS], second.tags[STATUS]) == ("block", "allow")
        finally:
            running.stop()


def test_a_machine_s_identity_asks_azure_with_tokens_of_its_metadata_service(knowing, monkeypatch):
    with azure("uploads", "public") as account, imds(account.tokens) as machine:
        monkeypatch.setattr(MachineIdentity.__init__, "__defaults__", (machine.address,))
        running = Running(knowing, {"store": LISTENS | {"store": "azure", "endpoint": account.address}})
        try:
            # While no token is to be had, nothing is said of any blob: the event comes again.
            blob = account.put("uploads", "a", COPY)
            for status in (404, 410, 412, 429, 500):
                machine.failures.append(status)
                assert told(running, created("uploads", "a", blob.etag)).status_code >= 500, status
            assert not blob.tags and not account.tokens
            assert told(running, created("uploads", "a", blob.etag)).status_code == 200
            assert blob.tags[STATUS] == "block"
            for name in ("b", "c"):
                blob = account.put("uploads", name, OTHER)
                assert told(running, created("uploads", name, blob.etag)).status_code == 200
                assert blob.tags[STATUS] == "allow"
            assert machine.given == 1
        finally:
            running.stop()


def test_a_token_that_is_about_to_end_is_replaced():
    request = Request("GET", "/uploads/x")
    with imds(set()) as machine:
        identity = MachineIdentity(machine.address)
        machine.lasts_s = 100
        first, second = (identity.header(request, "") for _ in range(2))
        assert first != second
        machine.lasts_s = 3_600
        third, fourth = (identity.header(request, "") for _ in range(2))
        assert second != third == fourth


def test_the_metadata_service_gives_nothing_to_whoever_asks_otherwise():
    """The stand-in's rules: without them, the tests above would show little."""
    with imds(set()) as machine:
        path = f"{machine.address}/metadata/identity/oauth2/token"
        asked = {"api-version": "2018-02-01", "resource": "https://storage.azure.com/"}
        header = {"Metadata": "true"}
        for query, headers in (
            (asked, {}),
            (asked, header | {"X-Forwarded-For": "127.0.0.1"}),
            (asked | {"api-version": "2017-01-01"}, header),
            ({"resource": asked["resource"]}, header),
            (asked | {"resource": "https://example.org/"}, header),
        ):
            assert httpx.get(path, params=query, headers=headers).status_code == 400, (query, headers)
        assert httpx.get(path, params=asked, headers=header).json()["access_token"]


def test_event_grid_is_answered_what_it_asks_before_it_tells_of_anything(at_azure):
    asked = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "512d38b6"}}
    assert told(at_azure, [asked]).json() == {"validationResponse": "512d38b6"}
    address = f"http://127.0.0.1:{at_azure.ports['store'][0]}/events"
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    assert httpx.options(address, headers=origin).status_code == 401
    answer = httpx.options(f"{address}?token=secret", headers=origin)
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    assert httpx.post(f"{address}?token=wrong", json=[asked]).status_code == 401


@pytest.mark.slow
def test_a_check_puts_pictures_into_the_store_and_waits_for_their_tags(cloud, at_google, account, at_azure, secrets):
    google_s = {"store": "gcs", "endpoint": cloud.address, "secret_key": "env:TEST_SERVICE_ACCOUNT"}
    azures = {"store": "azure", "endpoint": account.address}
    azures |= {"access_key": "env:TEST_ACCOUNT", "secret_key": "env:TEST_KEY"}
    checked = {"kind": "buckets", "check_in": "uploads/checks/canary.jpg"}
    (first, second) = check_gateways(described({"store": checked | google_s}))
    assert first.ok and second.ok, (first, second)

    # Nobody tells this account's queue of what is put: the stand-in has no Event Grid.
    def put(
        container: str, name: str, content: bytes, tags: dict[str, str] | None = None, plain: Any = account.put
    ) -> Any:
        blob = plain(container, name, content, tags)
        account.tell(json.dumps(created(container, name, blob.etag)[0]))
        return blob

    secrets.setattr(account, "put", put)
    (first, second) = check_gateways(described({"store": checked | azures}))
    assert first.ok and second.ok, (first, second)
    (nothing, _) = check_gateways(described({"store": {"kind": "buckets"} | azures}))
    assert not nothing.ok and "check_in" in nothing.detail


def test_what_is_wrong_with_a_store_is_said(cloud, account):
    for key in ("{", "[]", '{"client_email": "a"}'):
        with pytest.raises(InputError, match="service account"):
            Tokens(key)
    with pytest.raises(InputError, match="base64"):
        SharedKey("example", "no key")
    with pytest.raises(InputError, match="address"):
        Calls("storage.example.org")
    nobody = Calls("http://127.0.0.1:9", 1.0)
    with pytest.raises(StoreUnreachableError, match="does not answer"):
        nobody.ask(Request("GET", "/"))
    with pytest.raises(StoreUnreachableError, match="403"):
        Calls(account.address).ask(Request("GET", "/uploads/x"))
    with pytest.raises(GoneError):
        Calls(cloud.address).ask(Request("GET", "/storage/v1/b/b/o/none", Tokens(cloud.service_account()).header()))


def test_a_request_to_azure_is_signed_as_its_documentation_has_it():
    """The example of "Authorize with Shared Key", Get Container Metadata, with a later version."""
    headers = {"x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT", "x-ms-version": "2015-02-21"}
    request = Request("GET", "/mycontainer?comp=metadata&restype=container&timeout=20", headers)
    assert SharedKey("myaccount", KEY).signed(request, "") == (
        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
        "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
    )
