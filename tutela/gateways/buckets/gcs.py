"""Google Cloud Storage by its JSON API. A version is a generation; the tags are metadata of it, which are set without
touching those of others.
"""

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tutela.errors import InputError
from tutela.gateways.buckets.calls import Calls, Request, StoreAnswer
from tutela.gateways.buckets.events import NewObject
from tutela.gateways.buckets.store import Pinned, QueuedEvent, StoreUnreachableError
from tutela.gateways.buckets.tokens import AccessTokens

ADDRESS = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write https://www.googleapis.com/auth/pubsub"
_METADATA_HOST = "metadata.google.internal"
_OF_MACHINE = "/computeMetadata/v1/instance/service-accounts/default/token"
_TOKEN_S = 3600
_MOST_STEPS = 10_000
"""Of one copy: the store moves a part in each."""


class Tokens:
    """Access tokens: of a service account's key (RFC 7523), or of the machine that this runs on. Thread-safe."""

    def __init__(self, key: str | None) -> None:
        """`key` is the key's file as Google gives it. Raises InputError."""
        self._account: Mapping[str, str] | None = None
        if key is None:
            calls = Calls(f"http://{os.environ.get('GCE_METADATA_HOST', _METADATA_HOST)}", 10.0)
            self._tokens = AccessTokens(calls, self._request)
            return
        try:
            account = json.loads(key)
            self._account = {name: str(account[name]) for name in ("client_email", "private_key", "token_uri")}
        except (ValueError, KeyError, TypeError):
            raise InputError("secret_key is not the key of a Google service account, as JSON") from None
        address = urlsplit(self._account["token_uri"])
        self._tokens = AccessTokens(Calls(f"{address.scheme}://{address.netloc}"), self._request)

    def header(self) -> dict[str, str]:
        """What proves who asks. Raises StoreUnreachableError."""
        return self._tokens.header()

    def _request(self) -> Request:
        if self._account is None:
            return Request("GET", _OF_MACHINE, {"Metadata-Flavor": "Google"})
        body = urlencode({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._assertion()})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", urlsplit(self._account["token_uri"]).path, form, body.encode())

    def _assertion(self) -> str:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        assert self._account is not None
        now = int(time.time())
        said = {
            "iss": self._account["client_email"],
            "scope": _SCOPE,
            "aud": self._account["token_uri"],
            "iat": now,
            "exp": now + _TOKEN_S,
        }
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(said)}"
        key = load_pem_private_key(self._account["private_key"].encode(), None)
        if not isinstance(key, RSAPrivateKey):
            raise InputError("secret_key is not the key of a Google service account: its key is not RSA")
        return f"{signed}.{_letters(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


class GcsStore:
    """As `ObjectStore` says."""

    def __init__(self, endpoint: str | None, tokens: Tokens) -> None:
        self._calls = Calls(endpoint or ADDRESS)
        self._tokens = tokens

    def pin(self, new: NewObject) -> Pinned:
        """As `ObjectStore`, as are the others."""
        found = self._said(Request("GET", _object(new.bucket, new.key, generation=new.version)))
        return Pinned(new.bucket, new.key, str(found["generation"]), "")

    def read(self, pinned: Pinned) -> Iterator[bytes]:
        target = _object(pinned.bucket, pinned.key, generation=pinned.version, alt="media")
        return self._calls.blocks(Request("GET", target, self._tokens.header()))

    def tags(self, pinned: Pinned) -> dict[str, str]:
        found = self._said(Request("GET", _object(pinned.bucket, pinned.key, generation=pinned.version)))
        return {str(name): str(value) for name, value in (found.get("metadata") or {}).items()}

    def tag(self, pinned: Pinned, ours: Mapping[str, str]) -> None:
        target = _object(pinned.bucket, pinned.key, generation=pinned.version)
        self._said(_with_json("PATCH", target, {"metadata": dict(ours)}))

    def copy(self, pinned: Pinned, bucket: str) -> None:
        source = _object(pinned.bucket, pinned.key)
        target = f"{source}/rewriteTo{_object(bucket, pinned.key).removeprefix('/storage/v1')}"
        token = ""
        for _ in range(_MOST_STEPS):
            step = {"sourceGeneration": pinned.version} | ({"rewriteToken": token} if token else {})
            found = self._said(Request("POST", f"{target}?{urlencode(step)}"))
            if found.get("done"):
                return
            token = str(found["rewriteToken"])
        raise StoreUnreachableError("a copy comes to no end")

    def put(self, bucket: str, key: str, content: bytes) -> NewObject:
        query = urlencode({"uploadType": "media", "name": key})
        target = f"/upload/storage/v1/b/{quote(bucket, safe='')}/o?{query}"
        found = self._said(Request("POST", target, {"Content-Type": "application/octet-stream"}, content))
        return NewObject(bucket, key, str(found["generation"]))

    def _said(self, request: Request) -> dict[str, Any]:
        headers = {**request.headers, **self._tokens.header()}
        return _json(self._calls.ask(Request(request.method, request.target, headers, request.body)))


@dataclass(frozen=True, slots=True)
class PubSubQueue:
    """A subscription, pulled: `https://pubsub.googleapis.com/v1/projects/P/subscriptions/S`."""

    calls: Calls
    tokens: Tokens
    at_once: int
    hidden_s: int

    def receive(self) -> Sequence[QueuedEvent]:
        """As `EventQueue`, as are the others."""
        found = self._said("pull", {"maxMessages": self.at_once})
        taken = [
            QueuedEvent(json.dumps({"message": told["message"]}), str(told["ackId"]))
            for told in found.get("receivedMessages") or ()
        ]
        if taken:
            self._put_off([event.receipt for event in taken], self.hidden_s)
        return taken

    def done(self, event: QueuedEvent) -> None:
        self._said("acknowledge", {"ackIds": [event.receipt]})

    def again(self, event: QueuedEvent, after_s: int) -> None:
        self._put_off([event.receipt], after_s)

    def _put_off(self, receipts: list[str], seconds: int) -> None:
        self._said("modifyAckDeadline", {"ackIds": receipts, "ackDeadlineSeconds": min(seconds, 600)})

    def _said(self, verb: str, document: Mapping[str, Any]) -> dict[str, Any]:
        request = _with_json("POST", f":{verb}", document)
        headers = {**request.headers, **self.tokens.header()}
        return _json(self.calls.ask(Request(request.method, request.target, headers, request.body)))


def _object(bucket: str, key: str, **query: str) -> str:
    asked = urlencode({name: value for name, value in query.items() if value})
    return f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(key, safe='')}{'?' if asked else ''}{asked}"


def _with_json(method: str, target: str, document: Mapping[str, Any]) -> Request:
    return Request(method, target, {"Content-Type": "application/json"}, json.dumps(document).encode())


def _json(answer: StoreAnswer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StoreUnreachableError("the store's answer is not of its form")
    return found


def _encoded(document: Mapping[str, Any]) -> str:
    return _letters(json.dumps(document).encode())


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
