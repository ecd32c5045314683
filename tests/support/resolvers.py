"""A primary of our zone in a thread, real resolvers beside it, and what these answer."""

import asyncio
import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.support.waiting import PATIENCE_S, wait_until
from tutela.gateways.dns import DnsOptions, Zone
from tutela.gateways.dns.primary import Primary


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
        thread.join(30)
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
