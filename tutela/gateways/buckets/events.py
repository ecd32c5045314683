"""What object stores say of a new object, each in a shape of its own, as one kind of value.

S3 by SQS, by SNS, by EventBridge; MinIO; SeaweedFS; Google's by Pub/Sub and Eventarc; Azure's by Event Grid. Told at
least once, in no order. What is not about a new object (test events, folders, tags: our own ones, too) is nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from tutela.errors import InputError

_MAX_NESTED = 4
_OF_A_FILER = ("create", "update", "delete", "rename")
_MAX_BATCH = 1_000
_CONTAINERS = "/blobServices/default/containers/"


class UnknownEventError(InputError):
    """A message is in none of the shapes."""

    code = "unknown-event"


@dataclass(frozen=True, slots=True)
class NewObject:
    """One version of one object."""

    bucket: str
    key: str
    version: str = ""
    etag: str = ""
    """Without quotes; empty where the store does not say."""


def read_events(text: str | bytes) -> list[NewObject]:
    """The new objects that a message tells of. Raises UnknownEventError."""
    try:
        return list(_events(json.loads(text), 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownEventError("a message is in none of the shapes that object stores send") from error


def validation_code(text: str | bytes) -> str | None:
    """What Event Grid wants to hear again before it tells of anything; None of any other message."""
    try:
        first = json.loads(text)[0]
        asked = first["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
        return str(first["data"]["validationCode"]) if asked else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _events(message: Any, depth: int) -> Iterator[NewObject]:
    if isinstance(message, list) and not depth and 0 < len(message) <= _MAX_BATCH:  # Event Grid
        for each in message:
            yield from _events(each, depth + 1)
        return
    if depth > _MAX_NESTED or not isinstance(message, dict):
        raise UnknownEventError("a message is in none of the shapes that object stores send")
    if message.get("Event") == "s3:TestEvent":
        return
    if isinstance(message.get("Records"), list) and message["Records"]:
        for record in message["Records"]:
            if "s3" in record:
                yield from _s3_record(record)
            else:  # SNS or EventBridge delivered by another of Amazon's envelopes
                yield from _events(json.loads(record["Sns"]["Message"]), depth + 1)
    elif isinstance(message.get("Message"), str):  # SNS
        yield from _events(json.loads(message["Message"]), depth + 1)
    elif "detail-type" in message:
        yield from _event_bridge(message)
    elif "event_type" in message:
        yield from _seaweedfs(message)
    elif "eventType" in message or "specversion" in message:
        yield from _cloud_event(message)
    elif isinstance(message.get("message"), dict):
        yield from _pub_sub(message["message"]["attributes"])
    elif message.get("kind") == "storage#object":  # Pub/Sub's payload and Eventarc's, without an envelope
        yield _new(message["bucket"], message["name"], message["generation"], None)
    else:
        raise UnknownEventError("a message is in none of the shapes that object stores send")


def _s3_record(record: Mapping[str, Any]) -> Iterator[NewObject]:
    described = record["s3"]["object"]
    if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
        return
    key = unquote_plus(str(described["key"]))  # as a form encodes it
    etag = str(described.get("eTag") or "").lower()
    yield _new(record["s3"]["bucket"]["name"], key, described.get("versionId"), etag)


def _event_bridge(message: Mapping[str, Any]) -> Iterator[NewObject]:
    if not message["detail-type"].startswith("Object "):
        raise UnknownEventError("an event is none of a store")
    if message["detail-type"] != "Object Created":
        return
    described = message["detail"]["object"]
    etag = str(described.get("etag") or "").lower()
    yield _new(message["detail"]["bucket"]["name"], described["key"], described.get("version-id"), etag)


def _pub_sub(attributes: Mapping[str, Any]) -> Iterator[NewObject]:
    """Google Cloud Storage, "Pub/Sub notifications": a message's attributes say it all."""
    if not attributes["eventType"].startswith("OBJECT_"):
        raise UnknownEventError("an event is none of a store")
    if attributes["eventType"] == "OBJECT_FINALIZE":
        yield _new(attributes["bucketId"], attributes["objectId"], attributes["objectGeneration"], None)


def _cloud_event(message: Mapping[str, Any]) -> Iterator[NewObject]:
    """Event Grid's own form, and CloudEvents 1.0, as Event Grid and Eventarc send them."""
    match str(message.get("type" if "specversion" in message else "eventType")):
        case "Microsoft.Storage.BlobCreated":
            subject = f"/{str(message['subject']).removeprefix('/')}"
            container, between, key = subject.removeprefix(_CONTAINERS).partition("/blobs/")
            if not subject.startswith(_CONTAINERS) or not between:
                raise UnknownEventError("an event's subject names no blob")
            yield _new(container, key, None, message["data"].get("eTag"))
        case "google.cloud.storage.object.v1.finalized":
            data = message["data"]
            yield _new(data["bucket"], data["name"], data["generation"], None)
        case kind if not kind.startswith(("Microsoft.", "google.cloud.storage.object.")):
            raise UnknownEventError("a message is in none of the shapes that object stores send")


def _seaweedfs(message: Mapping[str, Any]) -> Iterator[NewObject]:
    """Its filer tells of folders and of its own files, too, and of our tags as of an update."""
    if message["event_type"] not in _OF_A_FILER:
        raise UnknownEventError("an event is none of a filer")
    path, told = str(message["key"]), message["message"]
    old, new = told.get("old_entry"), told.get("new_entry")
    parts = path.split("/", 3)
    if len(parts) != 4 or parts[1] != "buckets" or not new or new.get("is_directory") or parts[3].startswith("."):
        return
    if old and _content_of(old) == _content_of(new):
        return
    yield _new(parts[2], parts[3], None, None)


def _content_of(entry: Mapping[str, Any]) -> object:
    attributes = entry.get("attributes") or {}
    return (
        attributes.get("md5"),
        attributes.get("file_size"),
        [(chunk.get("file_id"), chunk.get("e_tag")) for chunk in entry.get("chunks") or ()],
        entry.get("content"),
    )


def _new(bucket: Any, key: Any, version: Any, etag: Any) -> NewObject:
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise UnknownEventError("a message names no object")
    version = "" if version in (None, "null") else str(version)
    return NewObject(bucket, key, version, str(etag or "").strip('"'))
