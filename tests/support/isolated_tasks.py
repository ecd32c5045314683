"""Tasks that behave badly, for the tests of isolation. Each runs inside a worker."""

import ctypes
import json
import os
import socket
import stat
import struct
import sys
import time
from functools import cache
from typing import Any

from tutela.content.media.confined.attempts import held_descriptors
from tutela.content.media.worker_process import MAX_RESULT_BYTES
from tutela.errors import UnscreenableError
from tutela.screening import inspection


def echo(content: memoryview, options: Any) -> Any:
    return {"length": len(content), "sum": sum(content[:1000]), "options": options}


def examine_and_tell(content: memoryview, options: Any) -> Any:
    """What a worker finds in content, and which files and modules were asked for meanwhile."""
    _hook()
    _opened.clear()
    found = what_is_found(content, options)
    return {"found": found, "opened": sorted(set(_opened))}


def what_is_found(content: memoryview, options: Any) -> Any:
    """Everything that an examination says, in one document."""
    samples: list[Any] = []
    examined = inspection.task(content, options)
    try:
        while True:
            samples += next(examined)["samples"]
    except StopIteration as end:
        return json.loads(json.dumps({**end.value, "samples": samples + end.value["samples"]}))


_opened: list[str] = []


@cache
def _hook() -> None:
    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "import"):
            _opened.append(f"{event} {arguments[0]}")

    sys.addaudithook(hear)


def misbehave(content: memoryview, options: Any) -> Any:
    match bytes(content).decode():
        case "abort":
            return os.abort()
        case "name that is no text":
            return {"part": "archive.zip › a\udc80b", "region": [1 / 3, 0.1, 1e-300, 1.0], "length": 2**70}
        case "segfault":
            return ctypes.string_at(0)
        case "exit":
            return os._exit(0)
        case "sleep":
            return time.sleep(3600)
        case "spin":
            while True:
                pass
        case "memory":
            return len(bytearray(8 * 1024**3))
        case "raise":
            raise RuntimeError("a bug")
        case "unscreenable":
            raise UnscreenableError("made-up", "for a reason of its own")
        case "long":
            return "x" * (MAX_RESULT_BYTES + 1)
        case "no-json":
            return object()
        case "write":
            with open("/tmp/tutela-written-by-a-worker", "wb") as file:  # noqa: PTH123
                return file.write(b"x" * 100_000)
        case "connect":
            with socket.create_connection(("127.0.0.1", int(options["port"])), timeout=2):
                return "connected"
        case "environment":
            return sorted(os.environ)
        case "answer twice":
            payload = json.dumps({"task": options["task"], "result": "early"}).encode()
            os.write(held_descriptors(stat.S_ISSOCK)[0], struct.pack("<I", len(payload)) + payload)
            return "late"
        case "answer as told":
            payload = options["answer"].encode()
            os.write(held_descriptors(stat.S_ISSOCK)[0], struct.pack("<I", len(payload)) + payload)
            return "late"
        case "sockets":
            return len(held_descriptors(stat.S_ISSOCK))
        case "pid":
            return os.getpid()
        case other:
            return other
