"""Meta's ThreatExchange: changes of one privacy group by the Graph API, reactions and descriptors in return.

Changes come in the order of their times. The address of the next page carries our token: a checkpoint keeps what is
left of it without the token, and it is asked only where the first page was.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from tutela.errors import InputError
from tutela.foundation.http import Http, RefusedError, same_origin
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

ADDRESS = "https://graph.facebook.com/v26.0"
SIGNAL_OF = {
    "HASH_PDQ": "pdq",
    "HASH_MD5": "md5",
    "HASH_VIDEO_MD5": "md5",
    "HASH_SHA1": "sha1",
    "HASH_SHA256": "sha256",
    "HASH_TMK": "tmk",
    "URI": "url",
    "RAW_URI": "url",
    "DOMAIN": "domain",
    "TEXT_STRING": "raw_text",
    "TREND_QUERY": "trend_query",
}
"""Types that signal types here stand for; every other one is kept by its own name."""
_TYPE_OF = {"pdq": "HASH_PDQ", "md5": "HASH_MD5", "sha1": "HASH_SHA1", "sha256": "HASH_SHA256"}
_REACTION_OF = {
    Opinion.CONFIRMED: "HELPFUL",
    Opinion.REJECTED: "DISAGREE_WITH_TAGS",
    Opinion.SEEN: "SAW_THIS_TOO",
}
_FIELDS = "id,indicator,type,last_updated,should_delete,descriptors{id,reactions,owner{id},tags,status}"
_OVERLAP_S = 60
_CLOCKS_DIFFER_S = 3600
_PAGE_SIZE = "500"
_SERVICE = "ThreatExchange"


class ThreatExchange(Exchange):
    """A connection to one privacy group."""

    def __init__(self, options: Mapping[str, str], http: Http) -> None:
        super().__init__(http)
        self._base = options["url"].rstrip("/")
        self._token = options["token"]
        self._group = options["privacy_group"]
        if not self._group.isdecimal():
            raise InputError("privacy_group is the number of a group")
        self._types = options["types"].replace(" ", "")
        self._statuses = frozenset(options["statuses"].replace(" ", "").split(","))
        self._tags = frozenset(options["tags"].replace(" ", "").split(",")) - {""}

    def test(self) -> str:
        """The group's name."""
        group = self._get(f"/{self._group}", {"fields": "id,name"})
        return f"privacy group {text(group, 'name')!r} ({text(group, 'id')})"

    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """As `Exchange.pull`."""
        at = json.loads(checkpoint) if checkpoint else {}
        since, reached = int(at.get("since", 0)), int(at.get("reached", at.get("since", 0)))
        query = dict(at["next"]) if "next" in at else self._first(since)
        resumed, seen = "next" in at, set[str]()
        while True:
            try:
                answer = self._get(f"/{self._group}/threat_updates/", query)
            except RefusedError as error:
                if resumed and error.status not in (401, 403):
                    raise RestartError("ThreatExchange no longer knows the page", _checkpoint(since)) from None
                raise
            after = query.get("after", "")
            name = f"the page {after or f'since {since}'}"
            read = read_each(records(answer, "data", _SERVICE), self._listing, name)
            page = Page(read.listings, "", final=False, rejected=read.rejected, unreadable=read.unreadable)
            latest = time.time() + _CLOCKS_DIFFER_S  # a time to come would pass over all until then
            reached = max([reached, *(listing.at for listing in read.listings if listing.at <= latest)])
            following = self._next(answer)
            if following is None:
                yield replace(page, checkpoint=_checkpoint(max(since, reached - _OVERLAP_S)), final=True)
                return
            if (key := urlencode(following)) in seen:
                raise ExchangeError("ThreatExchange's pages go round in a circle")
            seen.add(key)
            state = {"since": since, "reached": reached, "next": following}
            yield replace(page, checkpoint=json.dumps(state))
            query, resumed = following, True

    def give_feedback(self, feedback: Feedback) -> None:
        """A reaction to every opinion that others hold on the hash. The same again changes nothing."""
        if not feedback.key.isdecimal():
            raise InputError("{key!r} is no entry of ThreatExchange", key=feedback.key)
        found = self._get(f"/{feedback.key}", {"fields": "descriptors{id,owner{id}}"})
        ours = self._token.partition("|")[0]
        for descriptor in items(nested(found, "descriptors"), "data"):
            if text(nested(descriptor, "owner"), "id") != ours:
                self._post(f"/{text(descriptor, 'id')}", {"reactions": _REACTION_OF[feedback.opinion]})

    def share(self, share: Share) -> None:
        """Descriptors of ours in the privacy group. The same again is an update that changes nothing."""
        known = [(signal, value) for signal, value in share.fingerprints if signal in _TYPE_OF]
        if not known:
            raise InputError("ThreatExchange takes none of the entry's fingerprint types")
        for signal, value in known:
            video = signal == "md5" and share.media == "video"
            fields = {
                "indicator": value,
                "type": "HASH_VIDEO_MD5" if video else _TYPE_OF[signal],
                "description": share.note or share.id,
                "share_level": "AMBER",
                "status": "MALICIOUS",
                "privacy_type": "HAS_PRIVACY_GROUP",
                "privacy_members": self._group,
            }
            self._post("/threat_descriptors", fields | ({"tags": share.label} if share.label else {}))

    def _first(self, since: int) -> dict[str, str]:
        query = {"fields": _FIELDS, "limit": _PAGE_SIZE, "start_time": str(since)}
        return query | ({"types": self._types} if self._types else {})

    def _next(self, answer: Document) -> dict[str, str] | None:
        """What to ask for the next page, without our token."""
        following = text(nested(answer, "paging"), "next")
        if not following:
            return None
        if not same_origin(self._base, following):
            raise ExchangeError("ThreatExchange's next page is at another address")
        path = urlsplit(following).path.rstrip("/")
        if path != f"{urlsplit(self._base).path}/{self._group}/threat_updates":
            raise ExchangeError("ThreatExchange's next page is not of this privacy group")
        return {name: value for name, value in parse_qsl(urlsplit(following).query) if name != "access_token"}

    def _listing(self, record: object) -> Listing:
        item = fields(record)
        kind, name = text(item, "type"), text(item, "id")
        if not name:
            raise MalformedError("it has no id")
        descriptors = items(nested(item, "descriptors"), "data")
        counting = [one for one in descriptors if text(one, "status") in self._statuses]
        tags = sorted({tag for one in counting for tag in _tags(one)})
        taken = bool(counting) and (not self._tags or bool(self._tags & set(tags)))
        owners = sorted({text(nested(one, "owner"), "id") for one in counting} - {""})
        reactions = [text(reaction, "key") for one in descriptors for reaction in items(one, "reactions")]
        return Listing(
            owner="",
            id=name,
            at=whole(item, "last_updated"),
            withdrawn=bool(item.get("should_delete")) or not taken,
            media="video" if "VIDEO" in kind or kind == "HASH_TMK" else "",
            labels=tuple(tags),
            fingerprints=((SIGNAL_OF.get(kind, kind), text(item, "indicator")),),
            note=f"listed by {', '.join(owners)}" if owners else "",
            upvotes=reactions.count("HELPFUL"),
            downvotes=reactions.count("DISAGREE_WITH_TAGS"),
        )

    def _get(self, path: str, query: Mapping[str, str]) -> Document:
        return document(self.http.get_fresh(f"{self._base}{path}", {**query, "access_token": self._token}), _SERVICE)

    def _post(self, path: str, fields: Mapping[str, str]) -> None:
        body = urlencode({**fields, "access_token": self._token}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.http.send("POST", f"{self._base}{path}", body, headers=headers)


def _tags(descriptor: Document) -> list[str]:
    tags = descriptor.get("tags")
    if isinstance(tags, list):
        return [str(tag) for tag in tags]
    return [text(tag, "text") for tag in items(nested(descriptor, "tags"), "data")]


def _checkpoint(since: int) -> str:
    return json.dumps({"since": since})


KIND = ExchangeKind(
    name="threatexchange",
    summary="Meta's ThreatExchange, by the Graph API",
    options=(
        Option("token", "access token, APP|SECRET", required=True, secret=True),
        Option("privacy_group", "number of the privacy group", required=True),
        Option(
            "types",
            "types to ask for, by comma: links are URI and DOMAIN, words TREND_QUERY and TEXT_STRING",
            default="HASH_PDQ,HASH_MD5,HASH_VIDEO_MD5,HASH_TMK",
        ),
        Option("statuses", "statuses that count, by comma", default="MALICIOUS,SUSPICIOUS,UNKNOWN"),
        Option("tags", "only entries with one of these tags, by comma; all by default"),
        Option("url", "address of the API", default=ADDRESS),
    ),
    open=ThreatExchange,
    max_age_s=85 * 86_400,
)
