"""Google Cloud Storage and Pub/Sub as their documentation has them, as far as a gateway needs them; strict about who
asks.

`google-cloud-storage` speaks with it, too: see `tests/gateways/test_buckets_peers.py`.
"""

import base64
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import MD5, SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.serving import serving

ACCOUNT = "screener@example.iam.gserviceaccount.com"
_GOOGLES_OWN = "https://oauth2.googleapis.com/token"
SUBSCRIPTION = "projects/example/subscriptions/uploads"


@dataclass
class GoogleObject:
    """One generation."""

    generation: str
    content: bytes
    metadata: dict[str, str] = field(default_factory=dict)
    metageneration: int = 1


@dataclass
class Google:
    """A running one."""

    port: int = 0
    versioned: set[str] = field(default_factory=set)
    buckets: dict[str, dict[str, list[GoogleObject]]] = field(default_factory=dict)
    """Bucket, name, generations, the newest last."""
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Messages of the subscription by their ack id."""
    hidden: set[str] = field(default_factory=set)
    cuts: bool = False
    """Whether objects end before they are whole."""
    tokens: set[str] = field(default_factory=set)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1_700_000_000_000_000))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def service_account(self) -> str:
        """A key's file, as Google gives it."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "example",
                "client_email": ACCOUNT,
                "private_key": key,
                "token_uri": f"{self.address}/token",
            }
        )

    def put(self, bucket: str, name: str, content: bytes, metadata: dict[str, str] | None = None) -> str:
        """Keep an object and tell the subscription of it: its generation."""
        with self.lock:
            made = GoogleObject(str(next(self.numbers)), content, dict(metadata or {}))
            generations = self.buckets[bucket].setdefault(name, [])
            if bucket not in self.versioned:
                generations.clear()
            generations.append(made)
        self._tell("OBJECT_FINALIZE", bucket, name, made)
        return made.generation

    def find(self, bucket: str, name: str, generation: str = "") -> GoogleObject | None:
        generations = self.buckets.get(bucket, {}).get(name, [])
        wanted = [each for each in generations if not generation or each.generation == generation]
        return wanted[-1] if wanted else None

    def tell(self, kind: str, bucket: str, name: str, generation: str) -> dict[str, Any]:
        """What a notification looks like (Cloud Storage, "Pub/Sub notifications")."""
        attributes = {
            "notificationConfig": f"projects/_/buckets/{bucket}/notificationConfigs/1",
            "eventType": kind,
            "payloadFormat": "JSON_API_V1",
            "bucketId": bucket,
            "objectId": name,
            "objectGeneration": generation,
            "eventTime": "2026-11-30T12:00:00Z",
        }
        return {"attributes": attributes, "data": "", "messageId": "1", "publishTime": "2026-11-30T12:00:00Z"}

    def _tell(self, kind: str, bucket: str, name: str, made: GoogleObject) -> None:
        self.waiting[f"ack-{next(self.numbers)}"] = self.tell(kind, bucket, name, made.generation)

    def patched(self, bucket: str, name: str, made: GoogleObject, metadata: dict[str, str | None]) -> None:
        for key, value in metadata.items():
            if value is None:
                made.metadata.pop(key, None)
            else:
                made.metadata[key] = value
        made.metageneration += 1
        self._tell("OBJECT_METADATA_UPDATE", bucket, name, made)


