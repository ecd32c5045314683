"""Azure Blob Storage by its REST API. The tags are a blob's index tags: policies of access can ask for them, and they
do not change its ETag.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import html
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode
from xml.sax.saxutils import escape

from tutela.errors import InputError
from tutela.gateways.buckets.calls import Calls, Request, StoreAnswer
from tutela.gateways.buckets.events import NewObject
from tutela.gateways.buckets.store import ChangedError, Pinned, QueuedEvent, StoreUnreachableError, joined_tags
from tutela.gateways.buckets.tokens import AccessTokens

_API = "2021-08-06"
"""Version of the storage services that is asked for."""
_IDENTITY = "http://169.254.169.254"
_OF_MACHINE = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
_COPIED_S = 300.0
_TAG = re.compile(r"<Tag>\s*<Key>([^<]*)</Key>\s*<Value>([^<]*)</Value>\s*</Tag>")
_MESSAGE = re.compile(r"<QueueMessage>(.*?)</QueueMessage>", re.DOTALL)
_FIELD = re.compile(r"<(MessageId|PopReceipt|MessageText)>([^<]*)</\1>")


class Credential(Protocol):
    """Who asks."""

    def header(self, request: Request, path: str) -> dict[str, str]:
        """What proves it of a request to a target below that path."""


class SharedKey:
    """An account's key: every request is signed (Azure Storage REST, "Authorize with Shared Key")."""

    def __init__(self, account: str, key: str) -> None:
        """Raises InputError."""
        self._account = account
        try:
            self._key = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            raise InputError("secret_key is not the key of a storage account, as base64") from None

    def header(self, request: Request, path: str) -> dict[str, str]:
        """As `Credential`."""
        signed = hmac.digest(self._key, self.signed(request, path).encode(), hashlib.sha256)
        return {"Authorization": f"SharedKey {self._account}:{base64.b64encode(signed).decode()}"}

    def signed(self, request: Request, path: str) -> str:
        """What is signed of a request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        own = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()) if name.startswith("x-ms-"))
        at, _, query = request.target.partition("?")
        asked = "".join(f"\n{name.lower()}:{value}" for name, value in sorted(parse_qsl(query, keep_blank_values=True)))
        length = str(len(request.body)) if request.body else ""
        lines = (
            *(request.method, "", "", length, "", headers.get("content-type", ""), "", ""),
            *(headers.get("if-match", ""), "", "", ""),
        )
        return "\n".join(lines) + f"\n{own}/{self._account}{path}{at}{asked}"


class MachineIdentity:
    """The identity of the machine that this runs on. Thread-safe."""

    def __init__(self, address: str = _IDENTITY) -> None:
        """`address` is that of the machine's metadata service."""
        self._tokens = AccessTokens(Calls(address, 10.0), lambda: Request("GET", _OF_MACHINE, {"Metadata": "true"}))

    def header(self, request: Request, path: str) -> dict[str, str]:
        """As `Credential`."""
        return self._tokens.header()


@dataclass(frozen=True, slots=True)
class _Account:
    """Requests to one address, each with what proves who asks."""

    calls: Calls
    credential: Credential

    def signed(self, request: Request) -> Request:
        own = {"x-ms-version": _API, "x-ms-date": formatdate(usegmt=True), **request.headers}
        whole = Request(request.method, request.target, own, request.body)
        proof = self.credential.header(whole, self.calls.path)
        return Request(request.method, request.target, own | proof, request.body)

    def ask(self, request: Request) -> StoreAnswer:
        return self.calls.ask(self.signed(request))


