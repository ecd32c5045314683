"""Azure Blob Storage and its queues as their documentation has them, as far as a gateway needs them; strict about
signatures, headers and conditions.

`azure-storage-blob` speaks with it, too, and the gateway with Azurite: see `tests/gateways/test_buckets_peers.py`.
"""

import base64
import contextlib
import hashlib
import hmac
import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.serving import serving

ACCOUNT = "example"
KEY = base64.b64encode(b"words that stand for a key of an account").decode()
_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
_ALLOWED = re.compile(r"[A-Za-z0-9 +\-./:=_]{0,256}")


@dataclass
class Blob:
    """One version."""

    etag: str
    version: str
    content: bytes
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Azure:
    """A running one."""

    port: int = 0
    versioned: bool = False
    containers: dict[str, dict[str, list[Blob]]] = field(default_factory=dict)
    messages: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    """By its number, each message's text, its receipt, and whether it is hidden."""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    tokens: set[str] = field(default_factory=set)
    """Access tokens of identities that may do everything."""
    after_tagging: list[tuple[str, str, bytes]] = field(default_factory=list)
    """What is put as soon as tags were set, so that another blob is there."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def queue(self) -> str:
        return f"{self.address}/uploads"

    def put(self, container: str, name: str, content: bytes, tags: dict[str, str] | None = None) -> Blob:
        number = next(self.numbers)
        blob = Blob(f"0x8DB{number:012X}", f"2026-11-30T12:00:{number:010.7f}Z", content, dict(tags or {}))
        versions = self.containers[container].setdefault(name, [])
        if not self.versioned:
            versions.clear()
        versions.append(blob)
        return blob

    def find(self, container: str, name: str, version: str = "") -> Blob | None:
        versions = self.containers.get(container, {}).get(name, [])
        wanted = [blob for blob in versions if not version or blob.version == version]
        return wanted[-1] if wanted else None

    def tell(self, text: str) -> None:
        """Put a message into the queue, as Event Grid does."""
        number = f"message-{next(self.numbers)}"
        self.messages[number] = (base64.b64encode(text.encode()).decode(), f"receipt+/{number}", False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    azure: Azure

    def _go(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if self.headers.get("x-ms-version", "") < "2019-12-12" or not self._is_signed(parts.path, parts.query):
            self._say(403)
            return
        _, account, container, *rest = parts.path.split("/", 3)
        if account != ACCOUNT:
            self._say(404)
        elif container == "uploads" and rest and rest[0].startswith("messages"):
            self._queue(rest[0].removeprefix("messages").removeprefix("/"), query, body)
        elif rest:
            self._blob(unquote(container), unquote(rest[0]), query, body)
        else:
            self._say(400)

    do_GET = do_HEAD = do_PUT = do_DELETE = _go

    def _is_signed(self, path: str, query: str) -> bool:
        """Azure Storage REST, "Authorize with Shared Key", of the versions from 2015-02-21 on; or a token."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return token in self.azure.tokens
        if headers.get("content-length") == "0":
            headers["content-length"] = ""
        own = sorted((name, value) for name, value in headers.items() if name.startswith("x-ms-"))
        asked = sorted(
            (name.lower(), ",".join(sorted(v))) for name, v in parse_qs(query, keep_blank_values=True).items()
        )
        text = "\n".join([self.command, *(headers.get(name, "") for name in _SIGNED)]) + "\n"
        text += "".join(f"{name}:{value}\n" for name, value in own) + f"/{ACCOUNT}{path}"
        text += "".join(f"\n{name}:{value}" for name, value in asked)
        signature = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
        wanted = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
        return "x-ms-date" in headers and hmac.compare_digest(headers.get("authorization", ""), wanted)

    def _blob(self, container: str, name: str, query: dict[str, str], body: bytes) -> None:
        azure, comp = self.azure, query.get("comp", "")
        if container not in azure.containers:
            self._say(404)
        elif self.command == "PUT" and not comp:
            self._put(container, name, body)
        elif (blob := azure.find(container, name, query.get("versionid", ""))) is None:
            self._say(404)
        elif self.headers.get("If-Match", f'"{blob.etag}"') != f'"{blob.etag}"':
            self._say(412)
        elif comp == "tags" and self.command == "GET":
            each = "".join(
                f"<Tag><Key>{html.escape(key)}</Key><Value>{html.escape(value)}</Value></Tag>"
                for key, value in blob.tags.items()
            )
            self._say(200, f"<?xml version='1.0'?><Tags><TagSet>{each}</TagSet></Tags>".encode())
        elif comp == "tags" and self.command == "PUT":
            found = re.findall(r"<Tag><Key>(.*?)</Key><Value>(.*?)</Value></Tag>", body.decode())
            if len(found) > 10 or not all(_ALLOWED.fullmatch(text) for pair in found for text in pair):
                self._say(400)
                return
            blob.tags = dict(found)
            for put in azure.after_tagging:
                azure.put(*put)
            azure.after_tagging.clear()
            self._say(204)
        elif not comp and self.command in ("GET", "HEAD"):
            self._content(blob)
        else:
            self._say(400)

    def _content(self, blob: Blob) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("x-ms-range", ""))
        if asked is None:
            self._say(200, blob.content, blob)
            return
        begin, whole = int(asked[1]), len(blob.content)
        part = blob.content[begin : int(asked[2]) + 1]
        self._say(206, part, blob, within=f"bytes {begin}-{begin + len(part) - 1}/{whole}")

    def _put(self, container: str, name: str, body: bytes) -> None:
        azure = self.azure
        if source := self.headers.get("x-ms-copy-source"):
            path = urlsplit(source).path.split("/", 3)
            version = parse_qs(urlsplit(source).query).get("versionid", [""])[0]
            blob = azure.find(unquote(path[2]), unquote(path[3]), version)
            if blob is None or self.headers.get("x-ms-source-if-match", f'"{blob.etag}"') != f'"{blob.etag}"':
                self._say(404 if blob is None else 412)
                return
            self._say(202, b"", azure.put(container, name, blob.content), copied=True)
        elif self.headers.get("x-ms-blob-type") != "BlockBlob":
            self._say(400)
        else:
            self._say(201, b"", azure.put(container, name, body))

    def _queue(self, number: str, query: dict[str, str], body: bytes) -> None:
        messages = self.azure.messages
        if self.command == "GET" and not number:
            free = [name for name, (_, _, hidden) in messages.items() if not hidden][: int(query["numofmessages"])]
            each = ""
            for name in free:
                text, receipt, _ = messages[name]
                messages[name] = (text, receipt, True)
                fields = {"MessageId": name, "PopReceipt": receipt, "DequeueCount": "1", "MessageText": text}
                inside = "".join(f"<{key}>{html.escape(value)}</{key}>" for key, value in fields.items())
                each += f"<QueueMessage>{inside}</QueueMessage>"
            self._say(200, f"<QueueMessagesList>{each}</QueueMessagesList>".encode())
        elif unquote(number) not in messages or messages[unquote(number)][1] != query.get("popreceipt"):
            self._say(404)
        elif self.command == "DELETE":
            del messages[unquote(number)]
            self._say(204)
        elif self.command == "PUT" and "visibilitytimeout" in query:
            text = re.findall(r"<MessageText>(.*?)</MessageText>", body.decode())[0]
            messages[unquote(number)] = (text, f"receipt-{next(self.azure.numbers)}", False)
            self._say(204)
        else:
            self._say(400)

    def _say(
        self, status: int, body: bytes = b"", blob: Blob | None = None, *, copied: bool = False, within: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml" if blob is None else "application/octet-stream")
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT")
        self.send_header("x-ms-version", self.headers.get("x-ms-version", ""))
        if blob is not None:
            self.send_header("ETag", f'"{blob.etag}"')
            self.send_header("x-ms-blob-type", "BlockBlob")
            if self.azure.versioned:
                self.send_header("x-ms-version-id", blob.version)
        if within:
            self.send_header("Content-Range", within)
        if copied:
            self.send_header("x-ms-copy-status", "success")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        return


@contextlib.contextmanager
def azure(*containers: str, versioned: bool = False) -> Iterator[Azure]:
    """A stand-in with those containers, while it is needed."""
    running = Azure(versioned=versioned, containers={name: {} for name in containers})

    class Handler(_Handler):
        azure = running

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        running.port = server.server_port
        yield running
