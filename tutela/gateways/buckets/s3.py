"""S3, and what speaks as it does. By boto3: it sends every key as it is, where faster clients refuse some or read
another object.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tutela.gateways.buckets.events import NewObject
from tutela.gateways.buckets.store import (
    BLOCK,
    ChangedError,
    GoneError,
    Pinned,
    QueuedEvent,
    StoreUnreachableError,
    joined_tags,
)

_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405"})
_CHANGED = frozenset({"412", "PreconditionFailed"})
_WAIT_S = 5


class Amazon:
    """Clients of one provider's services."""

    def __init__(self, endpoint: str | None, region: str | None, keys: tuple[str, str] | None) -> None:
        """Without keys, those of the surroundings: a role, the environment, a profile."""
        import boto3

        access, secret = keys or (None, None)
        self._session = boto3.session.Session(access, secret, region_name=region)
        self._endpoint = endpoint

    def client(self, service: str) -> Any:
        """A client of one service."""
        patience = Config(retries={"mode": "adaptive", "max_attempts": 5}, s3={"addressing_style": "path"})
        return self._session.client(service, endpoint_url=self._endpoint, config=patience)


class S3Store:
    """As `ObjectStore` says."""

    def __init__(self, amazon: Amazon) -> None:
        self._s3 = amazon.client("s3")

    def pin(self, new: NewObject) -> Pinned:
        """As `ObjectStore`, as are the others."""
        named = {"Bucket": new.bucket, "Key": new.key}
        if new.version:
            named["VersionId"] = new.version
        elif new.etag:
            named["IfMatch"] = f'"{new.etag}"'
        head = self._call(self._s3.head_object, **named)
        version = head.get("VersionId", "")
        return Pinned(new.bucket, new.key, "" if version == "null" else version, head["ETag"].strip('"'))

    def read(self, pinned: Pinned) -> Iterator[bytes]:
        answer = self._call(self._s3.get_object, **_named(pinned), IfMatch=f'"{pinned.etag}"')
        with answer["Body"] as stream:
            while block := self._call(stream.read, BLOCK):
                yield block

    def tags(self, pinned: Pinned) -> dict[str, str]:
        answer = self._call(self._s3.get_object_tagging, **_named(pinned))
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def tag(self, pinned: Pinned, ours: Mapping[str, str]) -> None:
        """Where the bucket keeps no versions, another object may have come in between: then the tags are taken off
        again."""
        tags = joined_tags(self.tags(pinned), ours)
        self._call(self._s3.put_object_tagging, **_named(pinned), Tagging=_tag_set(tags))
        if pinned.version:
            return
        head = self._call(self._s3.head_object, **_named(pinned))
        if head["ETag"].strip('"') != pinned.etag:
            left = {name: value for name, value in self.tags(pinned).items() if name not in ours}
            self._call(self._s3.put_object_tagging, **_named(pinned), Tagging=_tag_set(left))
            raise ChangedError("another object came meanwhile")

    def copy(self, pinned: Pinned, bucket: str) -> None:
        self._call(
            self._s3.copy_object,
            Bucket=bucket,
            Key=pinned.key,
            CopySource=_named(pinned),
            CopySourceIfMatch=f'"{pinned.etag}"',
        )

    def put(self, bucket: str, key: str, content: bytes) -> NewObject:
        answer = self._call(self._s3.put_object, Bucket=bucket, Key=key, Body=content)
        return NewObject(bucket, key, answer.get("VersionId", ""), answer["ETag"].strip('"'))

    def _call(self, call: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _CHANGED:
                raise ChangedError("another version is there") from None
            if code in _GONE:
                raise GoneError("the object is gone") from None
            raise StoreUnreachableError(
                "the store refused {operation_name}: {code}", operation_name=error.operation_name, code=code
            ) from None
        except (BotoCoreError, OSError) as error:
            raise StoreUnreachableError("the store does not answer: {kind}", kind=type(error).__name__) from None


@dataclass(frozen=True, slots=True)
class SqsQueue:
    """As `EventQueue` says."""

    sqs: Any
    address: str
    at_once: int
    hidden_s: int

    def receive(self) -> Sequence[QueuedEvent]:
        """As `EventQueue`, as are the others."""
        answer = self.sqs.receive_message(
            QueueUrl=self.address,
            MaxNumberOfMessages=self.at_once,
            WaitTimeSeconds=_WAIT_S,
            VisibilityTimeout=self.hidden_s,
        )
        return [QueuedEvent(told["Body"], told["ReceiptHandle"]) for told in answer.get("Messages", ())]

    def done(self, event: QueuedEvent) -> None:
        self.sqs.delete_message(QueueUrl=self.address, ReceiptHandle=event.receipt)

    def again(self, event: QueuedEvent, after_s: int) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=self.address, ReceiptHandle=event.receipt, VisibilityTimeout=after_s
        )


def _named(pinned: Pinned) -> dict[str, str]:
    named = {"Bucket": pinned.bucket, "Key": pinned.key}
    return named | ({"VersionId": pinned.version} if pinned.version else {})


def _tag_set(tags: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
