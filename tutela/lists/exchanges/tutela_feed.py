"""Following another Tutela's feed: signed pages whose records are numbered and chained.

A checkpoint is the number and the chain value of the last record: what does not follow it is refused.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from tutela.foundation.http import Http
from tutela.lists.exchanges.answers import read_each
from tutela.lists.exchanges.base import Exchange, ExchangeKind, Feedback, Listing, MalformedError, Option, Page, Share
from tutela.lists.exchanges.feed_wire import (
    BEGINNING,
    SIGNATURE,
    FeedError,
    FeedPage,
    check_follows,
    public_key,
    verify,
)
from tutela.lists.exchanges.feeds import read_record

_LIMIT = 5_000


class TutelaFeed(Exchange):
    """A connection to one feed."""

    def __init__(self, options: Mapping[str, str], http: Http) -> None:
        super().__init__(http.with_identity(headers={"Authorization": f"Bearer {options['key']}"}))
        self._feed = options["feed"]
        self._address = f"{options['url'].rstrip('/')}/v1/feeds/{quote(self._feed, safe='')}"
        self._public_key = public_key(options["public_key"])

    def test(self) -> str:
        """That the key may follow the feed and the feed is signed by the expected key."""
        page = self._page(0, limit=1)
        return f"feed {page.feed!r}, {page.head:,} records"

    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """As `Exchange.pull`."""
        state = json.loads(checkpoint) if checkpoint else {}
        number, chain = int(state.get("record", 0)), bytes.fromhex(state.get("chain", BEGINNING.hex()))
        while True:
            page = self._page(number)
            chain = check_follows(page, number, chain)
            number = page.last
            if not page.records and number < page.head:
                raise FeedError("the feed says that there is more, and does not give it")
            read = read_each(page.records, _listing, f"records after {page.after}")
            final, checkpoint = number == page.head, json.dumps({"record": number, "chain": chain.hex()})
            yield Page(read.listings, checkpoint, final=final, rejected=read.rejected, unreadable=read.unreadable)
            if final:
                return

    def give_feedback(self, feedback: Feedback) -> None:
        """An opinion on an entry; the publisher keeps the same one once."""
        document = {
            "entry": feedback.key,
            "signal": feedback.signal,
            "value": feedback.value,
            "opinion": feedback.opinion.value,
            "reason": feedback.reason,
        }
        self._give("feedback", f"{feedback.key}:{feedback.signal}:{feedback.opinion.value}", document)

    def share(self, share: Share) -> None:
        """An entry of ours; the publisher keeps the same one once and decides what becomes of it."""
        document = {
            "id": share.id,
            "media": share.media,
            "label": share.label,
            "fingerprints": [list(pair) for pair in share.fingerprints],
            "note": share.note,
        }
        self._give("share", share.id, document)

    def _page(self, after: int, limit: int = _LIMIT) -> FeedPage:
        nonce = secrets.token_hex(16)
        query = {"after": str(after), "limit": str(limit), "nonce": nonce}
        answer = self.http.get_fresh(f"{self._address}/records", query)
        signature = answer.headers.get(SIGNATURE.lower(), "")
        return verify(answer.body, signature, self._public_key, feed=self._feed, nonce=nonce)

    def _give(self, kind: str, idempotency: str, document: Mapping[str, object]) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency}
        self.http.send("POST", f"{self._address}/{kind}", json.dumps(document).encode(), headers=headers)


def _listing(record: str) -> Listing:
    try:
        fields = read_record(record)
        withdrawn = bool(fields["withdrawn"])
        label = fields.get("label")
        return Listing(
            owner="",
            id=str(fields["entry"]),
            at=int(str(fields["at"])),
            withdrawn=withdrawn,
            labels=(str(label),) if label else (),
            fingerprints=() if withdrawn else ((str(fields["signal"]), str(fields["value"])),),
        )
    except (ValueError, KeyError, TypeError):
        raise MalformedError("it is signed, and not of the feed's form") from None


KIND = ExchangeKind(
    name="tutela",
    summary="another Tutela's signed feed",
    options=(
        Option("url", "address of the other Tutela", required=True),
        Option("feed", "the feed's name", required=True),
        Option("key", "our API key over there", required=True, secret=True),
        Option("public_key", "the feed's public key, in base64, as its publisher tells it", required=True),
    ),
    open=TutelaFeed,
)
