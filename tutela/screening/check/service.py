"""`Checker`: a question in, an answer out.

A text with nothing listed in it costs a look at eight bytes a link. Whatever may be listed goes the way of an upload:
search, policy, verdict, evidence, case. A word alone never blocks.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tutela import _native
from tutela.content.links import find_links, link_values, parse_link
from tutela.content.links.confusables import looks_like
from tutela.content.links.finder import MAX_LINKS
from tutela.content.links.link import DOMAIN
from tutela.content.media.content import Shortcoming
from tutela.content.signals.base import Sample
from tutela.content.words import KEYWORD, counts_in, fold, folding, text_sample
from tutela.errors import InputError
from tutela.lists.banks.model import Bank
from tutela.screening.check.model import CheckAnswer, CheckQuestion, Purpose
from tutela.screening.check.shortened import Led, is_shortened
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import ReasonCode
from tutela.screening.screener import Screener
from tutela.screening.verdict import Context, Reason

MAX_TEXT = 1_000_000
"""Characters of one question; more is not read, and so is held."""


MAX_NAMED = 20
"""Links that are named for looking like listed ones."""
MAX_FOLLOWED = 5
"""Shortened links of one question; more are not followed, and so held."""
_SHORT = 500
"""Characters of a text that is read at once."""
_FEW = 10
"""Links of a question that are looked up at once."""


class Index(Protocol):
    """Where it is seen quickly that a value is in no list: `tutela.lists.index.service.Indexes`."""

    def may_hold(self, signal: str, values: Sequence[bytes]) -> bool:
        """Whether one of the values may be listed."""

    def find(self, signal: str, text: bytes, folding: _native.Folding) -> list[tuple[bytes, int]]:
        """The value of every listed term that a text holds, and where in it."""


class Checker:
    """Checks links and text. Thread-safe."""

    def __init__(self, screener: Screener, index: Index, follow: Callable[[str], Led] | None = None) -> None:
        """`follow` says where a shortened link leads; without it none is followed."""
        self._screener = screener
        self._index = index
        self._follow = follow

    def check(self, question: CheckQuestion, context: Context | None = None) -> CheckAnswer:
        """The answer. Raises InputError where there is nothing to check, StoreError as `Screener.screen` does."""
        if not question.text and not question.urls:
            raise InputError("there is nothing to check: give urls, text, or both")
        return self._answer(question, context, *self._read(question))

    def check_at_once(self, question: CheckQuestion, context: Context | None = None) -> CheckAnswer | None:
        """The answer to a short question of which nothing is listed: from memory, in a fraction of a millisecond. None
        for any other, which `check` answers. Raises NotReadyError where lists cannot be searched."""
        text, urls = question.text, question.urls
        if not (text or urls) or len(text) > _SHORT or len(urls) > _FEW or not self._screener.lists_are_current:
            return None
        links = [*urls, *(link.url for link in find_links(text))] if text else urls
        if len(links) > _FEW or any(map(self._wants_a_look, links)) or any(self._words(text)):
            return None
        return self._answer(question, context, [], [])

    def _wants_a_look(self, url: str) -> bool:
        """Whether a link may be listed, look like one that is, or lead elsewhere."""
        if self._follow is not None and is_shortened(url):
            return True
        found = link_values(url, self._screener.query_keys)
        return any(self._index.may_hold(signal, values) for signal, values in found) or any(self._looked_like(url))

    def _answer(
        self, question: CheckQuestion, context: Context | None, samples: list[Sample], shortcomings: list[Reason]
    ) -> CheckAnswer:
        def counts(bank: Bank) -> bool:
            return question.purpose.use in bank.uses

        # Who looks for help must not be written down anywhere.
        keeps = question.purpose is not Purpose.SEARCH
        content = question.content()
        verdict = self._screener.screen_samples(samples, content, context, shortcomings, counts, keeps=keeps)
        deters = question.purpose is Purpose.SEARCH and verdict.decision is not Decision.ALLOW
        return CheckAnswer(verdict, deters)

    def _read(self, question: CheckQuestion) -> tuple[list[Sample], list[Reason]]:
        shortcomings = []
        if len(question.text) > MAX_TEXT:
            said = f"only the first {MAX_TEXT:,} characters were read"
            shortcomings.append(Reason(Shortcoming.PARTLY_SCREENED, said))
        text = question.text[:MAX_TEXT]
        found = find_links(text)
        if len(found) >= MAX_LINKS or len(question.urls) > MAX_LINKS:
            said = f"more than {MAX_LINKS:,} links; those were looked up"
            shortcomings.append(Reason(Shortcoming.PARTLY_SCREENED, said))
        urls = [(url, f"link {number}") for number, url in enumerate(question.urls[:MAX_LINKS], 1)]
        links = [*urls, *((link.url, f"character {link.at + 1}") for link in found)]
        links, unfollowed = self._followed(links)
        if unfollowed:
            said = f"{unfollowed:,} shortened links could not be followed to their end"
            shortcomings.append(Reason(ReasonCode.NOT_FOLLOWED, said))
        samples = [sample for url, part in links for sample in self._of_link(url, part)]
        listed = {sample.part for sample in samples}
        shortcomings += [
            Reason(ReasonCode.LOOKS_LIKE, f"{part}: its host looks like a listed one, and is another")
            for url, part in links
            if part not in listed and self._looks_listed(url)
        ][:MAX_NAMED]
        return [*samples, *self._words(text)], shortcomings

    def _followed(self, links: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], int]:
        """The links with those that shortened ones lead to, and how many could not be followed to their end."""
        if self._follow is None:
            return links, 0
        shortened = [(url, part) for url, part in links if is_shortened(url)]
        more: list[tuple[str, str]] = []
        unfollowed = max(0, len(shortened) - MAX_FOLLOWED)
        for url, part in shortened[:MAX_FOLLOWED]:
            led = self._follow(url)
            unfollowed += not led.complete
            more += [(each, part) for each in led.links]
        return [*links, *more], unfollowed

    def _looks_listed(self, url: str) -> bool:
        """Whether a link's host can be taken for a listed one."""
        return any(any(self._screener.lookup(samples)) for samples in self._looked_like(url))

    def _looked_like(self, url: str) -> Iterator[list[Sample]]:
        """The samples of each host that a link's host can be taken for and that may be listed."""
        link = parse_link(url)
        for host in looks_like(link) if link is not None else ():
            for signal, values in link_values(f"http://{host}/"):
                if signal == DOMAIN and self._index.may_hold(DOMAIN, values):
                    yield [Sample(DOMAIN, value) for value in values]

    def _words(self, text: str) -> Iterator[Sample]:
        if not text:
            return
        encoded = text.encode("utf-8", "replace")
        found = self._index.find(KEYWORD.name, encoded, folding())
        folded = fold(text)
        for value, at in found:
            if counts_in(value, folded):
                yield Sample(KEYWORD.name, value, part=f"character {at + 1}")
        whole = text_sample(folded)
        if whole is not None and self._index.may_hold(whole.signal, [whole.value]):
            yield whole

    def _of_link(self, url: str, part: str) -> Iterator[Sample]:
        for signal, values in link_values(url, self._screener.query_keys):
            if self._index.may_hold(signal, values):
                yield from (Sample(signal, value, part=part) for value in values)
