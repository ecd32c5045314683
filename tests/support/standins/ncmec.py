"""NCMEC's hash sharing API v2, as its documentation has it: Basic auth, its namespace, paging within one range.

Entries come in an order that has nothing to do with time. A paging address is refused with other times than those it
was given out for, and after it was forgotten.
"""

import base64
import random
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape, quoteattr

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
FORM = "%Y-%m-%dT%H:%M:%SZ"
TYPES = ("md5", "sha1", "pdna", "pdq", "netclean", "videntifier", "tmk_pdqf", "ssvh_pdna", "ssvh_safer_hash")
REASONS = {"0b2f9f1c-1111-4c55-8b43-000000000001": "Not apparent", "0b2f9f1c-1111-4c55-8b43-000000000002": "Other"}


@dataclass(frozen=True)
class NcmecEntry:
    member: int
    id: str
    at: int
    media: str = "image"
    classification: str | None = "A1"
    fingerprints: tuple[tuple[str, str], ...] = ()
    deleted: bool = False


@dataclass
class NcmecStandIn:
    user: str = "esp"
    password: str = "right-password"
    page_size: int = 1000
    base: str = "/hashsharing"
    seed: int = 1
    repeats_pages: bool = False
    """Whether some pages of a range come twice, and all in another order."""
    entries: dict[tuple[int, str], NcmecEntry] = field(default_factory=dict)
    feedback: dict[tuple[str, str, str], str] = field(default_factory=dict)
    submitted: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._cursors: dict[tuple[str, str, str], list[list[tuple[int, str]]]] = {}
        self._random = random.Random(self.seed)

    # --- what the test does to it

    def put(self, entry: NcmecEntry) -> None:
        with self._lock:
            self.entries[(entry.member, entry.id)] = entry

    def delete(self, entry: NcmecEntry, at: int) -> None:
        self.put(replace(entry, deleted=True, at=at))

    def forget_pages(self) -> None:
        with self._lock:
            self._cursors.clear()

    def current(self) -> dict[str, NcmecEntry]:
        with self._lock:
            return {f"{e.member}/{e.id}": e for e in self.entries.values() if not e.deleted}

    # --- what it answers

    def app(self) -> Starlette:
        base = self.base
        return Starlette(
            routes=[
                Route(f"{base}/v2/status", self._status),
                Route(f"{base}/v2/members", self._members),
                Route(f"{base}/v2/entries", self._entries),
                Route(f"{base}/v2/entries", self._submit, methods=["POST", "PUT"]),
                Route(f"{base}/v2/entries/{{member}}/{{id}}/{{type}}/feedback", self._vote, methods=["PUT"]),
                Route(f"{base}/v2/feedback/{{type}}/reasons", self._feedback_reasons),
            ]
        )

    def _refusal(self, request: Request) -> Response | None:
        self.requests.append(f"{request.method} {request.url.path}?{request.url.query}")
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return Response("Unauthorized", 401, {"WWW-Authenticate": "Basic"})
        return None

    def _status(self, request: Request) -> Response:
        return self._refusal(request) or _xml(
            f"<status><ipAddress>127.0.0.1</ipAddress><username>{self.user}</username>"
            f'<member id="1">A service</member></status>'
        )

    def _members(self, request: Request) -> Response:
        return self._refusal(request) or _xml(
            '<members><member id="1">A service</member><member id="42">A hotline</member></members>'
        )

    def _entries(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        query = parse_qs(request.url.query, strict_parsing=True)
        if not {"from", "to"} <= set(query) <= {"from", "to", "start", "size", "max", "cursor"}:
            return Response("from and to are needed", 400)
        begin, end = query["from"][0], query["to"][0]
        try:
            since, until = (int(datetime.strptime(t, FORM).replace(tzinfo=UTC).timestamp()) for t in (begin, end))
        except ValueError:
            return Response("a time is of the form 2020-01-01T00:00:00Z", 400)
        if since >= until:
            return Response("from lies before to", 400)
        with self._lock:
            if "cursor" not in query:
                cursor, number = self._cursor(begin, end, since, until), 0
            else:
                cursor, number = query["cursor"][0], int(query["start"][0])
            pages = self._cursors.get((cursor, begin, end))
            if pages is None or not 0 <= number < max(1, len(pages)):
                return Response("this page is of another range, or no longer known", 400)
            found = [self.entries[key] for key in (pages[number] if pages else ())]
        following = ""
        if number + 1 < len(pages):
            paging = {"from": begin, "to": end, "start": number + 1, "size": self.page_size, "max": len(pages)}
            following = f"/v2/entries?{urlencode({**paging, 'cursor': cursor})}"
        return _xml(_result(found, following))

    def _cursor(self, begin: str, end: str, since: int, until: int) -> str:
        keys = [key for key, entry in self.entries.items() if since <= entry.at <= until]
        self._random.shuffle(keys)
        pages = [keys[at : at + self.page_size] for at in range(0, len(keys), self.page_size)]
        if self.repeats_pages:
            pages += [self._random.choice(pages) for _ in range(len(pages) // 3)]
            self._random.shuffle(pages)
        cursor = str(len(self._cursors))
        self._cursors[(cursor, begin, end)] = pages
        return cursor

    async def _vote(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        member, name, kind = (request.path_params[part] for part in ("member", "id", "type"))
        entry = self.entries.get((int(member), name))
        if entry is None or kind.lower() not in dict(entry.fingerprints):
            return Response("no such fingerprint", 404)
        root = _document(await request.body(), "feedbackSubmission")
        if root is None or len(root) != 1:
            return Response("not a feedbackSubmission of this namespace", 400)
        vote = etree.QName(root[0]).localname
        if vote == "negative":
            guids = [item.text for item in root.iter(f"{{{NAMESPACE}}}guid")]
            if not guids or not set(guids) <= set(REASONS):
                return Response("a negative vote names its reasons", 400)
        elif vote != "affirmative":
            return Response("a vote is affirmative or negative", 400)
        self.feedback[(f"{member}/{name}", kind, self.user)] = vote
        return Response(status_code=200)

    async def _submit(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        body = await request.body()
        root = _document(body, "entrySubmission")
        if root is None or not len(root):
            return Response("not an entrySubmission of this namespace", 400)
        for item in root:
            name = item.findtext(f"{{{NAMESPACE}}}id")
            prints = item.find(f"{{{NAMESPACE}}}fingerprints")
            if not name or prints is None or any(etree.QName(p).localname not in TYPES for p in prints):
                return Response("an entry has an id and fingerprints", 400)
            self.submitted[name] = body
        return _xml("<entrySubmissionResult/>")

    def _feedback_reasons(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if request.path_params["type"].lower() not in TYPES:
            return Response("no such type", 404)
        reasons = "".join(f"<reason guid={quoteattr(g)} name={quoteattr(n)}/>" for g, n in REASONS.items())
        return _xml(f"<feedback><availableFeedbackReasons>{reasons}</availableFeedbackReasons></feedback>")


def _document(body: bytes, name: str) -> etree._Element | None:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    return root if root.tag == f"{{{NAMESPACE}}}{name}" else None


def _xml(inner: str) -> Response:
    begin, _, rest = inner.partition(">") if not inner.endswith("/>") or inner.count("<") > 1 else (inner[:-2], "", "")
    closing = ">" + rest if rest else "/>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>{begin} xmlns="{NAMESPACE}"{closing}'
    return Response(body, media_type="application/xml")


def _result(entries: list[NcmecEntry], following: str) -> str:
    parts = ["<queryResult>"]
    for media in ("image", "video"):
        chosen = [entry for entry in entries if entry.media == media]
        if chosen:
            latest = datetime.fromtimestamp(max(entry.at for entry in chosen), UTC).strftime(FORM)
            parts.append(f'<{media}s count="{len(chosen)}" maxTimestamp="{latest}">')
            parts += [entry_xml(entry) for entry in chosen]
            parts.append(f"</{media}s>")
    if following:
        parts.append(f"<paging><next>{escape(following)}</next></paging>")
    parts.append("</queryResult>")
    return "".join(parts)


def entry_xml(entry: NcmecEntry) -> str:
    tag = f"deleted{entry.media.capitalize()}" if entry.deleted else entry.media
    at = datetime.fromtimestamp(entry.at, UTC).strftime(FORM)
    head = f'<member id="{entry.member}">Member {entry.member}</member><timestamp>{at}</timestamp><id>{entry.id}</id>'
    if entry.deleted:
        return f"<{tag}>{head}</{tag}>"
    label = f"<classification>{entry.classification}</classification>" if entry.classification else ""
    prints = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in entry.fingerprints)
    return f"<{tag}>{head}{label}<fingerprints>{prints}</fingerprints></{tag}>"
