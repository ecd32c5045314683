"""A stand-in of a large list in NCMEC's form, in a process of its own: entries of two fingerprints, made from their
number, a thousand a page.

It is to cost next to nothing beside the client that is measured: a page is one array of fixed-width rows, filled by
columns.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
from starlette.types import Receive, Scope, Send

PAGE = 1_000
FIRST = int(datetime(2014, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
_AT, _ID, _MD5, _PDQ = b"t" * 19, b"i" * 9, b"m" * 32, b"p" * 64
_ROW = (
    b'<image><member id="42">M</member><timestamp>%bZ</timestamp><id>%b</id><classification>A1</classification>'
    b"<fingerprints><md5>%b</md5><pdq>%b</pdq></fingerprints></image>"
) % (_AT, _ID, _MD5, _PDQ)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_STATUS = f'<status xmlns="{_NAMESPACE}"><member id="1">A service</member></status>'.encode()


@contextmanager
def served(count: int) -> Iterator[str]:
    """The address of a stand-in with that many entries, in a process on the other cores."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(count, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(count: int, pipe: Pipe) -> None:
    import uvicorn

    cores = set(range(os.cpu_count() or 1))
    os.sched_setaffinity(0, cores - os.sched_getaffinity(0) or cores)
    config = uvicorn.Config(_Answers(count), port=0, log_level="critical", access_log=False, lifespan="off")
    server = uvicorn.Server(config)

    def tell() -> None:
        while not server.started:
            time.sleep(0.01)
        pipe.send(server.servers[0].sockets[0].getsockname()[1])

    threading.Thread(target=tell, daemon=True).start()
    server.run()


class _Answers:
    """The ASGI application."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._step = (_LAST - FIRST) / count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _STATUS if scope["path"].endswith("/status") else self._entries(scope["query_string"].decode())
        headers = [(b"content-type", b"text/xml"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _entries(self, asked: str) -> bytes:
        query = {name: values[0] for name, values in parse_qs(asked).items()}
        since, until = _moment(query["from"]), _moment(query["to"])
        first = max(0, int(np.ceil((since - FIRST) / self._step)))
        end = min(self._count, int((until - FIRST) / self._step) + 1)
        begin = first + int(query.get("start", 0))
        numbers = np.arange(begin, max(begin, min(begin + PAGE, end)))
        following = ""
        if begin + PAGE < end:
            paging = {**query, "start": begin - first + PAGE, "size": PAGE, "max": end}
            following = f"<paging><next>{escape('/v2/entries?' + urlencode(paging))}</next></paging>"
        images = b""
        if len(numbers):
            at = (FIRST + numbers * self._step).astype("datetime64[s]")
            images = f'<images maxTimestamp="{at[-1]}Z">'.encode() + _rows(numbers, at) + b"</images>"
        return b'<queryResult xmlns="%b">%b%b</queryResult>' % (_NAMESPACE.encode(), images, following.encode())


def _rows(numbers: npt.NDArray[np.int64], at: npt.NDArray[np.datetime64]) -> bytes:
    rows = np.tile(np.frombuffer(_ROW, np.uint8), (len(numbers), 1))
    values = np.random.default_rng(numbers[0]).integers(0, 256, (len(numbers), 48), dtype=np.uint8)
    digits = np.stack([_DIGITS[values >> 4], _DIGITS[values & 15]], axis=2).reshape(len(numbers), 96)
    moments = np.datetime_as_string(at).astype("S19").view(np.uint8).reshape(len(numbers), 19)
    names = numbers[:, None] // 10 ** np.arange(8, -1, -1) % 10 + ord("0")
    for mark, column in ((_AT, moments), (_ID, names), (_MD5, digits[:, :32]), (_PDQ, digits[:, 32:])):
        begin = _ROW.index(mark)
        rows[:, begin : begin + len(mark)] = column
    return rows.tobytes()


def _moment(text: str) -> float:
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC).timestamp()
