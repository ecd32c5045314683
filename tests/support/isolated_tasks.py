"""Tasks that behave badly, for the tests of isolation. Each runs inside a worker."""

import ctypes
import json
import os
import socket
import struct
import sys
import time
from typing import Any

from tutela.content.media.isolation import MAX_RESULT_BYTES
from tutela.errors import UnscreenableError


def echo(content: memoryview, options: Any) -> Any:
    return {"length": len(content), "sum": sum(content[:1000]), "options": options}


def misbehave(content: memoryview, options: Any) -> Any:
    match bytes(content).decode():
        case "abort":
            return os.abort()
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
            with socket.socket(fileno=os.dup(json.loads(sys.argv[1])["socket"])) as connection:
                connection.sendall(struct.pack("<I", len(payload)) + payload)
            return "late"
        case "spy":
            found = []
            for name in ("environ", "mem"):
                try:
                    with open(f"/proc/{os.getppid()}/{name}", "rb"):  # noqa: PTH123
                        found.append(name)
                except OSError:
                    continue
            return found
        case "pid":
            return os.getpid()
        case other:
            return other