def resource(bucket: str, name: str, made: GoogleObject) -> dict[str, Any]:
    """An object as the JSON API describes it."""
    digest = Hash(MD5())
    digest.update(made.content)
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": made.generation,
        "metageneration": str(made.metageneration),
        "size": str(len(made.content)),
        "md5Hash": base64.b64encode(digest.finalize()).decode(),
        "metadata": made.metadata,
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    google: Google

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _say(self, status: int, document: object = None) -> None:
        self._bytes(status, json.dumps(document if document is not None else {}).encode())

    def _bytes(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    def _go(self) -> None:
        body, parts = self._body(), urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/token":
            self._token(parse_qs(body.decode()))
            return
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.google.tokens:
            self._say(401, {"error": {"code": 401}})
        elif parts.path.startswith(f"/v1/{SUBSCRIPTION}:"):
            self._queue(parts.path.rpartition(":")[2], json.loads(body))
        elif parts.path.startswith("/upload/storage/v1/b/"):
            self._upload(unquote(parts.path.split("/")[5]), query, body)
        elif (path := parts.path.removeprefix("/download")).startswith("/storage/v1/b/") and "/o/" in path:
            self._object(path.split("/")[4:], query, body)
        else:
            self._say(400)

    do_GET = do_POST = do_PATCH = do_PUT = _go

    def _token(self, form: dict[str, list[str]]) -> None:
        said, _, signature = form["assertion"][0].rpartition(".")
        claims = json.loads(_plain(said.split(".")[1]))
        try:
            self.google.key.public_key().verify(_plain(signature), said.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            self._say(401)
            return
        # Google's own client names Google's own address, whatever address it asks.
        good = claims["iss"] == ACCOUNT and claims["aud"] in (f"{self.google.address}/token", _GOOGLES_OWN)
        if not good or not claims["iat"] <= time.time() + 5 <= claims["exp"] + 5 or "devstorage" not in claims["scope"]:
            self._say(400)
            return
        token = f"ya29.{next(self.google.numbers)}"
        self.google.tokens.add(token)
        self._say(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _queue(self, verb: str, asked: dict[str, Any]) -> None:
        google = self.google
        with google.lock:
            match verb:
                case "pull":
                    free = [name for name in google.waiting if name not in google.hidden][: asked["maxMessages"]]
                    google.hidden.update(free)
                    taken = [{"ackId": name, "message": google.waiting[name]} for name in free]
                    self._say(200, {"receivedMessages": taken} if taken else {})
                case "acknowledge":
                    for name in asked["ackIds"]:
                        google.waiting.pop(name, None)
                    self._say(200)
                case "modifyAckDeadline" if 0 <= asked["ackDeadlineSeconds"] <= 600:
                    if asked["ackDeadlineSeconds"] < 10:
                        google.hidden.difference_update(asked["ackIds"])
                    self._say(200)
                case _:
                    self._say(400)

    def _upload(self, bucket: str, query: dict[str, str], body: bytes) -> None:
        if bucket not in self.google.buckets or query.get("uploadType") != "media":
            self._say(404)
            return
        generation = self.google.put(bucket, query["name"], body)
        made = self.google.find(bucket, query["name"], generation)
        assert made is not None
        self._say(200, resource(bucket, query["name"], made))

    def _object(self, parts: list[str], query: dict[str, str], body: bytes) -> None:
        bucket, name = unquote(parts[0]), unquote(parts[2])
        generation = query.get("generation", query.get("sourceGeneration", ""))
        made = self.google.find(bucket, name, generation)
        if made is None:
            self._say(404, {"error": {"code": 404}})
        elif len(parts) == 8 and parts[3] == "rewriteTo" and self.command == "POST":
            self._rewrite(made, unquote(parts[5]), unquote(parts[7]), query)
        elif len(parts) == 3 and self.command == "PATCH":
            self.google.patched(bucket, name, made, json.loads(body)["metadata"])
            self._say(200, resource(bucket, name, made))
        elif len(parts) == 3 and self.command == "GET" and query.get("alt") == "media":
            half = len(made.content) // 2
            if self.google.cuts:
                self._bytes(200, made.content[:half], len(made.content))
            else:
                self._bytes(200, made.content)
        elif len(parts) == 3 and self.command == "GET":
            self._say(200, resource(bucket, name, made))
        else:
            self._say(400)

    def _rewrite(self, made: GoogleObject, bucket: str, name: str, query: dict[str, str]) -> None:
        """In two steps, as Google's does what is long."""
        length = len(made.content)
        said = {"kind": "storage#rewriteResponse", "objectSize": str(length), "done": False}
        if query.get("rewriteToken") != "half":
            self._say(200, said | {"totalBytesRewritten": str(length // 2), "rewriteToken": "half"})
            return
        copy = self.google.find(bucket, name, self.google.put(bucket, name, made.content, made.metadata))
        assert copy is not None
        described = resource(bucket, name, copy)
        self._say(200, said | {"totalBytesRewritten": str(length), "done": True, "resource": described})

    def log_message(self, *arguments: object) -> None:
        return


@contextlib.contextmanager
def google(*buckets: str, versioned: tuple[str, ...] = ()) -> Iterator[Google]:
    """A stand-in with those buckets, while it is needed."""
    running = Google(versioned=set(versioned), buckets={name: {} for name in buckets})

    class Handler(_Handler):
        google = running

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        running.port = server.server_port
        yield running


def _plain(letters: str) -> bytes:
    return base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
