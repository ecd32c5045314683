"""`Screener`: content in, `Verdict` out.

The one place where examination, search and policy meet, and where every failure becomes a hold: an error of ours
is logged loudly and the content stays unseen. A verdict that holds or blocks is returned only after it is
written down durably.
"""

import contextlib
import copy
import hashlib
import hmac
import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from tutela._version import __version__
from tutela.content.links.link import LINK_TYPES, QueryKeys, link_samples
from tutela.content.media.content import Mode, Shortcoming
from tutela.content.media.content_file import ContentFile
from tutela.content.media.isolation import PoolOfAsker, WorkerPool
from tutela.content.media.lanes import Asker, Lane, masked
from tutela.content.media.limits import Limits
from tutela.content.media.profile import Profile
from tutela.content.media.sniff import PICTURES, VIDEOS, MediaType, sniff
from tutela.content.signals.base import Sample
from tutela.content.signals.digests import digest_in_turn
from tutela.content.signals.registry import signal_type
from tutela.content.views.thresholds import need
from tutela.content.views.view_set import ViewSet
from tutela.errors import BusyError, InputError, NotReadyError, StoreError
from tutela.lists.banks.model import Bank, BankUse, Extent, Listed
from tutela.screening.audience import SearchingAudience
from tutela.screening.decision import Decision
from tutela.screening.examination import Examination, examine_isolated, options
from tutela.screening.matching import Catalogue, Matching, Searcher, find_matches, match_each
from tutela.screening.options import ScreeningPolicy
from tutela.screening.policy import decide
from tutela.screening.reason_codes import ReasonCode
from tutela.screening.verdict import ContentHash, Context, Match, Reason, Timings, Verdict, Versions
from tutela.screening.video.survey import Progress, Viewed, view

log = logging.getLogger(__name__)

UNKEPT = "what is blocked or held is not kept and opens no case; see [evidence] in tutela.toml"
MAX_MATCHES_LISTED = 100
MAX_HASHES_LISTED = 1_000
MAX_LISTS_AGE_S = 30.0
"""Content that is compared with lists older than this is held: what was listed since would be missed."""


class Journal(Protocol):
    """Where verdicts are written down: `tutela.screening.journal.VerdictJournal`."""

    def record(self, verdict: Verdict) -> None:
        """Return only after the verdict is durable."""


class Custodian(Protocol):
    """Where content that is held is kept as evidence: `tutela.casework.cases.custody.Custody`."""

    def wants(self, verdict: Verdict) -> bool:
        """Whether a verdict that is not an allow is kept."""

    def keep(self, content: bytes | memoryview | None, verdict: Verdict) -> object:
        """Return only after verdict, evidence and case are durable. Raises StoreError, and others when it cannot."""


