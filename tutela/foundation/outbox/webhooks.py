"""Signed webhooks, as standard-webhooks has them: events are written down for every endpoint that wants them, in the
transaction that they tell of, and delivered by one client.

They go only to endpoints that the operator configured, are never redirected, and what is answered does not count.
`verify` is for receivers, who must also remember the ids of the last minutes to refuse a repetition.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_

from tutela.errors import InputError
from tutela.foundation.backoff import retry_after_s
from tutela.foundation.outbox.options import WebhookOptions, fault_of
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.worker import DeliveryError, Progress, UndeliverableError
from tutela.foundation.store.outbox_tables import outbox

if TYPE_CHECKING:
    from tutela.foundation.http import Answer, Http  # a library that sends nothing needs no client

TOPIC = "webhook"
TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 64 * 1024
_PREFIX = "whsec_"


class SignatureError(InputError):
    """A webhook is not signed by the secret, or too old."""

    code = "signature"


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
        if fault := fault_of(self.url):
            raise InputError("webhook {name!r}: its address {fault}", name=self.name, fault=fault)
        if not self.secrets:
            raise InputError("webhook {name!r}: it has no secret", name=self.name)

    @classmethod
    def of(cls, name: str, options: WebhookOptions) -> "Endpoint":
        """The endpoint of that name, as the settings describe it. Raises InputError."""
        return cls(name, options.url, [read_secret(secret.reveal()) for secret in options.secrets], options.events)

    def wants(self, event: str) -> bool:
        """Whether it is to be told of events of this type."""
        return not self.events or event in self.events


class Webhooks:
    """The endpoints of a deployment. Thread-safe; close it where it delivered anything."""

    def __init__(self, endpoints: Sequence[Endpoint] = (), clock: Callable[[], float] = time.time) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._clock = clock
        self._http: Http | None = None
        self._lock = threading.Lock()

    def announce(
        self, connection: Connection, event: str, event_id: str, data: Mapping[str, Any], *, lane: str | None = None
    ) -> int:
        """Write down an event for every endpoint that wants it, inside the caller's transaction; for how many.

        `event_id` names the event: announced again, it is sent once, and counts for none. Events of one `lane` reach an
        endpoint in order.
        """
        wanting = [endpoint for endpoint in self._endpoints.values() if endpoint.wants(event)]
        at, written = datetime.now(UTC).isoformat(), 0
        for endpoint in wanting:
            payload = {"endpoint": endpoint.name, "type": event, "timestamp": at, "data": dict(data)}
            own_lane = None if lane is None else f"{endpoint.name}/{lane}"
            written += enqueue(connection, TOPIC, f"{event_id}/{endpoint.name}", payload, lane=own_lane)
        return written

    def deliver(self, delivery: Delivery, progress: Progress) -> None:
        """Send one message: the handler of the outbox's topic. Raises DeliveryError, UndeliverableError."""
        from tutela.foundation.http import HttpError

        endpoint = self._endpoints.get(delivery.payload["endpoint"])
        if endpoint is None:
            raise DeliveryError(
                "webhook {endpoint!r} is not configured in this process", endpoint=delivery.payload["endpoint"]
            )
        message = {name: delivery.payload[name] for name in ("type", "timestamp", "data")}
        body = json.dumps(message, separators=(",", ":"), sort_keys=True).encode()
        headers = signed_headers(endpoint.secrets, delivery.key, int(self._clock()), body)
        try:
            answer = self._client().ask(
                "POST",
                endpoint.url,
                body,
                headers=headers | {"content-type": "application/json"},
                max_bytes=MAX_ANSWER_BYTES,
            )
        except HttpError as error:
            raise DeliveryError("webhook {name!r}: {error}", name=endpoint.name, error=error) from error
        _judge(endpoint, answer)

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def _client(self) -> "Http":
        from tutela.foundation.http import Http, Patience

        with self._lock:
            if self._http is None:
                self._http = Http(patience=Patience(timeout_s=TIMEOUT_S, deadline_s=TIMEOUT_S, attempts=1))
            return self._http


def forget_events(connection: Connection, begin: str) -> int:
    """Remove the events whose ids begin so, sent or not, inside the caller's transaction; how many messages."""
    chosen = and_(outbox.c.topic == TOPIC, outbox.c.key.startswith(begin, autoescape=True))
    return connection.execute(outbox.delete().where(chosen)).rowcount


def signed_headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message, signed with each of the keys."""
    from standardwebhooks import Webhook

    at, text = datetime.fromtimestamp(timestamp, UTC), body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(Webhook(key).sign(message_id, at, text) for key in keys),
    }


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> str:
    """The id of a message that was signed with one of the keys, within the last five minutes.

    Raises SignatureError otherwise.
    """
    from standardwebhooks import Webhook, WebhookVerificationError

    given = {name.lower(): value for name, value in headers.items()}
    if not (timestamp := given.get("webhook-timestamp", "")).isascii() or not timestamp.isdecimal():
        raise SignatureError("the message has no webhook-timestamp")
    why = "the message is not signed by a known secret"
    for key in keys:
        try:
            Webhook(key).verify(body, given, json_parse=False)
            return given["webhook-id"]
        except WebhookVerificationError as error:
            why = str(error)
        except ValueError:  # a signature or a body that is not even of the form
            continue
    raise SignatureError(why)


def _judge(endpoint: Endpoint, answer: "Answer") -> None:
    if 200 <= answer.status < 300:
        return
    message = f"webhook {endpoint.name!r} answered {answer.status}"
    if answer.status == 410:
        raise UndeliverableError(message)
    raise DeliveryError(message, after_s=retry_after_s(answer.headers.get("retry-after")))
