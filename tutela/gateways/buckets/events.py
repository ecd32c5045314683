"""What object stores say of a new object, each in a shape of its own, as one kind of value.

S3 by SQS, by SNS, by EventBridge; MinIO; SeaweedFS. Told at least once, in no order. What is not about a new object
(test events, folders, tags: our own ones, too) is nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from tutela.errors import InputError

_MAX_NESTED = 4


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
    """In lower case, without quotes; empty where the store does not say."""


def read_events(text: str | bytes) -> list[NewObject]:
    """The new objects that a message tells of. Raises UnknownEventError."""
    try:
        return list(_events(json.loads(text), 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownEventError("a message is in none of the shapes that object stores send") from error


def _events(message: Any, depth: int) -> Iterator[NewObject]:
    if depth > _MAX_NESTED or not isinstance(message, dict):
        raise UnknownEventError("a message is in none of the shapes that object stores send")
    if message.get("Event") == "s3:TestEvent":
        return
    if isinstance(message.get("Records"), list):
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
    else:
        raise UnknownEventError("a message is in none of the shapes that object stores send")


def _s3_record(record: Mapping[str, Any]) -> Iterator[NewObject]:
    if not str(record["eventName"]).removeprefix("s3:").startswith("ObjectCreated:"):
        return
    described = record["s3"]["object"]
    key = unquote_plus(str(described["key"]))  # as a form encodes it
    yield _new(record["s3"]["bucket"]["name"], key, described.get("versionId"), described.get("eTag"))


def _event_bridge(message: Mapping[str, Any]) -> Iterator[NewObject]:
    if message["detail-type"] != "Object Created":
        return
    described = message["detail"]["object"]
    yield _new(
        message["detail"]["bucket"]["name"], described["key"], described.get("version-id"), described.get("etag")
    )


def _seaweedfs(message: Mapping[str, Any]) -> Iterator[NewObject]:
    """Its filer tells of folders and of its own files, too, and of our tags as of an update."""
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
    return NewObject(bucket, key, version, str(etag or "").strip('"').lower())
