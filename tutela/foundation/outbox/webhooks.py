"""Signed webhooks, as standard-webhooks has them: HMAC-SHA256 over id, time and body, in `webhook-…` headers.

They go only to endpoints that the operator configured, are never redirected, and what is answered is not read. `verify`
is for receivers, who must also remember the ids of the last minutes to refuse a repetition.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from tutela.errors import InputError
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.worker import DeliveryError, Progress, UndeliverableError

if TYPE_CHECKING:
    import httpx

TOPIC = "webhook"
TOLERANCE_S = 300
TIMEOUT_S = 15.0
_PREFIX = "whsec_"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SignatureError(InputError):
    """A webhook is not signed by the secret, or too old."""


def new_secret() -> str:
    """A fresh secret, as text."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secret(text: str) -> bytes:
    """The bytes of a secret's text. Raises InputError when it is none, or shorter than 24 bytes."""
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(_PREFIX) or not 24 <= len(secret) <= 64:
        raise InputError(
            "a webhook secret is 'whsec_' and the base64 of 24 to 64 bytes; make one: tutela outbox secret"
        )
    return secret


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an operator wants to be told. Raises InputError for an address that is not safe to send to."""

    name: str
    url: str
    secrets: Sequence[bytes] = field(repr=False)
    """The current one first; while secrets change, the former as well, and both sign."""
    events: frozenset[str] = frozenset()
    """The event types that it wants; all when empty."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise InputError(f"webhook {self.name!r}: its address must be https://host/path")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InputError(f"webhook {self.name!r}: http is only for this machine's own address; use https")
        if parts.username is not None or parts.fragment:
            raise InputError(f"webhook {self.name!r}: its address has a user or a fragment; leave them out")
        if not self.secrets:
            raise InputError(f"webhook {self.name!r}: it has no secret")

    def wants(self, event: str) -> bool:
        """Whether it is to be told of events of this type."""
        return not self.events or event in self.events


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of one message, as the header carries it."""
    text = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()


def signed_headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(key, message_id, timestamp, body) for key in keys),
    }


def verify(
    keys: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> str:
    """The id of a message that was signed with one of the keys, lately. Raises SignatureError otherwise."""
    given = {name.lower(): value for name, value in headers.items()}
    message_id, signatures = given.get("webhook-id", ""), given.get("webhook-signature", "")
    timestamp = given.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdecimal()) or len(timestamp) > 12:
        raise SignatureError("the message has no webhook-id or no webhook-timestamp")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance_s:
        raise SignatureError("the message is too old, or from the future")
    expected = [sign(key, message_id, int(timestamp), body).encode() for key in keys]
    for signature in signatures.split(" "):
        if any(hmac.compare_digest(signature.encode(), one) for one in expected):
            return message_id
    raise SignatureError("the message is not signed by a known secret")


def announce(
    connection: Connection,
    endpoints: Mapping[str, Endpoint],
    event: str,
    event_id: str,
    data: Mapping[str, Any],
    *,
    lane: str | None = None,
) -> int:
    """Write down an event for every endpoint that wants it, inside the caller's transaction; for how many.

    `event_id` names the event: announced again, it is sent once. Events of one `lane` reach an endpoint in order.
    """
    wanting = [endpoint for endpoint in endpoints.values() if endpoint.wants(event)]
    at = datetime.now(UTC).isoformat()
    for endpoint in wanting:
        payload = {"endpoint": endpoint.name, "type": event, "timestamp": at, "data": dict(data)}
        own_lane = None if lane is None else f"{endpoint.name}/{lane}"
        enqueue(connection, TOPIC, f"{event_id}/{endpoint.name}", payload, lane=own_lane)
    return len(wanting)


class WebhookHandler:
    """Delivers the topic `webhook` to the configured endpoints."""

    def __init__(self, endpoints: Mapping[str, Endpoint], clock: Callable[[], float] = time.time) -> None:
        self._endpoints = endpoints
        self._clock = clock

    def __call__(self, delivery: Delivery, progress: Progress) -> None:
        """Send one message. Raises DeliveryError, UndeliverableError."""
        endpoint = self._endpoints.get(delivery.payload["endpoint"])
        if endpoint is None:
            raise DeliveryError(f"webhook {delivery.payload['endpoint']!r} is not configured in this process")
        message = {name: delivery.payload[name] for name in ("type", "timestamp", "data")}
        body = json.dumps(message, separators=(",", ":"), sort_keys=True).encode()
        headers = signed_headers(endpoint.secrets, delivery.key, int(self._clock()), body)
        self._send(endpoint, body, headers | {"content-type": "application/json"})

    def _send(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> None:
        import httpx

        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client,
                client.stream("POST", endpoint.url, content=body, headers=headers) as response,
            ):
                _judge(endpoint, response)
        except httpx.HTTPError as error:
            raise DeliveryError(f"webhook {endpoint.name!r}: {type(error).__name__}: {error}") from error


def _judge(endpoint: Endpoint, response: "httpx.Response") -> None:
    if response.is_success:
        return
    message = f"webhook {endpoint.name!r} answered {response.status_code}"
    if response.status_code == 410:
        raise UndeliverableError(message)
    raise DeliveryError(message, _seconds(response.headers.get("retry-after", "")))


def _seconds(text: str) -> float | None:
    """What a Retry-After header says, in seconds (RFC 9110, 10.2.3)."""
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
