"""NCMEC hash sharing, API v2: XML, pages within a time range, entries out of time order.

Because entries do not come in time order, `from` moves only when a whole range has been read. Until then a checkpoint
holds the range and the paging address, which is good for that range alone. The next range begins a little before the
end of the last one, for clocks that differ. Source: https://report.cybertip.org/hashsharing/v2/documentation.pdf
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote

from lxml import etree

from tutela.errors import InputError
from tutela.foundation.http import Http, HttpError, RefusedError
from tutela.lists.exchanges.answers import read_each
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

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
ENVIRONMENTS = {
    "industry": "https://report.cybertip.org/hashsharing",
    "industry-exploitative": "https://report.cybertip.org/exploitative-hashsharing",
    "law-enforcement": "https://lesp.ncmec.org/csam-hashsharing",
    "ngo": "https://hashsharing.ncmec.org/npo",
    "exploitative": "https://hashsharing.ncmec.org/exploitative",
    "generative-ai": "https://hashsharing.ncmec.org/generative-ai-csam",
    "generative-ai-exploitative": "https://hashsharing.ncmec.org/generative-ai-exploitative",
    "test-industry": "https://exttest.cybertip.org/hashsharing",
    "test-industry-exploitative": "https://exttest.cybertip.org/exploitative-hashsharing",
    "test-law-enforcement": "https://betalesp.ncmec.org/csam-hashsharing",
    "test-ngo": "https://hashsharing-test.ncmec.org/npo",
    "test-exploitative": "https://hashsharing-test.ncmec.org/exploitative",
    "test-generative-ai": "https://hashsharing-test.ncmec.org/generative-ai-csam",
    "test-generative-ai-exploitative": "https://hashsharing-test.ncmec.org/generative-ai-exploitative",
}
SIGNAL_OF = {"md5": "md5", "sha1": "sha1", "pdna": "photodna", "pdq": "pdq", "tmk_pdqf": "tmk"}
"""Fingerprint types that signal types here stand for; every other one is kept by its own name."""
_TYPE_OF = {signal: name.upper() for name, signal in SIGNAL_OF.items()}
_FIRST = int(datetime(2014, 1, 1, tzinfo=UTC).timestamp())
_ADDRESS_LIVES_S = 6 * 3600
_TAG = f"{{{NAMESPACE}}}"
_MEMBER, _ID, _TIMESTAMP = f"{_TAG}member", f"{_TAG}id", f"{_TAG}timestamp"
_CLASSIFICATION, _FINGERPRINTS, _FEEDBACK = f"{_TAG}classification", f"{_TAG}fingerprints", f"{_TAG}feedback"
_PARSER_LIMITS = {"resolve_entities": False, "no_network": True, "huge_tree": False, "load_dtd": False}


@dataclass(frozen=True, slots=True)
class PullCheckpoint:
    """How far a pull is."""

    since: int
    """Everything before it has been read."""
    end: int | None = None
    """Where the range under way ends."""
    next: str | None = None
    """The next page of the range under way."""
    begin: int | None = None
    """Where the range under way begins: before `since`, by the overlap."""
    at: int | None = None
    """When the paging address was given out."""

    @classmethod
    def read(cls, text: str | None) -> "PullCheckpoint":
        """The one of a text, or the very beginning."""
        return cls(**json.loads(text)) if text else cls(0)

    def __str__(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


class Ncmec(Exchange):
    """A connection to one of NCMEC's environments."""

    def __init__(self, options: Mapping[str, str], http: Http) -> None:
        self._base = (options["url"] or ENVIRONMENTS[options["environment"]]).rstrip("/")
        self._overlap_s = _number(options, "overlap_s")
        self._settle_s = _number(options, "settle_s")
        self._range_s = _number(options, "range_days") * 86_400
        self._reject_reason = options["reject_reason"]
        self._members = frozenset(options["only_members"].replace(" ", "").split(",")) - {""}
        super().__init__(http.with_identity(auth=(options["user"], options["password"])))
        self._skew_s = 0.0
        self._reasons: dict[str, dict[str, str]] = {}

    def test(self) -> str:
        """Our name over there."""
        member = self._get("/v2/status").find(f"{_TAG}member")
        if member is None or member.get("id") is None:
            raise ExchangeError("NCMEC's status names no member")
        return f"{(member.text or '').strip()} (member {member.get('id')})"

    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """As `Exchange.pull`."""
        self._get("/v2/status")  # whose answer tells the time over there
        at = PullCheckpoint.read(checkpoint)
        if at.at is not None and time.time() - at.at > _ADDRESS_LIVES_S:
            at = PullCheckpoint(at.since)
        now = int(time.time() + self._skew_s) - self._settle_s
        while True:
            end = at.end if at.end is not None else min(now, max(at.since, _FIRST) + self._range_s)
            begin = at.begin if at.begin is not None else max(0, at.since - self._overlap_s)
            if end <= begin:
                yield Page((), str(PullCheckpoint(at.since)), final=True)
                return
            # A range that is taken up again shows what was there when it was first asked for: another one follows it.
            last = end >= now and at.next is None
            yield from self._range(at, begin, end, last=last)
            if last:
                return
            at = PullCheckpoint(end)

    def _range(self, at: PullCheckpoint, begin: int, end: int, *, last: bool) -> Iterator[Page]:
        address = at.next or f"/v2/entries?from={_stamp(begin)}&to={_stamp(end)}"
        seen: set[str] = set()
        while True:
            try:
                root = self._get(address)
            except RefusedError as error:
                if at.next is not None and error.status not in (401, 403):
                    # A paging address does not live for ever: the range is read again from its start.
                    raise RestartError("NCMEC no longer knows the page", str(PullCheckpoint(at.since))) from None
                raise
            read = read_each(_elements(root), _listing, f"the page {address}")
            _check_range(root, read.listings, begin, end)
            listings = [one for one in read.listings if not self._members or one.owner in self._members]
            page = Page(listings, "", final=False, rejected=read.rejected, unreadable=read.unreadable)
            following = _next(root, begin, end)
            if following is None:
                yield replace(page, checkpoint=str(PullCheckpoint(end)), final=last)
                return
            if following in seen:
                raise ExchangeError("NCMEC's pages go round in a circle")
            seen.add(following)
            at = PullCheckpoint(at.since, end, following, begin, int(time.time()))
            yield replace(page, checkpoint=str(at))
            address = following

    def give_feedback(self, feedback: Feedback) -> None:
        """An up-vote, or a down-vote with its reason. A PUT: the same again changes nothing."""
        kind = _TYPE_OF.get(feedback.signal)
        member, _, entry = feedback.key.partition("/")
        if kind is None or not entry:
            raise InputError("NCMEC takes no feedback on {signal} of {key!r}", signal=feedback.signal, key=feedback.key)
        if feedback.opinion is Opinion.SEEN:
            return
        root = etree.Element(f"{_TAG}feedbackSubmission", nsmap={None: NAMESPACE})
        if feedback.opinion is Opinion.CONFIRMED:
            etree.SubElement(root, f"{_TAG}affirmative")
        else:
            reasons = etree.SubElement(etree.SubElement(root, f"{_TAG}negative"), f"{_TAG}reasonIds")
            etree.SubElement(reasons, f"{_TAG}guid").text = self._reason(kind, feedback.reason or self._reject_reason)
        path = f"/v2/entries/{quote(member, safe='')}/{quote(entry, safe='')}/{kind}/feedback"
        self._send("PUT", path, root)

    def share(self, share: Share) -> None:
        """An entry of ours under our own name of it. A PUT: the same again changes nothing."""
        names = {signal: name for name, signal in SIGNAL_OF.items()}
        prints = [(names[signal], text) for signal, text in share.fingerprints if signal in names]
        if not prints:
            raise InputError("NCMEC takes none of the entry's fingerprint types")
        root = etree.Element(f"{_TAG}entrySubmission", nsmap={None: NAMESPACE})
        entry = etree.SubElement(root, f"{_TAG}{'video' if share.media == 'video' else 'image'}")
        etree.SubElement(entry, f"{_TAG}id").text = share.id
        if share.label in ("A1", "A2", "B1", "B2"):
            etree.SubElement(entry, f"{_TAG}classification").text = share.label
        fingerprints = etree.SubElement(entry, f"{_TAG}fingerprints")
        for name, text in prints:
            etree.SubElement(fingerprints, f"{_TAG}{name}").text = text
        self._send("PUT", "/v2/entries", root)

    def _reason(self, kind: str, wanted: str) -> str:
        """The guid of a reason by its name; where there is one reason only, that one."""
        if kind not in self._reasons:
            found = self._get(f"/v2/feedback/{kind}/reasons").iter(f"{_TAG}reason", f"{_TAG}availableFeedbackReason")
            self._reasons[kind] = {item.get("name", "").lower(): item.get("guid", "") for item in found}
        reasons = self._reasons[kind]
        if (guid := reasons.get(wanted.lower())) or (len(reasons) == 1 and (guid := next(iter(reasons.values())))):
            return guid
        raise InputError(
            "NCMEC takes these reasons against a {kind}: {reasons}; got {wanted!r}",
            kind=kind,
            reasons=", ".join(sorted(reasons)),
            wanted=wanted,
        )

    def _get(self, address: str) -> etree._Element:
        answer = self.http.get_fresh(f"{self._base}{address}")
        if answer.date is not None:
            self._skew_s = answer.date - time.time()
        return _parse(answer.body)

    def _send(self, method: str, path: str, root: etree._Element) -> None:
        body = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        self.http.send(method, f"{self._base}{path}", body, headers={"Content-Type": "application/xml; charset=utf-8"})


