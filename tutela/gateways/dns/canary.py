"""The canary: a name that only the zone answers. Where a resolver does not resolve it, its policy is not applied.

Resolvers drop a policy silently: BIND when no primary answered for the zone's time of expiry, each of them when it is
started without its saved copy. They also keep an old one silently, for weeks, where transfers fail. Nothing in their
answers says so, so they are asked, by the primary and, since that may be what died, by a watch in a process of its own.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from tutela.gateways.dns.options import DnsOptions
from tutela.gateways.dns.versions import newer
from tutela.gateways.listeners import ListenAddress

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
LATE_S = 3600.0
"""A resolver that applies the current version of a zone has done so, or has taken another version, so long ago at most.
The largest lists take minutes."""


async def applies(resolver: ListenAddress, options: DnsOptions) -> bool:
    """Whether a resolver answers the canary of each zone as the zone says."""
    return all(
        [
            str(options.canary_address) in await _answered(resolver, options.canary_of(zone), dns.rdatatype.A)
            for zone in options.zones
        ]
    )


async def applied_version(resolver: ListenAddress, options: DnsOptions, zone: str | None = None) -> int | None:
    """The version of a zone, by default of the only or the large one, that a resolver applies; None where it does not
    say."""
    canary = options.canary_of(zone or options.zone)
    found = await _answered(resolver, f"version.{canary}", dns.rdatatype.TXT)
    return next((int(text) for each in found if (text := each.strip('"')).isdecimal()), None)


async def _answered(resolver: ListenAddress, name: str, kind: dns.rdatatype.RdataType) -> set[str]:
    question = dns.message.make_query(name, kind)
    try:
        answer = await dns.asyncquery.udp(question, resolver.host, timeout=TIMEOUT_S, port=resolver.port)
    except (dns.exception.DNSException, OSError):
        return set()
    return {rdata.to_text() for rrset in answer.answer for rdata in rrset if rrset.rdtype == kind}


class CanaryWatch:
    """Asks every resolver of a zone, all at once, again and again."""

    def __init__(
        self,
        options: DnsOptions,
        serials: Callable[[], Mapping[str, int]],
        on_change: Callable[[str, bool], None] = lambda name, applied: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`serials`: the current version of each zone, by its name, as far as known. `on_change` hears of a resolver
        that no longer applies the policy as it is (False), or does again; it returns soon."""
        self._options = options
        self._serials = serials
        self._on_change = on_change
        self._clock = clock
        self.failing: set[str] = set()
        """The resolvers that do not apply the policy, or an old one."""
        self._seen: set[str] = set()
        """The resolvers that applied the policy once."""
        self.applied: int | None = None
        """The oldest version of the zone that a resolver applies; None where one of them does not say."""
        self._progress: dict[tuple[str, str], tuple[int, float]] = {}
        """By resolver and zone: the version last seen, and when it was current or new."""

    @property
    def lost(self) -> set[str]:
        """The resolvers that applied the policy once, and now do not."""
        return self.failing & self._seen

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(self._options.canary_every_s)
            await self.ask()

    async def ask(self) -> None:
        """Ask each once, and say what changed; what fails is said in the log each time."""
        serials = self._serials()
        resolvers = self._options.resolvers
        answers = await asyncio.gather(*(applies(each.asked_at, self._options) for each in resolvers.values()))
        late = await self._late(serials)
        for name, applied in zip(resolvers, answers, strict=True):
            if not applied:
                log.error("resolver %s does not apply the policy: the canary does not resolve there", name)
            for zone in late.get(name, ()):
                log.error("resolver %s applies an old version of %s: does it fail to transfer the zone?", name, zone)
            if applied:
                self._seen.add(name)
            good = applied and name not in late
            if good == (name not in self.failing):
                continue
            if good:
                log.warning("resolver %s applies the policy again", name)
            self.failing ^= {name}
            await asyncio.to_thread(self._on_change, name, good)

    async def _late(self, serials: Mapping[str, int]) -> dict[str, list[str]]:
        """The zones of which a resolver has taken no version for long, by resolver. Sets `applied`."""
        pairs = [(name, zone) for name in self._options.resolvers for zone in self._options.zones]
        asked = (applied_version(self._options.resolvers[name].asked_at, self._options, zone) for name, zone in pairs)
        versions = dict(zip(pairs, await asyncio.gather(*asked), strict=True))
        self.applied = _oldest([version for (_, zone), version in versions.items() if zone == self._options.zone])
        found: dict[str, list[str]] = {}
        for (name, zone), version in versions.items():
            if version is None:
                continue  # asked for the canary, it says more
            before, at = self._progress.get((name, zone), (None, 0.0))
            if before != version or zone not in serials or not newer(serials[zone], version):
                at = self._clock()
            self._progress[name, zone] = version, at
            if self._clock() - at > LATE_S:
                found.setdefault(name, []).append(zone)
        return found


def _oldest(versions: list[int | None]) -> int | None:
    oldest: int | None = None
    for version in versions:
        if version is None:
            return None
        if oldest is None or newer(oldest, version):
            oldest = version
    return oldest
