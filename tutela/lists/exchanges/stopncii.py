"""StopNCII.org and services of its form (Take It Down): JSON pages of hashes with the state of their cases.

A record replaces the earlier one of the same type and hash. A page's token is good for its run alone, so the time that
the next run begins with moves only when a run has been read to its end.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tutela.errors import InputError
from tutela.foundation.http import Http, RefusedError
from tutela.lists.exchanges.answers import Document, document, fields, items, nested, read_each, records, text, whole
from tutela.lists.exchanges.base import (
    Exchange,
    ExchangeError,
    ExchangeKind,
    Feedback,
    Listing,
    MalformedError,
    Opinion,
    Option,
    Page,
    RestartError,
    Share,
)

ADDRESS = "https://api.stopncii.org/v1"
SIGNAL_OF = {"ImagePDQ": "pdq", "VideoMD5": "md5", "VideoTMK": "tmk"}
"""Types that signal types here stand for; every other one is kept by its own name."""
_TYPE_OF = {signal: name for name, signal in SIGNAL_OF.items()}
_GONE = frozenset({"withdrawn", "deleted"})
_VALUE_OF = {Opinion.CONFIRMED: "Blocked", Opinion.REJECTED: "NotBlocked", Opinion.SEEN: "PendingReview"}
_BEGINNING = 10
_PAGE_SIZE = 800
_OVERLAP_S = 60
_SERVICE = "StopNCII"


class StopNcii(Exchange):
    """A connection to StopNCII."""

    def __init__(self, options: Mapping[str, str], http: Http) -> None:
        super().__init__(http.with_identity(headers={"Ocp-Apim-Subscription-Key": options["subscription_key"]}))
        self._base = options["url"].rstrip("/")
        self._keys = {
            "FetchHashes": options["fetch_key"],
            "SubmitFeedback": options["feedback_key"],
            "SubmitHashes": options["submit_key"],
        }

    def test(self) -> str:
        """That the keys open the list. StopNCII does not say who we are."""
        answer = self._fetch(_BEGINNING, "", page_size=1)
        return f"the keys are good; the list has {'more than one entry' if answer.get('hasMoreRecords') else 'entries'}"

    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """As `Exchange.pull`."""
        at = json.loads(checkpoint) if checkpoint else {"since": _BEGINNING}
        since, token = int(at["since"]), str(at.get("token", ""))
        seen: set[str] = set()
        while True:
            try:
                answer = self._fetch(since, token)
            except RefusedError as error:
                if token and error.status not in (401, 403):
                    raise RestartError("StopNCII no longer knows the page", json.dumps({"since": since})) from None
                raise
            found = records(answer, "hashRecords", _SERVICE)
            if answer.get("count") != len(found):
                raise ExchangeError(
                    "StopNCII's page says {answer} records and has {found}",
                    answer=answer.get("count"),
                    found=len(found),
                )
            read = read_each(found, _listing, f"the page {token or f'since {since}'}")
            page = Page(read.listings, "", final=False, rejected=read.rejected, unreadable=read.unreadable)
            if not answer.get("hasMoreRecords"):
                reached = max(since, whole(answer, "nextSetTimestamp") - _OVERLAP_S)
                yield replace(page, checkpoint=json.dumps({"since": reached}), final=True)
                return
            token = text(answer, "nextPageToken")
            if not token or token in seen:
                raise ExchangeError("StopNCII says that there is more, and not where")
            seen.add(token)
            yield replace(page, checkpoint=json.dumps({"since": since, "token": token}))

    def give_feedback(self, feedback: Feedback) -> None:
        """What became of a match. The last word of a service counts, so the same again changes nothing."""
        if feedback.signal not in _TYPE_OF:
            raise InputError("StopNCII takes no feedback on {signal}", signal=feedback.signal)
        item = {
            "feedbackValue": _VALUE_OF[feedback.opinion],
            "tags": [feedback.reason] if feedback.reason else [],
            "hashValue": feedback.value,
        }
        self._post("SubmitFeedback", {"count": 1, "hashFeedbacks": [item]})

    def share(self, share: Share) -> None:
        """Hashes of ours that were confirmed. A record replaces the earlier one of the same type and hash."""
        records = [
            {
                "lastModtimestamp": int(time.time()),
                "signalType": _TYPE_OF[signal],
                "hashValue": value,
                "CSPFeedbacks": [{"feedbackValue": "Blocked", "tags": []}],
            }
            for signal, value in share.fingerprints
            if signal == "pdq" or (signal in _TYPE_OF and share.media == "video")
        ]
        if not records:
            raise InputError("StopNCII takes none of the entry's fingerprint types")
        self._post("SubmitHashes", {"count": len(records), "hashRecords": records})

    def _fetch(self, since: int, token: str, page_size: int = _PAGE_SIZE) -> Document:
        query = {"startTimestamp": str(since), "pageSize": str(page_size)}
        if token:
            query["nextPageToken"] = token
        self.http.with_identity(headers={"x-functions-key": self._key("FetchHashes")})
        return document(self.http.get_fresh(f"{self._base}/FetchHashes", query), _SERVICE)

    def _post(self, endpoint: str, body: Mapping[str, object]) -> None:
        headers = {"x-functions-key": self._key(endpoint), "Content-Type": "application/json"}
        self.http.send("POST", f"{self._base}/{endpoint}", json.dumps(body).encode(), headers=headers)

    def _key(self, endpoint: str) -> str:
        if not self._keys[endpoint]:
            raise InputError(
                "StopNCII needs a key of its own for {endpoint}: set the option that holds it", endpoint=endpoint
            )
        return self._keys[endpoint]


def _listing(item: object) -> Listing:
    record = fields(item)
    kind, value, status = text(record, "signalType"), text(record, "hashValue"), text(record, "hashStatus")
    if not kind or not value or not status:
        raise MalformedError("it lacks its type, hash or status")
    votes = [text(item, "feedbackValue") for item in items(record, "CSPFeedbacks")]
    cases = len(nested(record, "caseNumbers"))
    return Listing(
        owner="",
        id=f"{kind}:{value}",
        at=whole(record, "lastModtimestamp"),
        withdrawn=status.lower() in _GONE,
        media={"Image": "image", "Video": "video"}.get(kind[:5], ""),
        fingerprints=((SIGNAL_OF.get(kind, kind), value),),
        note=f"status {status}, cases: {cases}",
        upvotes=votes.count("Blocked"),
        downvotes=votes.count("NotBlocked"),
    )


KIND = ExchangeKind(
    name="stopncii",
    summary="StopNCII.org, and services of its form",
    options=(
        Option("subscription_key", "subscription key", required=True, secret=True),
        Option("fetch_key", "function key of FetchHashes", required=True, secret=True),
        Option("feedback_key", "function key of SubmitFeedback", secret=True),
        Option("submit_key", "function key of SubmitHashes", secret=True),
        Option("url", "address of the API", default=ADDRESS),
    ),
    open=StopNcii,
    max_age_s=30 * 86_400,
)
