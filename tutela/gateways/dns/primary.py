"""The primary: answers SOA, AXFR (RFC 5936) and IXFR (RFC 1995), and tells resolvers of new versions (RFC 1996).

It answers nothing else: anyone who looks up a listed name asks a resolver. Only resolvers of allowed networks are
answered, and where keys are set only those that sign.
"""

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, cast

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig

from tutela.errors import TutelaError
from tutela.gateways.dns.canary import CanaryWatch
from tutela.gateways.dns.options import DnsOptions
from tutela.gateways.dns.versions import ZoneVersions
from tutela.gateways.dns.wire import Records, answers
from tutela.gateways.dns.zone import Zone
from tutela.gateways.listeners import ListenAddress

log = logging.getLogger(__name__)

REFRESH_S = 0.2
_IDLE_S = 30.0
_MAX_CONNECTIONS = 100
_NOTIFY_TRIES = 5
_UNSIGNED = (dns.message.UnknownTSIGKey, dns.tsig.PeerError, dns.tsig.BadTime, dns.tsig.BadSignature, dns.tsig.BadKey)


@dataclass(frozen=True, slots=True)
class _Served:
    """One of the zones."""

    versions: ZoneVersions
    records: Records

    def whole(self) -> Iterator[bytes]:
        """The records of a transfer of everything (AXFR)."""
        # A copy: the zone may change while it is being sent, and a transfer is of one version.
        serial, rules = self.versions.whole()
        yield self.records.soa(serial)
        yield self.records.name_server()
        yield from self.records.rules(rules)
        # Last: of a transfer that broke off, BIND 9.18 applies what came, and the canary is to tell.
        yield self.records.version(serial)
        yield self.records.canary()
        yield self.records.soa(serial)

    def renew(self) -> None:
        """Make a version of the same rules, so that it is asked for."""
        self.versions.advance({}, {})

    def incremental(self, question: dns.message.Message) -> Iterator[bytes]:
        """The records of a transfer of what differs from the version that the question names (IXFR)."""
        has = [rdata.serial for rrset in question.authority for rdata in rrset if rrset.rdtype == dns.rdatatype.SOA]
        differences = self.versions.since(has[0]) if has else None
        if differences is None:
            yield from self.whole()
            return
        serial = differences[-1].after if differences else has[0]  # by now there may be a version that is newer still
        yield self.records.soa(serial)
        if not differences:
            return
        for difference in differences:
            yield self.records.soa(difference.before)
            yield self.records.version(difference.before)
            yield from self.records.rules(difference.removed)
            yield self.records.soa(difference.after)
            yield self.records.version(difference.after)
            yield from self.records.rules(difference.added)
        yield self.records.soa(serial)


