"""Object stores: each version of an object ends with one verdict, on that version and no other."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import boto3
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from tests.support.gateways import COPY, DAMAGED, OTHER, Running, never_told
from tests.support.relay import Relay
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment
from tutela.gateways.buckets.events import NewObject, UnknownEventError, read_events
from tutela.gateways.buckets.options import STATUS, VERDICT
from tutela.gateways.buckets.service import GUARD_DUTY

KEYS = ("plain.jpg", "a b+c", "ü/%2F", "x//y", "a/../b", "./dot", "trail/", "q?#&=", "\t")


def s3_event(bucket: str, key: str, name: str = "ObjectCreated:Put", **described: str) -> dict[str, Any]:
    return {"Records": [{"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key} | described}}]}


def test_every_shape_tells_of_the_same_object():
    plain = s3_event("b", "a+b%2Fc", eTag="ABC", versionId="v1")
    expected = [NewObject("b", "a b/c", "v1", "abc")]
    bridge = {
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": "a b/c", "etag": "abc", "version-id": "v1"}},
    }
    sns = {"Type": "Notification", "Message": json.dumps(plain)}
    minio = {"EventName": "s3:ObjectCreated:Put", "Key": "b/a b/c"} | s3_event("b", "a+b%2Fc", "s3:ObjectCreated:Put")
    for message in (plain, sns, bridge, {"Records": [{"Sns": {"Message": json.dumps(plain)}}]}):
        assert read_events(json.dumps(message)) == expected, message
    assert read_events(json.dumps(minio)) == [NewObject("b", "a b/c")]
    weed = {"event_type": "create", "key": "/buckets/b/a b/c", "message": {"new_entry": {"name": "c"}}}
    assert read_events(json.dumps(weed)) == [NewObject("b", "a b/c")]


def test_what_is_not_about_a_new_object_is_nothing():
    entry = {"attributes": {"md5": "x", "file_size": 3}, "extended": {}}
    tagged = entry | {"extended": {"Seaweed-X-Amz-Tagging-a": "b"}}
    for message in (
        {"Event": "s3:TestEvent", "Bucket": "b"},
        s3_event("b", "k", "ObjectRemoved:Delete"),
        s3_event("b", "k", "ObjectTagging:Put"),
        {"detail-type": "Object Deleted", "detail": {}},
        {"event_type": "update", "key": "/buckets/b/k", "message": {"old_entry": entry, "new_entry": tagged}},
        {"event_type": "create", "key": "/buckets/b/f", "message": {"new_entry": {"is_directory": True}}},
        {"event_type": "create", "key": "/etc/x", "message": {"new_entry": entry}},
        {"event_type": "delete", "key": "/buckets/b/k", "message": {"old_entry": entry}},
    ):
        assert read_events(json.dumps(message)) == [], message
    changed = {"old_entry": entry, "new_entry": entry | {"attributes": {"md5": "y", "file_size": 3}}}
    assert read_events(json.dumps({"event_type": "update", "key": "/buckets/b/k", "message": changed}))


@pytest.mark.parametrize(
    "message",
    [
        {"Records": []},
        {"Records": [{"s3": None, "eventName": "ObjectRemoved:Delete"}]},
        {"Records": [{"s3": {"object": {}}, "eventName": None}]},
        {"detail-type": None},
        {"detail-type": "Another Event", "detail": {}},
        {"event_type": None, "key": "/etc/x", "message": {}},
        {"message": {"attributes": {"eventType": "ANOTHER"}}},
        {"specversion": "1.0", "type": None},
    ],
)
def test_a_message_that_is_like_an_event_and_none_is_of_an_unknown_shape(message):
    with pytest.raises(UnknownEventError):
        read_events(json.dumps(message))


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)).filter(
        lambda message: not isinstance(message, dict) or message.get("Event") != "s3:TestEvent"
    )
)
def test_any_other_message_is_of_an_unknown_shape(message):
    with pytest.raises(UnknownEventError):
        read_events(json.dumps(message))


@dataclass
class Store:
    """A store with a bucket that keeps versions and one that does not, and a gateway that is told of both."""

    s3: Any
    sns: Any
    events: Any
    queue: str
    """The queue's name (ARN)."""
    running: Running

    def put(self, bucket: str, key: str, content: bytes, **options: Any) -> str:
        return self.s3.put_object(Bucket=bucket, Key=key, Body=content, **options).get("VersionId", "")

    def tags(self, bucket: str, key: str, version: str = "") -> dict[str, str]:
        named = {"VersionId": version} if version else {}
        answer = self.s3.get_object_tagging(Bucket=bucket, Key=key, **named)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def tell(self, bucket: str, key: str, **described: str) -> httpx.Response:
        port = self.running.ports["store"][0]
        event = s3_event(bucket, quote_plus(key), **described)
        token = {"Authorization": "Bearer secret"}
        return httpx.post(f"http://127.0.0.1:{port}/events", json=event, headers=token, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def store(knowing: Deployment, monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Store]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    address, relay = f"http://{host}:{port}", Relay(port)
    relayed = f"http://127.0.0.1:{relay.port}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TEST_TOKEN"):
        monkeypatch_module.setenv(name, "secret")
    session = boto3.session.Session(region_name="us-east-1")
    s3, sqs = session.client("s3", endpoint_url=address), session.client("sqs", endpoint_url=address)
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for bucket in ("versioned", "plain", "quiet", "public"):
        s3.create_bucket(Bucket=bucket)
    for bucket in ("versioned", "quiet"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for bucket in ("versioned", "plain"):
        told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    settings = {
        "kind": "buckets",
        "listen": ["127.0.0.1:0"],
        "queue": queue.replace(address, relayed),
        "endpoint": relayed,
        "region": "us-east-1",
        "access_key": "env:AWS_ACCESS_KEY_ID",
        "secret_key": "env:AWS_SECRET_ACCESS_KEY",
        "token": "env:TEST_TOKEN",
        "guard_duty": True,
        "copy_to": "public",
        "overrides": {"unknown-type": "allow"},
    }
    running = Running(knowing, {"store": settings})
    sns, events = (session.client(name, endpoint_url=address) for name in ("sns", "events"))
    yield Store(s3, sns, events, arn, running)
    running.stop()
    server.stop()
    relay.__exit__()
    said, secrets = bytes(relay.asked).lower(), never_told(knowing, COPY, DAMAGED)
    etags = {hashlib.md5(content, usedforsecurity=False).hexdigest().encode() for content in (COPY, DAMAGED)}
    secrets = [secret for secret in secrets if secret not in etags]  # by which the store itself names a version
    assert b"receivemessage" in said and STATUS.lower().encode() in said, "what the gateway said came through the relay"
    assert not [secret for secret in secrets if secret in said], "what the store was told"


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_an_object_is_tagged_with_its_verdict_and_only_what_is_allowed_is_copied(store):
    for bucket in ("versioned", "plain"):
        for name, content, status, word in (
            ("other.jpg", OTHER, "allow", "NO_THREATS_FOUND"),
            ("listed.jpg", COPY, "block", "THREATS_FOUND"),
            ("damaged.jpg", DAMAGED, "hold", "FAILED"),
        ):
            key = f"{bucket}/{name}"
            store.put(bucket, key, content, Tagging="mine=1")
            wait_until(lambda bucket=bucket, key=key: STATUS in store.tags(bucket, key), f"{key} is tagged")  # type: ignore[misc]
            tags = store.tags(bucket, key)
            assert (tags["mine"], tags[STATUS], tags[GUARD_DUTY]) == ("1", status, word)

    def copied() -> set[str]:
        return {item["Key"] for item in store.s3.list_objects_v2(Bucket="public").get("Contents", ())}

    wait_until(lambda: "versioned/other.jpg" in copied(), "what is allowed is copied")
    assert copied() <= {"versioned/other.jpg", "plain/other.jpg"}
    assert store.s3.get_object(Bucket="public", Key="versioned/other.jpg")["Body"].read() == OTHER


def test_what_is_told_by_sns_or_by_eventbridge_is_tagged_too(store):
    topic = store.sns.create_topic(Name="uploads")["TopicArn"]
    store.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=store.queue)
    pattern = json.dumps({"source": ["aws.s3"], "detail-type": ["Object Created"]})
    store.events.put_rule(Name="uploads", EventPattern=pattern)
    store.events.put_targets(Rule="uploads", Targets=[{"Id": "queue", "Arn": store.queue}])
    told = {
        "by-sns": {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
        "by-eventbridge": {"EventBridgeConfiguration": {}},
    }
    for bucket, configuration in told.items():
        store.s3.create_bucket(Bucket=bucket)
        store.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
        for key, content, status in (("a b+ü", OTHER, "allow"), ("listed.jpg", COPY, "block")):
            store.put(bucket, key, content)
            wait_until(lambda bucket=bucket, key=key: STATUS in store.tags(bucket, key), f"{bucket}/{key} is tagged")  # type: ignore[misc]
            assert store.tags(bucket, key)[STATUS] == status


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_read_as_it_is(store, key):
    store.put("quiet", key, COPY)
    assert store.tell("quiet", key).status_code == 200
    assert store.tags("quiet", key)[STATUS] == "block"


def test_duplicates_and_late_events_change_nothing(store, knowing):
    first = store.put("quiet", "twice", COPY)
    assert store.tell("quiet", "twice", versionId=first).status_code == 200
    verdict = store.tags("quiet", "twice", first)[VERDICT]
    second = store.put("quiet", "twice", OTHER)
    for version in (second, first, first, second):
        assert store.tell("quiet", "twice", versionId=version).status_code == 200
    assert store.tags("quiet", "twice", first)[VERDICT] == verdict
    assert store.tags("quiet", "twice", first)[STATUS] == "block"
    assert store.tags("quiet", "twice", second)[STATUS] == "allow"


def test_an_overwritten_object_never_gets_the_old_verdict(store):
    etag = store.s3.put_object(Bucket="public", Key="over", Body=OTHER)["ETag"].strip('"')
    store.put("public", "over", COPY)
    assert store.tell("public", "over", eTag=etag).status_code == 200
    assert STATUS not in store.tags("public", "over")
    assert store.tell("public", "over").status_code == 200
    assert store.tags("public", "over")[STATUS] == "block"


def test_tags_that_an_uploader_sends_along_are_not_believed(store):
    version = store.put("quiet", "forged", COPY, Tagging=f"{STATUS}=allow&{VERDICT}=0123456789ab%20{'0' * 32}")
    assert store.tell("quiet", "forged").status_code == 200
    assert store.tags("quiet", "forged", version)[STATUS] == "block"
    good = store.put("quiet", "good", OTHER)
    assert store.tell("quiet", "good").status_code == 200
    taken = store.tags("quiet", "good", good)
    tagging = "&".join(f"{name}={quote_plus(value)}" for name, value in taken.items())
    store.put("quiet", "forged-2", COPY, Tagging=tagging)
    assert store.tell("quiet", "forged-2").status_code == 200
    assert store.tags("quiet", "forged-2")[STATUS] == "block"


@pytest.mark.slow
def test_what_is_gone_unknown_or_not_told_by_a_token_is_answered(store):
    assert store.tell("quiet", "never-there").status_code == 200
    port = store.running.ports["store"][0]
    token = {"Authorization": "Bearer secret"}
    for text in (b"{", b"[]", b'{"unknown": 1}', b'{"Event": "s3:TestEvent"}'):
        answer = httpx.post(f"http://127.0.0.1:{port}/events", content=text, headers=token, timeout=PATIENCE_S)
        assert answer.status_code == 200
    answer = httpx.post(f"http://127.0.0.1:{port}/events", json={}, timeout=PATIENCE_S)
    assert answer.status_code == 401
    answer = store.tell("no-such-bucket", "x")
    assert answer.status_code in (200, 503)
