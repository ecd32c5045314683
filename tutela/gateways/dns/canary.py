"""The canary: a name that only the zone answers. Where a resolver does not resolve it, its policy is not applied.

Resolvers drop a policy silently: BIND when no primary answered for the zone's time of expiry, each of them when it is
started without its saved copy. Nothing in their answers says so, so they are asked, by the primary and, since that
may be what died, by a watch in a process of its own.
"""

import asyncio
import logging
from collections.abc import Callable

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from tutela.gateways.dns.options import DnsOptions
from tutela.gateways.dns.versions import newer
from tutela.gateways.listeners import ListenAddress

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0


async def applies(resolver: ListenAddress, options: DnsOptions) -> bool:
    """Whether a resolver answers the canary of each zone as the zone says."""
    return all(
        [
            str(options.canary_address) in await _answered(resolver, options.canary_of(zone), dns.rdatatype.A)
            for zone in options.zones
        ]
    )


async def applied_version(resolver: ListenAddress, options: DnsOptions) -> int | None:
    """The version of the zone, of the large one where there are two, that a resolver applies; None where it does not
    say."""
    found = await _answered(resolver, f"version.{options.canary}", dns.rdatatype.TXT)
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
        self, options: DnsOptions, on_change: Callable[[str, bool], None] = lambda name, applied: None
    ) -> None:
        """`on_change` hears of a resolver that no longer applies the policy (False), or does again; it returns soon."""
        self._options = options
        self._on_change = on_change
        self.failing: set[str] = set()
        """The resolvers that do not apply the policy."""
        self.applied: int | None = None
        """The oldest version of the zone that a resolver applies; None where one of them does not say."""

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(self._options.canary_every_s)
            await self.ask()

    async def ask(self) -> None:
        """Ask each once, and say what changed; what fails is said in the log each time."""
        resolvers = self._options.resolvers
        answers = await asyncio.gather(*(applies(each.asked_at, self._options) for each in resolvers.values()))
        self.applied = await self._oldest_applied()
        for name, good in zip(resolvers, answers, strict=True):
            if not good:
                log.error("resolver %s does not apply the policy: the canary does not resolve there", name)
            if good == (name not in self.failing):
                continue
            if good:
                log.warning("resolver %s applies the policy again", name)
            self.failing ^= {name}
            await asyncio.to_thread(self._on_change, name, good)

    async def _oldest_applied(self) -> int | None:
        resolvers = self._options.resolvers.values()
        oldest: int | None = None
        for version in await asyncio.gather(*(applied_version(each.asked_at, self._options) for each in resolvers)):
            if version is None:
                return None
            if oldest is None or newer(oldest, version):
                oldest = version
        return oldest
