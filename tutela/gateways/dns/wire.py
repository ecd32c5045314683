"""Records and messages as they travel (RFC 1035), written here because a million of them leave in one transfer.

Each owner is written as its labels and a pointer to the zone's name in the question, twelve bytes into every message.
"""

import struct
import time
from collections.abc import Iterable, Iterator

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

from tutela.gateways.dns.history import NameRule, Rules
from tutela.gateways.dns.options import DnsOptions

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_ZONE = b"\xc0\x0c"
_ANSWER = 0x8400  # a response, with authority
_MAX_MESSAGE = 60_000
_FUDGE_S = 300


class Records:
    """The records of one zone."""

    def __init__(self, options: DnsOptions, zone: str, canary: str) -> None:
        """`canary` is this zone's own."""
        self._options = options
        self._canary = canary
        self.zone = dns.name.from_text(zone)
        garden = [
            (dns.rdatatype.A if address.version == 4 else dns.rdatatype.AAAA, address.packed)
            for address in options.garden
        ]
        # Without a garden listed names do not exist: a CNAME to the root (RPZ, "NXDOMAIN action").
        self._rules = {
            NameRule.LISTED: [self._record(*each) for each in garden or [(dns.rdatatype.CNAME, b"\0")]],
            NameRule.FREE: [self._record(dns.rdatatype.CNAME, _labels("rpz-passthru") + b"\0")],
        }

    def soa(self, serial: int) -> bytes:
        """The zone's start of authority."""
        options = self._options
        names = _labels("ns") + _ZONE + _labels("hostmaster") + _ZONE
        times = (serial, options.refresh_s, options.retry_s, options.expire_s, options.ttl_s)
        return _ZONE + self._record(dns.rdatatype.SOA, names + struct.pack("!5I", *times))

    def name_server(self) -> bytes:
        """Every zone has one; nobody asks it."""
        return _ZONE + self._record(dns.rdatatype.NS, _labels("ns") + _ZONE)

    def canary(self) -> bytes:
        """What resolves only where the zone is applied."""
        return _labels(self._canary) + _ZONE + self._record(dns.rdatatype.A, self._options.canary_address.packed, 1)

    def version(self, serial: int) -> bytes:
        """What tells whoever asks a resolver which version it applies."""
        text = str(serial).encode()
        owner = _labels(f"version.{self._canary}") + _ZONE
        return owner + self._record(dns.rdatatype.TXT, bytes([len(text)]) + text, 1)

    def rules(self, rules: Rules) -> Iterator[bytes]:
        """For each name, and for all that is below it, what resolvers answer."""
        longest = 255 - len(_wire(self.zone)) - 2
        for name, rule in rules.items():
            labels = _labels(name)
            if len(labels) > longest:
                continue  # no resolver could hold it; such a name cannot be looked up below the zone
            for owner in (labels, b"\x01*" + labels):
                for record in self._rules[rule]:
                    yield owner + _ZONE + record

    def _record(self, kind: dns.rdatatype.RdataType, data: bytes, ttl_s: int | None = None) -> bytes:
        """What comes behind the owner's name."""
        return _RECORD.pack(kind, dns.rdataclass.IN, self._options.ttl_s if ttl_s is None else ttl_s, len(data)) + data


def _wire(name: dns.name.Name) -> bytes:
    """A name as it travels, without pointers."""
    return b"".join(bytes([len(label)]) + label for label in name.labels)


def _labels(name: str) -> bytes:
    encoded = [label.encode("ascii") for label in name.split(".")]
    if any(not 0 < len(label) < 64 for label in encoded):
        return b"\xff" * 256  # over every limit: it is left out
    return b"".join(bytes([len(label)]) + label for label in encoded)


def answers(question: dns.message.Message, zone: dns.name.Name, records: Iterable[bytes]) -> Iterator[bytes]:
    """The messages that carry the records in answer to a question, signed as it was (RFC 8945, 5.3.1)."""
    kind = question.question[0].rdtype
    head = _wire(zone) + struct.pack("!2H", kind, dns.rdataclass.IN)
    context = None
    first = True
    body: list[bytes] = []
    size = 0
    for record in _with_end(records):
        if record is not None and size + len(record) <= _MAX_MESSAGE:
            body.append(record)
            size += len(record)
            continue
        wire = _HEADER.pack(question.id, _ANSWER, 1, len(body), 0, 0) + head + b"".join(body)
        if question.had_tsig:
            wire, context = _signed(wire, question, context)
        if body or first:
            yield wire
        first = False
        body, size = ([record], len(record)) if record is not None else ([], 0)


def _with_end(records: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from records
    yield None


def _signed(
    wire: bytes, question: dns.message.Message, context: "dns.tsig.HMACTSig | dns.tsig.GSSTSig | None"
) -> "tuple[bytes, dns.tsig.HMACTSig | dns.tsig.GSSTSig | None]":
    key = question.keyring
    assert isinstance(key, dns.tsig.Key)
    unsigned = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]
        dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, 0, _FUDGE_S, b"", question.id, 0, b""
    )
    mac = question.mac if context is None else None
    rdata, context = dns.tsig.sign(  # type: ignore[no-untyped-call]
        wire, key, unsigned, int(time.time()), mac, context, True
    )
    data = rdata.to_wire()
    record = _wire(key.name) + _RECORD.pack(dns.rdatatype.TSIG, dns.rdataclass.ANY, 0, len(data)) + data
    return wire[:10] + b"\0\x01" + wire[12:] + record, context
