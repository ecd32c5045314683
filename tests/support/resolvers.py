"""A primary of our zone in a thread, real resolvers with their settings beside it, and what these answer."""

import asyncio
import base64
import contextlib
import functools
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.support.waiting import PATIENCE_S, wait_until
from tutela.gateways.dns import DnsOptions, Zone
from tutela.gateways.dns.primary import Primary

KEY = base64.b64encode(secrets.token_bytes(32)).decode()
"""The TSIG key `k` of the resolvers that sign; the options of a primary name it `env:TEST_TSIG`."""
os.environ["TEST_TSIG"] = KEY
GARDEN = "192.0.2.80"


@contextlib.contextmanager
def served(zone: Zone, options: DnsOptions) -> Iterator[Primary]:
    """A primary in a thread of its own, at the address of its options."""
    primary = Primary(zone, options)
    loop, up, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with primary.serving():
            up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert up.wait(PATIENCE_S)
        yield primary
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_S)
        assert not asyncio.all_tasks(loop), "whoever was connected is sent away"
        loop.close()


@contextlib.contextmanager
def resolver(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A resolver that runs, once it answers."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: .ci/peers")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:

            def answers() -> bool:
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                with contextlib.suppress(dns.exception.DNSException, OSError):
                    dns.query.udp(dns.message.make_query("localhost", "A"), "127.0.0.1", port=port, timeout=1)
                    return True
                return False

            wait_until(answers, "the resolver answers")
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:  # Unbound, while it takes in a million names
                process.kill()
                process.wait()


def asked(name: str, port: int) -> dns.message.Message | None:
    """What a resolver answers; None where it does not."""
    with contextlib.suppress(dns.exception.DNSException, OSError):
        return dns.query.udp(dns.message.make_query(name, "A", use_edns=0), "127.0.0.1", port=port, timeout=2)
    return None


def answered(name: str, port: int) -> dns.message.Message:
    """What a resolver answers, however busy the machine is."""
    found: list[dns.message.Message] = []

    def answers() -> bool:
        if (answer := asked(name, port)) is not None:
            found.append(answer)
        return bool(found)

    wait_until(answers, f"{name} is answered")
    return found[0]


def looked_up(name: str, port: int) -> set[str]:
    """The addresses that a resolver gives for a name."""
    answer = asked(name, port)
    return set() if answer is None else addresses(answer)


def addresses(answer: dns.message.Message) -> set[str]:
    """Those in an answer."""
    return {rdata.address for rrset in answer.answer for rdata in rrset if rrset.rdtype == dns.rdatatype.A}


# --- the settings of each resolver


class Nowhere:
    """The rest of the world: every name is said at once not to exist. BIND signs what it asks the primary's address, so
    the world has another."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.2", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, peer = self._socket.recvfrom(4096)
                answer = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
                answer.set_rcode(dns.rcode.NXDOMAIN)
                answer.authority = [dns.rrset.from_text(".", 1, "IN", "SOA", "a. b. 1 1 1 1 1")]
                self._socket.sendto(answer.to_wire(), peer)


@functools.cache
def nowhere() -> int:
    """The port of it. Where nobody answers, resolvers ask again, and rest for a minute before they ask at all."""
    return Nowhere().port


Configure = Callable[[Path, int, DnsOptions, int], list[str]]
"""Writes the settings of a resolver at a port into its folder, for the primary of the options or one at another port.
How it is started."""


def bind(folder: Path, port: int, options: DnsOptions, primary: int = 0) -> list[str]:
    primary = primary or options.listen.port
    policies = " ".join(f'zone "{zone}" log no add-soa no;' for zone in options.zones)
    zones = "".join(
        f"""zone "{zone}" {{ type secondary; file "{zone}.db"; primaries {{ 127.0.0.1 port {primary} key "k"; }};
          allow-notify {{ 127.0.0.1; }}; allow-query {{ none; }}; }};
        """
        for zone in options.zones
    )
    (folder / "named.conf").write_text(
        f"""key "k" {{ algorithm hmac-sha256; secret "{KEY}"; }};
        server 127.0.0.1 {{ keys {{ "k"; }}; }};
        options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
          recursion yes; pid-file "{folder}/pid"; session-keyfile "{folder}/session"; dnssec-validation no;
          min-refresh-time 1; min-retry-time 1;
          forward only; forwarders {{ 127.0.0.2 port {nowhere()}; }};
          response-policy {{ {policies} }} qname-wait-recurse no min-update-interval 0; }};
        controls {{ }};
        {zones}"""
    )
    return ["/usr/sbin/named", "-g", "-c", str(folder / "named.conf")]


def unbound(folder: Path, port: int, options: DnsOptions, primary: int = 0) -> list[str]:
    zones = "".join(
        f"""rpz:
  name: "{zone}"
  primary: 127.0.0.1@{primary or options.listen.port}
  allow-notify: 127.0.0.1
  zonefile: "{folder}/{zone}.zone"
"""
        for zone in options.zones
    )
    (folder / "unbound.conf").write_text(
        f"""server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: "{folder}/pid"
  interface: 127.0.0.1@{port}
  port: {port}
  do-ip6: no
  do-daemonize: no
  use-syslog: no
  do-not-query-localhost: no
  module-config: "respip iterator"
  num-threads: 2
  so-reuseport: no
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.2@{nowhere()}
{zones}"""
    )
    return ["/usr/sbin/unbound", "-d", "-c", str(folder / "unbound.conf")]


REASON = 'extendedErrorCode=15, extendedErrorExtra="the list of Example Hotline", '


def powerdns(folder: Path, port: int, options: DnsOptions, primary: int = 0) -> list[str]:
    """Of the small zone no reason is told: PowerDNS would tell it of free names, too."""
    zones = "".join(
        f"""rpzPrimary("127.0.0.1:{primary or options.listen.port}", "{zone}", {{
  refresh=1, tsigname="k", tsigalgo="hmac-sha256", tsigsecret="{KEY}", {REASON if zone == options.zone else ""}
  dumpFile="{folder}/{zone}.zone", seedFile="{folder}/{zone}.zone"}})
"""
        for zone in options.zones
    )
    (folder / "rpz.lua").write_text(zones)
    (folder / "recursor.conf").write_text(
        f"""local-address=127.0.0.1:{port}
lua-config-file={folder}/rpz.lua
socket-dir={folder}
daemon=no
write-pid=no
security-poll-suffix=
dnssec=off
forward-zones-recurse=.=127.0.0.2:{nowhere()}
threads=1
setuid=
setgid=
"""
    )
    return ["/usr/sbin/pdns_recursor", f"--config-dir={folder}"]


def knot(folder: Path, port: int, options: DnsOptions) -> list[str]:
    (folder / "kresd.conf").write_text(
        f"""net.ipv6 = false
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
cache.size = 10 * MB
modules = {{ 'policy' }}
policy.add(policy.rpz(policy.ANSWER, '{folder}/zone.rpz', true))
"""
    )
    return ["/usr/sbin/kresd", "-n", "-c", str(folder / "kresd.conf"), str(folder)]


def dnsmasq(folder: Path, port: int, options: DnsOptions) -> list[str]:
    (folder / "dnsmasq.conf").write_text(
        f"port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\npid-file=\n"
        f"user=root\nserver=127.0.0.2#{nowhere()}\nconf-file={folder}/zone.dnsmasq\n"
    )
    return ["/usr/sbin/dnsmasq", "-k", "-C", str(folder / "dnsmasq.conf")]
