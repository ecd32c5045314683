"""squid's helper: a line for each request, an answer for each line (`external_acl_type`, squid's helper protocol).

`OK` lets a request through; whatever else happens, a helper that is killed too, refuses it. squid shows the stop page
from a file, with the reference number in it. (`url_rewrite_program` is no way: what waits for a helper that dies is let
through.)
"""

import sys
from collections.abc import Callable
from typing import BinaryIO

from tutela.deployment.edge import Edge
from tutela.errors import TutelaError
from tutela.lists.banks.model import BankUse
from tutela.screening.check.requests import Ruled

MAX_LINE = 65_536


class SquidHelper:
    """Answers lines `[channel] %URI %METHOD` of an external ACL, with channels (`concurrency`) or without."""

    def __init__(self, rule: Callable[[str, BankUse], Ruled], reference: Callable[[Ruled], str]) -> None:
        self._rule = rule
        self._reference = reference

    def answer(self, line: bytes) -> bytes:
        """The answer to one line, without its end."""
        channel, url, method = _read(line)
        if not url:
            return channel + b"BH"
        try:
            ruled = self._rule(_with_host(url, method), BankUse.PROXY)
        except TutelaError:
            return channel + b"BH"  # the lists cannot be searched
        return channel + (f"ERR message={self._reference(ruled)}".encode() if ruled.refused else b"OK")


def run(edge: Edge, source: BinaryIO | None = None, sink: BinaryIO | None = None) -> None:
    """Answer squid until it closes the helper's input."""
    helper = SquidHelper(edge.rule, edge.reference)
    source, sink = source or sys.stdin.buffer, sink or sys.stdout.buffer
    while line := source.readline(MAX_LINE):
        sink.write(helper.answer(line) + b"\n")
        sink.flush()


def template(page: str, placeholder: str) -> str:
    """A page as squid's error file: `%o` for the reference number, every other percent sign doubled."""
    return page.replace("%", "%%").replace(placeholder, "%o")


def _read(line: bytes) -> tuple[bytes, str, str]:
    """Channel with its space (empty without one), link and method."""
    fields = line.split()
    channel = b""
    if fields and fields[0].isdigit():
        channel = fields.pop(0) + b" "
    url = as_text(fields[0]) if fields else ""
    method = fields[1].decode("ascii", "replace") if len(fields) > 1 else "GET"
    return channel, url, method


def as_text(link: bytes) -> str:
    """A link as it came over a wire: bytes beyond ASCII as the percent-escapes that they stand for."""
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in link)


def _with_host(url: str, method: str) -> str:
    """A tunnel is asked for by `host:port` alone."""
    return f"https://{url}/" if method == "CONNECT" else url