class Screener:
    """Screens content. Thread-safe; share one in a process."""

    def __init__(
        self,
        pool: WorkerPool,
        searcher: Searcher,
        catalogue: Catalogue,
        journal: Journal,
        *,
        policy: ScreeningPolicy | None = None,
        limits: Limits | None = None,
        lists_age_s: Callable[[], float] = lambda: 0.0,
        custody: Custodian | None = None,
        secret: bytes | None = None,
        on_allowed: Callable[[Verdict], None] = lambda _: None,
    ) -> None:
        """`lists_age_s` says how long ago the lists were last known to be current.

        Without custody nothing of the content is kept. `on_allowed` hears every verdict that allows, before it is
        answered, and returns at once. Which frames of a video are sampled follows from `secret` and the video: the same
        again each time, and not to be foreseen without it.
        """
        self.policy = policy or ScreeningPolicy()
        self.limits = limits or Limits()
        self._pool = pool
        self._searcher = searcher
        self._catalogue = catalogue
        self._journal = journal
        self._lists_age_s = lists_age_s
        self._custody = custody
        self._warns = custody is None
        """Whether nobody has said yet that what is blocked is not kept."""
        self._seeding = hmac.new(secret or os.urandom(32), digestmod="sha256")
        """Keyed once: that takes longer than to go on from a copy."""
        self._on_allowed = on_allowed

    def screen(
        self,
        content: bytes | memoryview | ContentFile,
        context: Context | None = None,
        verdict_id: str | None = None,
        views: ViewSet | None = None,
        *,
        profile: Profile | None = None,
        shortcomings: tuple[Reason, ...] = (),
        on_progress: Progress | None = None,
        asked_by: str = "",
    ) -> Verdict:
        """The verdict for one upload, of that id or of a new one. Never raises for anything in the content.

        `shortcomings` are what whoever took the content knows of it, beside what is found.
        `views` says how many views of each picture are looked up, and `profile` what uploads are expected to be, where
        that is not what the limits say. A video is searched as it is decoded, and decoded no further than up to a match
        that blocks it; `on_progress` hears how far it is.

        `asked_by` names the key or the gateway that asks: costly content of one keeps no other waiting.

        Raises StoreError when a verdict that must be written down cannot be, NotReadyError when the examination was
        interrupted, BusyError when nobody came to it in time; the content is then not allowed.
        """
        started = time.perf_counter()
        seen = content.view() if isinstance(content, ContentFile) else content
        digests = digest_in_turn(seen)
        limits, task_options = _asked(self.limits, views, profile)
        sha256 = next(s.value.hex() for s in digests if s.signal == "sha256")
        seed = self._seed_of(sha256)
        search: _Search | None = None
        media_type = sniff(seen)
        pool = self._pool.on_behalf_of(_asker(asked_by, context, media_type))
        if media_type in VIDEOS:
            examination, search = self._watch(pool, content, media_type, digests, limits, on_progress, seed)
            samples = examination.samples
        else:
            asked = {**task_options, "seed": seed, "links": self._lists_links()}
            examination = self._examine(pool, content, asked, media_type)
            examination, linked = self._with_links(examination)
            samples = (*digests, *examination.samples, *linked)
        if shortcomings:
            examination = replace(examination, shortcomings=(*examination.shortcomings, *shortcomings))
        return self._heard(self._conclude(started, samples, examination, context, seen, sha256, verdict_id, search))

    def _seed_of(self, sha256: str) -> str:
        seeding = self._seeding.copy()
        seeding.update(sha256.encode())
        return seeding.hexdigest()

    def takes_long(self, content: bytes | memoryview, context: Context | None = None, *, asked_by: str = "") -> bool:
        """Whether content of its kind from whoever asks took long until now, so that it would wait where that does."""
        if not self._pool.is_anyone_slow():
            return False
        return self._pool.lane_of(_asker(asked_by, context, sniff(content))) is Lane.SLOW

    def hold(
        self, content: bytes | memoryview | ContentFile, shortcoming: Reason, context: Context | None = None
    ) -> Verdict:
        """The verdict for content that is not to be examined, because it is not whole or could not be had: only its
        digests are looked up. Raises StoreError when it cannot be written down.
        """
        started = time.perf_counter()
        seen = content.view() if isinstance(content, ContentFile) else content
        digests = digest_in_turn(seen)
        sha256 = next(s.value.hex() for s in digests if s.signal == "sha256")
        return self._conclude(started, digests, Examination(shortcomings=(shortcoming,)), context, seen, sha256)

    def with_policy(self, policy: ScreeningPolicy) -> "Screener":
        """A screener that differs in nothing but what follows from what it sees."""
        other = copy.copy(self)
        other.policy = policy
        return other

    def with_limits(self, pool: WorkerPool, limits: Limits) -> "Screener":
        """A screener that differs in nothing but where content is examined, and what that may cost."""
        other = copy.copy(self)
        other.limits = limits
        other._pool = pool
        return other

    def without_custody(self) -> "Screener":
        """A screener that differs in nothing but that it opens no case and keeps nothing of the content."""
        other = copy.copy(self)
        other._custody = None
        other._warns = False
        return other

    def screen_hashes(
        self, samples: Sequence[Sample], context: Context | None = None, verdict_id: str | None = None
    ) -> Verdict:
        """The verdict for content that the caller hashed, of that id or of a new one.

        With an id it is a further verdict on content that was heard of before. Raises InputError when there is nothing
        to look up.
        """
        if not samples:
            raise InputError("no hashes to screen; give at least one")
        started = time.perf_counter()
        verdict = self._conclude(started, tuple(samples), Examination(), context, None, None, verdict_id)
        return verdict if verdict_id is not None else self._heard(verdict)

    def screen_samples(
        self,
        samples: Sequence[Sample],
        content: bytes,
        context: Context | None = None,
        shortcomings: Sequence[Reason] = (),
        counts: Callable[[Bank], bool] = lambda _: True,
        *,
        keeps: bool = True,
    ) -> Verdict:
        """The verdict for a text that was read to samples, by the banks that count for it. Raises as `screen`.

        Where it `keeps` nothing, as of a search, neither verdict nor evidence is written down and no case is opened.
        """
        started = time.perf_counter()
        examination = Examination(tuple(samples), tuple(shortcomings), "text/plain")
        catalogue = _Counting(self._catalogue, counts)

        def search() -> list[Match]:
            return find_matches(samples, self._searcher, catalogue, self.policy.video) if samples else []

        searched = _Search(self._searcher.sequences, search)
        sha256 = hashlib.sha256(content).hexdigest()
        return self._heard(
            self._conclude(started, tuple(samples), examination, context, content, sha256, search=searched, keeps=keeps)
        )

    def lookup(self, samples: Sequence[Sample]) -> list[list[Match]]:
        """The matches of each sample on its own, without a verdict. Raises TutelaError when lists cannot be read."""
        return self.lookup_each([(sample,) for sample in samples])

    def lookup_each(self, groups: Sequence[Sequence[Sample]]) -> list[list[Match]]:
        """As `lookup`, of contents with several samples each, such as the frames of a video."""
        return match_each(groups, self._searcher, self._catalogue, self.policy.video)

    def _watch(
        self,
        pool: PoolOfAsker,
        content: bytes | memoryview | ContentFile,
        media_type: MediaType | None,
        digests: tuple[Sample, ...],
        limits: Limits,
        on_progress: Progress | None,
        seed: str,
    ) -> "tuple[Examination, _Search]":
        """A video: what else is in the file, then its frames, until something blocks it anyway."""
        matching = Matching(self._searcher, self._catalogue, self.policy.video)
        audience = SearchingAudience(matching)
        inside, viewed = Examination(), Viewed()
        lists: Mapping[str, int] = {}
        try:
            lists = self._searcher.sequences
            with contextlib.ExitStack() as stack:
                file = content if isinstance(content, ContentFile) else stack.enter_context(_as_file(content))
                if not audience.take(digests):
                    asked = {**options(Mode.FAST, limits), "watched": True, "seed": seed}
                    inside = self._examine(pool, file, asked, media_type)
                    if not audience.take(inside.samples):
                        viewed = view(file, pool, limits, audience, on_progress, seed)
        except NotReadyError:
            raise
        except Exception:
            log.exception("a video could not be screened")
            viewed = Viewed(shortcomings=[_FAULT])
        examination = Examination(
            tuple(audience.shown),
            tuple(dict.fromkeys((*viewed.shortcomings, *inside.shortcomings))),
            media_type,
            viewed.facts.width if viewed.facts else None,
            viewed.facts.height if viewed.facts else None,
        )
        return examination, _Search(lists, matching.matches)

    @property
    def lists_are_current(self) -> bool:
        """Whether the lists are no older than content may be compared with."""
        return self._lists_age_s() <= MAX_LISTS_AGE_S

    @property
    def query_keys(self) -> Sequence[QueryKeys]:
        """The sets of query parameters that pages are listed by."""
        return self._catalogue.query_keys

    def _lists_links(self) -> bool:
        """Whether any list has, or had, links: without one, nobody looks for them."""
        sequences = self._searcher.sequences
        return any(sequences.get(signal) for signal in LINK_TYPES)

    def _with_links(self, examination: Examination) -> tuple[Examination, list[Sample]]:
        """The examination, and the samples of those links of documents that are listed."""
        try:
            return examination, self._linked(examination)
        except Exception:
            log.exception("the links of a document could not be looked up")
            return replace(examination, shortcomings=(*examination.shortcomings, _FAULT)), []

    def _linked(self, examination: Examination) -> list[Sample]:
        found: list[Sample] = []
        for url, part in examination.links:
            by_signal: dict[str, list[Sample]] = {}
            for sample in link_samples(url, part, self._catalogue.query_keys):
                by_signal.setdefault(sample.signal, []).append(sample)
            for signal, samples in by_signal.items():
                hits = self._searcher.search_many(signal, [sample.value for sample in samples], 0)
                found += [sample for sample, near in zip(samples, hits, strict=True) if near]
        return found

    def _search(self, samples: Sequence[Sample]) -> "_Search":
        # A list for a resolver is no list for uploads.
        catalogue = _Counting(self._catalogue, lambda bank: BankUse.PLATFORM in bank.uses)

        def search() -> list[Match]:
            return find_matches(samples, self._searcher, catalogue, self.policy.video)

        return _Search(self._searcher.sequences, search)

    def _examine(
        self,
        pool: PoolOfAsker,
        content: bytes | memoryview | ContentFile,
        task_options: Mapping[str, Any],
        media_type: MediaType | None,
    ) -> Examination:
        try:
            return examine_isolated(pool, content, task_options, is_picture=media_type in PICTURES)
        except NotReadyError:
            raise
        except Exception:
            log.exception("examination failed")
            return Examination(shortcomings=(_FAULT,))

    def _conclude(
        self,
        started: float,
        samples: tuple[Sample, ...],
        examination: Examination,
        context: Context | None,
        content: bytes | memoryview | None,
        sha256: str | None,
        verdict_id: str | None = None,
        search: "_Search | None" = None,
        *,
        keeps: bool = True,
    ) -> Verdict:
        examined = time.perf_counter()
        shortcomings = examination.shortcomings
        matches: list[Match] = []
        if not self.lists_are_current:
            shortcomings = (*shortcomings, _STALE)
        try:
            search = search or self._search(samples)
            lists, matches = search.lists, search.matches()
        except Exception:
            log.exception("the lists could not be searched")
            lists, shortcomings = {}, (*shortcomings, _FAULT)
        decision, reasons = decide(matches, shortcomings, self.policy)
        if (
            decision is Decision.HOLD
            and not matches
            and any(reason.code == Shortcoming.BUSY for reason in shortcomings)
        ):
            raise BusyError("no decoding worker was free in time: send the content again")
        told = _told(samples, matches)
        searched = time.perf_counter()
        verdict = Verdict(
            id=verdict_id or uuid.uuid4().hex,
            at=datetime.now(UTC),
            decision=decision,
            reasons=reasons,
            matches=tuple(matches[:MAX_MATCHES_LISTED]),
            matches_omitted=max(0, len(matches) - MAX_MATCHES_LISTED),
            hashes=tuple(
                ContentHash(s.signal, signal_type(s.signal).format(s.value), s.view, s.quality, s.part, s.seconds)
                for s in told[:MAX_HASHES_LISTED]
            ),
            hashes_omitted=max(0, len(told) - MAX_HASHES_LISTED),
            media_type=examination.media_type,
            width=examination.width,
            height=examination.height,
            byte_length=None if content is None else len(content),
            sha256=sha256,
            context=context or Context(),
            timings=Timings(
                _milliseconds(started, examined),
                _milliseconds(examined, searched),
                _milliseconds(started, searched),
            ),
            versions=Versions(__version__, lists),
        )
        if not keeps:
            return verdict
        if verdict.decision is not Decision.ALLOW and self._custody is not None and self._custody.wants(verdict):
            return self._keep(self._custody, content, verdict, is_job=verdict_id is not None)
        if self._warns and verdict.decision is Decision.BLOCK:
            self._warns = False
            log.warning("block without evidence: %s", UNKEPT)
        if matches or shortcomings:
            self._journal.record(verdict)
        return verdict

    def _heard(self, verdict: Verdict) -> Verdict:
        if verdict.decision is Decision.ALLOW:
            self._on_allowed(verdict)
        return verdict

    def _keep(
        self, custody: Custodian, content: bytes | memoryview | None, verdict: Verdict, *, is_job: bool
    ) -> Verdict:
        """The verdict once its evidence is kept; where that fails a hold, so that the platform keeps the content.

        A job's platform has let go of the content: there the failure is raised, and the job comes again.
        """
        try:
            custody.keep(content, verdict)
        except StoreError:
            raise  # nothing can be written down: there is no verdict
        except Exception:
            if is_job:
                raise
            log.exception("the evidence of verdict %s could not be kept", verdict.id)
            verdict = replace(verdict, decision=Decision.HOLD, reasons=(*verdict.reasons, _NOT_KEPT))
            self._journal.record(verdict)
        return verdict