class Primary:
    """Serves the zone, or the two that it consists of, in one event loop."""

    def __init__(
        self, zone: Zone, options: DnsOptions, on_change: Callable[[str, bool], None] = lambda name, applied: None
    ) -> None:
        """`on_change` hears of a resolver that no longer applies the policy (False), or does again."""
        self._zone = zone
        self._options = options
        versions = (zone.main,) if zone.recent is None else (zone.recent, zone.main)
        self._served = [
            _Served(each, Records(options, name, options.canary_of(name)))
            for name, each in zip(options.zones, versions, strict=True)
        ]
        self._keyring = options.keyring()
        self._networks = [ip_network(network) for network in options.allow]
        self._connections: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watch = CanaryWatch(options, self._serials, on_change)
        self._renewed_for: set[str] = set()
        """The resolvers that lost the policy, and for which there is a new version."""

    @property
    def failing(self) -> set[str]:
        """The resolvers that do not apply the policy, or an old one, as the canary shows."""
        return self._watch.failing

    def _serials(self) -> dict[str, int]:
        served = zip(self._options.zones, self._served, strict=True)
        return {name: zone.versions.serial for name, zone in served}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[ListenAddress]:
        """Answers, notifies and asks for the canary as long as the block runs. Raises OSError, StoreError."""
        await asyncio.to_thread(self._zone.refresh)
        loop = asyncio.get_running_loop()
        listen = self._options.listen
        server = await asyncio.start_server(self._talk, listen.host, listen.port)
        port = server.sockets[0].getsockname()[1]
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), (listen.host, port))
        tasks = [asyncio.create_task(self._refresh())]
        if self._options.resolvers:
            tasks.append(asyncio.create_task(self._ask()))
        try:
            self._notify(self._served, self._options.resolvers)
            yield ListenAddress(listen.host, port)
        finally:
            transport.close()
            server.close()
            ended = (*tasks, *self._tasks, *self._connections)
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
            await server.wait_closed()

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            before = [each.versions.serial for each in self._served]
            self._zone.applied = self._watch.applied
            try:
                changes = await asyncio.to_thread(self._zone.refresh)
                if not (lost := self._watch.lost) <= self._renewed_for:
                    for each in self._served:
                        await asyncio.to_thread(each.renew)
                    changes = True
                self._renewed_for = lost
                if changes:
                    log.info("version %d of the zone has %d names", self._zone.serial, len(self._zone))
                    changed = zip(self._served, before, strict=True)
                    new = [each for each, serial in changed if each.versions.serial != serial]
                    self._notify(new, self._options.resolvers)
            except (TutelaError, OSError) as error:
                log.error("the lists could not be read, the zone stays as it was: %s", error)

    async def _ask(self) -> None:
        """Ask for the canary again and again. Who lost the policy is notified each time: after a transfer that broke
        off, BIND asks again by itself only after eight minutes."""
        while True:
            await asyncio.sleep(self._options.canary_every_s)
            await self._watch.ask()
            self._notify(self._served, self.failing, tries=1)

    def _notify(self, zones: Iterable[_Served], resolvers: Iterable[str], tries: int = _NOTIFY_TRIES) -> None:
        for zone in zones:
            for name in resolvers:
                if (at := self._options.resolvers[name].notified_at) is not None:
                    task = asyncio.create_task(self._tell(at, zone.records.zone, tries))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _tell(self, at: ListenAddress, zone: dns.name.Name, tries: int) -> None:
        message = dns.message.make_query(zone, dns.rdatatype.SOA)
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags = (message.flags | dns.flags.AA) & ~dns.flags.RD
        for key in self._keyring.values():
            message.use_tsig(key)
        for tried in range(tries):
            with contextlib.suppress(dns.exception.DNSException, OSError):
                await dns.asyncquery.udp(message, at.host, timeout=2.0, port=at.port)
                return
            await asyncio.sleep(2.0**tried)
        log.warning("a resolver at %s did not take the notice of a new version", at)

    def hears(self, peer: str) -> bool:
        """Whether a peer may ask."""
        address = ip_address(peer.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def _has_lost(self, peer: str) -> bool:
        """Whether a peer lost the policy. BIND 9.18 does where a transfer of the whole zone broke off. It takes
        differences from then on as if it had not, but applies all rules again only when it is sent all of them."""
        resolvers = (self._options.resolvers[name] for name in self._watch.lost)
        return any(at is not None and at.host == peer for each in resolvers for at in (each.asked_at, each.notified_at))

    def answer(self, wire: bytes, *, short: bool, peer: str = "") -> Iterator[bytes]:
        """The messages that answer one; none where it is not even a question. `short`: it came as a datagram."""
        try:
            question = dns.message.from_wire(wire, keyring=self._keyring, ignore_trailing=False)
        except _UNSIGNED:
            yield from self._refused(wire, dns.rcode.NOTAUTH)
            return
        except (dns.exception.DNSException, ValueError, struct.error):
            return
        if question.flags & dns.flags.QR or len(question.question) != 1:
            return
        asked = question.question[0]
        zone = next((each for each in self._served if each.records.zone == asked.name), None)
        if question.opcode() != dns.opcode.QUERY or asked.rdclass != dns.rdataclass.IN:
            yield from self._refused(wire, dns.rcode.NOTIMP)
        elif zone is None or (self._keyring and not question.had_tsig):
            yield from self._refused(wire, dns.rcode.REFUSED)
        elif asked.rdtype == dns.rdatatype.SOA or (asked.rdtype == dns.rdatatype.IXFR and short):
            yield from answers(question, asked.name, [zone.records.soa(zone.versions.serial)])
        elif asked.rdtype == dns.rdatatype.IXFR:
            records = zone.whole() if self._has_lost(peer) else zone.incremental(question)
            yield from answers(question, asked.name, records)
        elif asked.rdtype == dns.rdatatype.AXFR and not short:
            yield from answers(question, asked.name, zone.whole())
        else:
            yield from self._refused(wire, dns.rcode.REFUSED)

    @staticmethod
    def _refused(wire: bytes, code: dns.rcode.Rcode) -> Iterator[bytes]:
        if len(wire) >= 12:
            flags = 0x8000 | (int.from_bytes(wire[2:4]) & 0x7900) | code
            yield wire[:2] + flags.to_bytes(2) + bytes(8)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, task = writer.get_extra_info("peername"), cast("asyncio.Task[Any]", asyncio.current_task())
        self._connections.add(task)
        try:
            if self.hears(str(peer[0])) and len(self._connections) <= _MAX_CONNECTIONS:
                await self._answer_all(reader, writer, str(peer[0]))
        except (OSError, EOFError, TimeoutError):
            pass
        except asyncio.CancelledError:  # the primary stops: what a peer does not take is not waited for
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        while True:
            async with asyncio.timeout(_IDLE_S):
                length = int.from_bytes(await reader.readexactly(2))
                wire = await reader.readexactly(length)
            for message in self.answer(wire, short=False, peer=peer):
                writer.write(len(message).to_bytes(2) + message)
                async with asyncio.timeout(_IDLE_S):
                    await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        if self._primary.hears(peer[0]):
            for message in self._primary.answer(data, short=True):
                self._transport.sendto(message, peer)