def _parse(body: bytes) -> etree._Element:
    try:
        root = etree.fromstring(body, etree.XMLParser(**_PARSER_LIMITS))
    except etree.XMLSyntaxError as error:
        raise HttpError("NCMEC's answer is cut short or no XML: {msg}", msg=error.msg) from None
    if not isinstance(root.tag, str) or not root.tag.startswith(_TAG):
        raise ExchangeError("NCMEC's answer is of another namespace: is this the address of API v2?")
    return root


def _elements(root: etree._Element) -> Iterator[etree._Element]:
    """The entries of a page."""
    for container in root:
        if isinstance(container.tag, str) and container.tag != f"{_TAG}paging":
            yield from (element for element in container if isinstance(element.tag, str))


def _listing(element: etree._Element) -> Listing:
    """What an element says of an entry. Raises MalformedError where it does not say which."""
    parts = {child.tag: child for child in element}
    member, name = parts.get(_MEMBER), _text(parts.get(_ID))
    if member is None or not (owner := member.get("id")) or not name:
        raise MalformedError("it has no member or no id")
    media = element.tag[len(_TAG) :]
    classification = _text(parts.get(_CLASSIFICATION)).strip()
    prints = element.findall(_FINGERPRINTS)  # one that is empty says nothing of another
    up, down = _votes(parts.get(_FEEDBACK))
    return Listing(
        owner=owner,
        id=name,
        at=_moment(_text(parts.get(_TIMESTAMP))),
        withdrawn=media.startswith("deleted"),
        media=media.removeprefix("deleted").lower(),
        labels=(classification,) if classification else (),
        fingerprints=tuple(one for each in prints for one in _fingerprints(each)),
        upvotes=up,
        downvotes=down,
    )