class _Counting:
    """A catalogue of those banks alone that count."""

    def __init__(self, catalogue: Catalogue, counts: Callable[[Bank], bool]) -> None:
        self._catalogue = catalogue
        self._counts = counts

    def enabled(self) -> Sequence[Bank]:
        """As `Catalogue.enabled`."""
        return [bank for bank in self._catalogue.enabled() if self._counts(bank)]

    def listed(self, signal_ids: Sequence[int]) -> Sequence[Listed]:
        """As `Catalogue.listed`."""
        return [listed for listed in self._catalogue.listed(signal_ids) if self._counts(listed.bank)]

    def extent(self, entry_id: int, min_quality: int) -> Extent:
        """As `Catalogue.extent`."""
        return self._catalogue.extent(entry_id, min_quality)

    @property
    def query_keys(self) -> Sequence[QueryKeys]:
        """As `Catalogue.query_keys`."""
        return self._catalogue.query_keys


@dataclass(frozen=True, slots=True)
class _Search:
    """How the matches of one content are had, and the list versions that were searched."""

    lists: Mapping[str, int]
    matches: Callable[[], list[Match]]


_STALE = Reason(ReasonCode.LISTS_STALE, "the lists could not be brought up to date; see the service's log")
_NOT_KEPT = Reason(
    ReasonCode.EVIDENCE_NOT_KEPT, "the evidence could not be sealed, so keep the content; see the service's log"
)
_FAULT = Reason(ReasonCode.ENGINE_FAULT, "the engine failed while screening; see the service's log")


@lru_cache(maxsize=64)
def _asked(limits: Limits, views: ViewSet | None, profile: Profile | None) -> tuple[Limits, Mapping[str, Any]]:
    """The limits with what one caller asks for in its stead, and the task's options with them."""
    wanted = replace(limits, views=views or limits.views, profile=profile or limits.profile)
    return wanted, options(Mode.FAST, wanted)


def _asker(asked_by: str, context: Context | None, media_type: MediaType | None) -> Asker:
    return Asker(asked_by, masked(context.uploader) if context else "", media_type or "")


def _told(samples: Sequence[Sample], matches: Sequence[Match]) -> list[Sample]:
    """The samples that a verdict lists: of the many views of a picture only the plain ones and those that matched."""
    matched = {(match.signal, match.part, match.view, match.region, match.seconds) for match in matches}
    return [
        sample
        for sample in samples
        if need(sample.view).ceiling is None
        or (matched and (sample.signal, sample.part, sample.view, sample.region, sample.seconds) in matched)
    ]


def _as_file(content: bytes | memoryview) -> ContentFile:
    """The content where several workers can see it at once, without a copy for each."""
    file = ContentFile()
    try:
        file.write(content)
    except BaseException:
        file.close()
        raise
    return file


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1000, 3)
