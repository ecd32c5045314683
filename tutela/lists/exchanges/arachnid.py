"""Project Arachnid's Shield: a list that is not given away, but may be asked. Only PDQ hashes are sent, never content.

What it knows is named by SHA-1 and SHA-256; those are listed in the exchange's bank, so that they match here from then
on. Shapes: the API that the package `arachnid-shield-sdk` speaks.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence

from tutela.foundation.http import Http
from tutela.lists.exchanges.answers import Document, document, nested, text
from tutela.lists.exchanges.base import Exchange, ExchangeError, ExchangeKind, Finding, Listing, Option, Page
from tutela.lists.exchanges.inquiry import ALLOWED, ASKS

ADDRESS = "https://shield.projectarachnid.com"
MAX_ASKED = 100
"""Hashes in one question."""
_SERVICE = "Arachnid Shield"
_UNKNOWN = "no-known-match"
_NOTHING = b"\x55" * 32


class Arachnid(Exchange):
    """A connection to Shield."""

    def __init__(self, options: Mapping[str, str], http: Http) -> None:
        super().__init__(http.with_identity(auth=(options["user"], options["password"])))
        self._base = options["url"].rstrip("/")

    def test(self) -> str:
        """That the account opens the service: it is asked about a hash of no picture."""
        self._ask([_NOTHING])
        return "the account is good; lists are asked, not pulled"

    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """Nothing: the service gives no list away."""
        yield Page((), checkpoint or "{}", final=True)

    def look_up(self, values: Sequence[tuple[str, str]]) -> list[Finding]:
        """As `Exchange.look_up`; values of other types than pdq are not asked about."""
        asked = [bytes.fromhex(value) for signal, value in values if signal == "pdq"]
        found: list[Finding] = []
        for begin in range(0, len(asked), MAX_ASKED):
            found += self._ask(asked[begin : begin + MAX_ASKED])
        return found

    def _ask(self, hashes: Sequence[bytes]) -> list[Finding]:
        by_text = {base64.b64encode(value).decode(): value for value in hashes}
        body = json.dumps({"hashes": list(by_text)}).encode()
        answer = self.http.send("POST", f"{self._base}/v1/pdq/", body, headers={"Content-Type": "application/json"})
        scanned = nested(document(answer, _SERVICE), "scanned_hashes")
        if missing := by_text.keys() - scanned.keys():
            raise ExchangeError(
                "{service} did not answer for {missing} of {by_text} hashes",
                service=_SERVICE,
                missing=len(missing),
                by_text=len(by_text),
            )
        findings = [_finding(value, nested(scanned, asked)) for asked, value in by_text.items()]
        return [finding for finding in findings if finding is not None]


def _finding(value: bytes, match: Document) -> Finding | None:
    classification = text(match, "classification")
    if classification in ("", _UNKNOWN):
        return None
    raw = match.get("near_match_details")
    details = raw if isinstance(raw, list) else [raw] if isinstance(raw, dict) else []
    listings = [_listing(detail, classification) for detail in details if isinstance(detail, dict)]
    return Finding("pdq", value.hex(), classification, tuple(item for item in listings if item is not None))


def _listing(detail: Document, classification: str) -> Listing | None:
    sha256 = text(detail, "sha256_hex").lower()
    if not sha256:
        return None
    try:
        sha1 = base64.b32decode(text(detail, "sha1_base32").upper()).hex()
    except ValueError:  # not base32, or no ASCII
        sha1 = ""
    return Listing(
        owner="",
        id=sha256,
        labels=(text(detail, "classification") or classification,),
        fingerprints=(("sha256", sha256), *((("sha1", sha1),) if sha1 else ())),
    )


KIND = ExchangeKind(
    name="arachnid",
    summary="Project Arachnid's Shield: asked about single hashes",
    options=(
        Option("user", "account name", required=True, secret=True),
        Option("password", "password", required=True, secret=True),
        Option(ASKS, "what the service asks about by itself", choices=("nothing", ALLOWED), default="nothing"),
        Option("url", "address of the API", default=ADDRESS),
    ),
    open=Arachnid,
)