def _text(element: etree._Element | None) -> str:
    return "" if element is None else element.text or ""


def _fingerprints(element: etree._Element) -> Iterator[tuple[str, str]]:
    for child in element:
        if isinstance(child.tag, str):
            name = child.tag.rpartition("}")[2]
            if text := (_text(child) if not len(child) else "".join(child.itertext())).strip():
                yield SIGNAL_OF.get(name, name), text


def _votes(feedback: etree._Element | None) -> tuple[int, int]:
    if feedback is None:
        return 0, 0
    counts = [
        sum(1 for kind in feedback.findall(f"{_TAG}{name}") for _ in kind.iter(f"{_TAG}member"))
        for name in ("affirmativeFeedback", "negativeFeedback")
    ]
    return counts[0], counts[1]


def _check_range(root: etree._Element, listings: Sequence[Listing], begin: int, end: int) -> None:
    """Raise ExchangeError for the answer to another question, as a cache may give: it would end the range early."""
    times = [listing.at for listing in listings if listing.at]
    elsewhere = times and not any(begin <= at <= end for at in times)
    if elsewhere or root.tag in (f"{_TAG}status", f"{_TAG}members"):
        raise ExchangeError("NCMEC answered with what was not asked for: another range's page")


def _next(root: etree._Element, begin: int, end: int) -> str | None:
    """The next page's path, of the same range. It is asked of NCMEC alone, with our credentials, whatever it says."""
    following = (root.findtext(f"{_TAG}paging/{_TAG}next") or "").strip()
    if not following:
        return None
    if not following.startswith("/v2/entries?"):
        raise ExchangeError("NCMEC's next page is not among its entries")
    query = parse_qs(following.partition("?")[2])
    if any(_moment(query.get(name, [""])[0]) not in (0, wanted) for name, wanted in (("from", begin), ("to", end))):
        raise ExchangeError("NCMEC's next page is of another range")
    return following


def _stamp(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str | None) -> int:
    try:
        return int(datetime.fromisoformat((text or "").strip()).timestamp())
    except (ValueError, OverflowError):
        return 0


def _number(options: Mapping[str, str], name: str) -> int:
    text = options[name]
    if not text.isdecimal():
        raise InputError("{name} is a whole number, not {text!r}", name=name, text=text)
    return int(text)


KIND = ExchangeKind(
    name="ncmec",
    summary="NCMEC hash sharing, API v2",
    options=(
        Option("environment", "which of NCMEC's databases", choices=tuple(ENVIRONMENTS), default="industry"),
        Option("user", "account name", required=True, secret=True),
        Option("password", "password", required=True, secret=True),
        Option("only_members", "ids of the members whose entries are taken, by comma; all by default"),
        Option("reject_reason", "NCMEC's name of the reason of a down-vote, where it has several"),
        Option("overlap_s", "seconds before the last range that are read again", default="600"),
        Option("settle_s", "seconds before now that are left for the next pull", default="30"),
        Option("range_days", "longest range that is read in one go", default="90"),
        Option("url", "another address than the environment's, for a test"),
    ),
    open=Ncmec,
)
