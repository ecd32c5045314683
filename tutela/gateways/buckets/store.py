"""The objects of an S3 store: read in the version that was told of, tagged in that version, copied, never deleted.

By boto3: it sends every key as it is, where faster clients refuse some or read another object.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tutela.errors import TutelaError
from tutela.gateways.buckets.events import NewObject

_BLOCK = 256 * 1024
MAX_TAGS = 10
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405"})
_CHANGED = frozenset({"412", "PreconditionFailed"})


class StoreUnreachableError(TutelaError):
    """The store does not answer, or refuses us: the event comes again."""

    code = "store-unreachable"


class GoneError(TutelaError):
    """That version of the object is not there any more."""

    code = "gone"


class ChangedError(TutelaError):
    """Another version is there by now; its own event tells of it."""

    code = "changed"


@dataclass(frozen=True, slots=True)
class Pinned:
    """Exactly one version of an object: by its id, or where the bucket keeps no versions by its ETag."""

    bucket: str
    key: str
    version: str
    etag: str

    @property
    def named(self) -> dict[str, str]:
        """As boto3 takes it."""
        named = {"Bucket": self.bucket, "Key": self.key}
        return named | ({"VersionId": self.version} if self.version else {})


class Buckets:
    """One S3 store. Calls wait: make them in threads."""

    def __init__(self, endpoint: str | None, region: str | None, keys: tuple[str, str] | None) -> None:
        """Without keys, those of the surroundings: a role, the environment, a profile."""
        import boto3

        access, secret = keys or (None, None)
        self._session = boto3.session.Session(access, secret, region_name=region)
        self._endpoint = endpoint
        self._s3 = self.client("s3")

    def client(self, service: str) -> Any:
        """A client of one of the provider's services."""
        patience = Config(retries={"mode": "adaptive", "max_attempts": 5}, s3={"addressing_style": "path"})
        return self._session.client(service, endpoint_url=self._endpoint, config=patience)

    def pin(self, new: NewObject) -> Pinned:
        """The version that an event tells of. Raises GoneError, ChangedError, StoreUnreachableError."""
        named = {"Bucket": new.bucket, "Key": new.key}
        if new.version:
            named["VersionId"] = new.version
        elif new.etag:
            named["IfMatch"] = f'"{new.etag}"'
        head = self._call(self._s3.head_object, **named)
        version = head.get("VersionId", "")
        return Pinned(new.bucket, new.key, "" if version == "null" else version, head["ETag"].strip('"'))

    def read(self, pinned: Pinned) -> Iterator[bytes]:
        """The content of that version, block by block."""
        answer = self._call(self._s3.get_object, **pinned.named, IfMatch=f'"{pinned.etag}"')
        with answer["Body"] as stream:
            while block := self._call(stream.read, _BLOCK):
                yield block

    def tags(self, pinned: Pinned) -> dict[str, str]:
        """The tags of that version."""
        answer = self._call(self._s3.get_object_tagging, **pinned.named)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def tag(self, pinned: Pinned, ours: Mapping[str, str]) -> None:
        """Set our tags on that version beside those of others.

        Where the bucket keeps no versions, another object may have come in between: then the tags are taken off again.
        """
        tags = self.tags(pinned) | dict(ours)
        if len(tags) > MAX_TAGS:
            raise StoreUnreachableError(
                "the object has {tags} tags, and may have {max_tags} in all",
                tags=len(tags) - len(ours),
                max_tags=MAX_TAGS,
            )
        self._call(self._s3.put_object_tagging, **pinned.named, Tagging=_tag_set(tags))
        if pinned.version:
            return
        head = self._call(self._s3.head_object, **pinned.named)
        if head["ETag"].strip('"') != pinned.etag:
            left = {name: value for name, value in self.tags(pinned).items() if name not in ours}
            self._call(self._s3.put_object_tagging, **pinned.named, Tagging=_tag_set(left))
            raise ChangedError("another object came meanwhile")

    def copy(self, pinned: Pinned, bucket: str) -> None:
        """Copy that version to another bucket, under the same key."""
        source = pinned.named
        self._call(
            self._s3.copy_object,
            Bucket=bucket,
            Key=pinned.key,
            CopySource=source,
            CopySourceIfMatch=f'"{pinned.etag}"',
        )

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


def _tag_set(tags: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