class AzureStore:
    """As `ObjectStore` says; a bucket is a container."""

    def __init__(self, endpoint: str, credential: Credential) -> None:
        self._address = endpoint.rstrip("/")
        self._account = _Account(Calls(endpoint), credential)

    def pin(self, new: NewObject) -> Pinned:
        """As `ObjectStore`, as are the others."""
        match = {"If-Match": f'"{new.etag}"'} if new.etag and not new.version else {}
        found = self._account.ask(Request("HEAD", _blob(new.bucket, new.key, version=new.version), match)).headers
        return Pinned(new.bucket, new.key, found.get("x-ms-version-id", ""), found.get("etag", "").strip('"'))

    def read(self, pinned: Pinned) -> Iterator[bytes]:
        match = {"If-Match": f'"{pinned.etag}"'}
        target = _blob(pinned.bucket, pinned.key, version=pinned.version)
        return self._account.calls.blocks(self._account.signed(Request("GET", target, match)))

    def tags(self, pinned: Pinned) -> dict[str, str]:
        target = _blob(pinned.bucket, pinned.key, comp="tags", version=pinned.version)
        text = self._account.ask(Request("GET", target)).body.decode("utf-8", "replace")
        return {html.unescape(name): html.unescape(value) for name, value in _TAG.findall(text)}

    def tag(self, pinned: Pinned, ours: Mapping[str, str]) -> None:
        """Where the account keeps no versions, another blob may have come in between: then the tags are taken off
        again."""
        tags = joined_tags(self.tags(pinned), ours)
        self._set_tags(pinned, tags)
        if pinned.version:
            return
        head = self._account.ask(Request("HEAD", _blob(pinned.bucket, pinned.key)))
        if head.headers.get("etag", "").strip('"') != pinned.etag:
            left = {name: value for name, value in self.tags(pinned).items() if name not in ours}
            self._set_tags(pinned, left)
            raise ChangedError("another object came meanwhile")

    def copy(self, pinned: Pinned, bucket: str) -> None:
        target = _blob(bucket, pinned.key)
        source = {
            "x-ms-copy-source": self._address + _blob(pinned.bucket, pinned.key, version=pinned.version),
            "x-ms-source-if-match": f'"{pinned.etag}"',
        }
        state = self._account.ask(Request("PUT", target, source)).headers
        deadline = time.monotonic() + _COPIED_S
        while state.get("x-ms-copy-status") == "pending" and time.monotonic() < deadline:
            time.sleep(0.5)
            state = self._account.ask(Request("HEAD", target)).headers
        if state.get("x-ms-copy-status") != "success":
            raise StoreUnreachableError("a copy came to no end")

    def put(self, bucket: str, key: str, content: bytes) -> NewObject:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        found = self._account.ask(Request("PUT", _blob(bucket, key), headers, content)).headers
        return NewObject(bucket, key, "", found.get("etag", "").strip('"'))

    def _set_tags(self, pinned: Pinned, tags: Mapping[str, str]) -> None:
        each = "".join(
            f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>" for name, value in tags.items()
        )
        document = f'<?xml version="1.0" encoding="utf-8"?><Tags><TagSet>{each}</TagSet></Tags>'.encode()
        target = _blob(pinned.bucket, pinned.key, comp="tags", version=pinned.version)
        self._account.ask(Request("PUT", target, {"Content-Type": "application/xml; charset=UTF-8"}, document))


class StorageQueue:
    """A queue of Azure Storage that Event Grid writes to: `https://ACCOUNT.queue.core.windows.net/NAME`."""

    def __init__(self, address: str, credential: Credential, at_once: int, hidden_s: int, wait_s: float) -> None:
        server, _, self._name = address.rstrip("/").rpartition("/")
        self._account = _Account(Calls(server), credential)
        self._at_once, self._hidden_s, self._wait_s = at_once, hidden_s, wait_s

    def receive(self) -> Sequence[QueuedEvent]:
        """As `EventQueue`, as are the others."""
        query = urlencode({"numofmessages": self._at_once, "visibilitytimeout": self._hidden_s})
        text = self._account.ask(Request("GET", f"/{self._name}/messages?{query}")).body.decode("utf-8", "replace")
        taken = [_queued(found) for found in _MESSAGE.findall(text)]
        if not taken:
            time.sleep(self._wait_s)  # it answers at once, also where it has nothing
        return taken

    def done(self, event: QueuedEvent) -> None:
        self._account.ask(Request("DELETE", self._target(event)))

    def again(self, event: QueuedEvent, after_s: int) -> None:
        document = b"<QueueMessage><MessageText>%s</MessageText></QueueMessage>" % base64.b64encode(event.text.encode())
        target = f"{self._target(event)}&visibilitytimeout={after_s}"
        self._account.ask(Request("PUT", target, {"Content-Type": "application/xml"}, document))

    def _target(self, event: QueuedEvent) -> str:
        number, _, receipt = event.receipt.partition(" ")
        return f"/{self._name}/messages/{quote(number, safe='')}?{urlencode({'popreceipt': receipt})}"


def _queued(message: str) -> QueuedEvent:
    found = {name: html.unescape(value) for name, value in _FIELD.findall(message)}
    text = found.get("MessageText", "")
    with contextlib.suppress(ValueError):
        text = base64.b64decode(text, validate=True).decode()  # as Event Grid writes it
    return QueuedEvent(text, f"{found.get('MessageId', '')} {found.get('PopReceipt', '')}")


def _blob(container: str, key: str, *, comp: str = "", version: str = "") -> str:
    asked = urlencode({name: value for name, value in (("comp", comp), ("versionid", version)) if value})
    return f"/{quote(container, safe='$')}/{quote(key, safe='/~')}{'?' if asked else ''}{asked}"
