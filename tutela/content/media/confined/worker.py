"""The process in which hostile bytes are parsed: forked by the fork server, asked by `isolation.WorkerPool`.

It confines itself before its first byte of content, then answers one task after the other. It ends when its parent
closes the socket or dies.
"""

import gc
import json
import math
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Generator
from importlib import import_module
from typing import Any, NoReturn

from pydantic_core import PydanticSerializationError, to_json

from tutela import _native
from tutela.content.media.confined.confinement import confine, leave_processes
from tutela.errors import UnscreenableError

_LENGTH = struct.Struct("<I")
_NUMBER = struct.Struct("<q")
_MAX_RESULT_BYTES = 1024 * 1024
_ONE_READ = 64 * 1024
"""Bytes of a request that are read at once; no next one comes before the answer."""


def work(task: str, max_memory_bytes: int, connection: socket.socket, memory: int) -> None:
    """Confine this process, and serve the task "module:function" on content in `memory` until the socket is closed.

    On Linux that is done by a child, so that it is the first process of a namespace; this one ends as its child does.
    """
    left = leave_processes()
    process = _in_a_child(connection, memory) if sys.platform == "linux" else os.getpid()
    with connection:
        try:
            function = _load(task)
            refusals = confine(max_memory_bytes, left)
        except Exception as error:
            _answer(connection, {"failed": f"{type(error).__name__}: {error}"})
            raise
        _answer(connection, {"process": process, "refusals": refusals})
        _serve(connection, memory, function)


def _in_a_child(connection: socket.socket, memory: int) -> int:
    """Go on in a child, which returns with the number it has outside its namespace and cannot see there.

    The child alone speaks on the connection: of two that do, the second could be taken for the answer to a task.
    """
    told, tell = os.pipe()
    if child := os.fork():
        connection.close()
        os.close(memory)
        os.write(tell, _NUMBER.pack(child))
        _end_as(child)
    _native.end_with_parent()
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        (process,) = _NUMBER.unpack(pipe.read(_NUMBER.size))
    number: int = process
    return number


def _load(name: str) -> Any:
    """The task; what it may need was loaded by the fork server."""
    module, _, function = name.partition(":")
    task = getattr(import_module(module), function)
    gc.collect()
    gc.freeze()
    return task


def _end_as(child: int) -> NoReturn:
    """End as the child does."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -status)
    os._exit(status)


def _serve(connection: socket.socket, memory: int, task: Any) -> None:
    shared: mmap.mmap | None = None
    while received := _request(connection):
        request, descriptors = received
        # A backstop for a parent that died while we hang: the alarm's default action ends the process.
        signal.alarm(math.ceil(request["timeout_s"]) + 5)
        length = request["length"]
        if request["own_file"]:
            content = _mapped(descriptors.pop(), length)
        else:
            if shared is None or len(shared) < length:
                shared = mmap.mmap(memory, 0, prot=mmap.PROT_READ)
            content = memoryview(shared)[:length]
        answer = _run(connection, request["task"], task, content, request["options"])
        gc.collect()  # what refers to itself, as archives' readers do, is freed now and not with some later content
        content.release()
        signal.alarm(0)
        _answer(connection, answer | {"task": request["task"]})
        del content, answer  # a worker that waits keeps nothing of what it saw


def _mapped(descriptor: int, length: int) -> memoryview:
    """Content in a file of its own; unmapped with the last view of it."""
    try:
        return memoryview(mmap.mmap(descriptor, length, prot=mmap.PROT_READ) if length else b"")
    finally:
        os.close(descriptor)


def _run(connection: socket.socket, number: int, task: Any, view: memoryview, options: Any) -> dict[str, Any]:
    try:
        result = task(view, options)
        if isinstance(result, Generator):
            result = _tell_parts(connection, number, result)
        return {"result": result}
    except UnscreenableError as error:
        return {"unscreenable": [error.reason, str(error)]}
    except MemoryError:
        return {"unscreenable": ["out-of-memory", "decoding needs more memory than allowed"]}
    except Exception as error:
        return {"fault": f"{type(error).__name__}: {error}"[:1000]}


def _tell_parts(connection: socket.socket, number: int, parts: Generator[Any, None, Any]) -> Any:
    """Send what a task yields as it comes; what it returns in the end is the result."""
    while True:
        try:
            part = next(parts)
        except StopIteration as end:
            return end.value
        _answer(connection, {"task": number, "part": part})


def _request(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next task and the descriptors that come with it."""
    received, descriptors, _, _ = socket.recv_fds(connection, _ONE_READ, 1)
    if len(received) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(received)
    missing = _LENGTH.size + length - len(received)
    if missing > 0:
        received += connection.recv(missing, socket.MSG_WAITALL)
    message: dict[str, Any] = json.loads(received[_LENGTH.size :])
    return message, descriptors


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    payload = _written(answer)
    if len(payload) > _MAX_RESULT_BYTES:
        fault = f"the result of {len(payload):,} bytes is too long"
        payload = json.dumps({"task": answer.get("task"), "fault": fault}).encode()
    connection.sendall(_LENGTH.pack(len(payload)) + payload)


def _written(answer: dict[str, Any]) -> bytes:
    """As JSON, of which the regions of many views are most: this writer takes a fifth of the time of Python's own."""
    try:
        return to_json(answer)
    except PydanticSerializationError:  # a name in an archive need not be text that can be written down
        return json.dumps(answer, ensure_ascii=False).encode(errors="replace")
