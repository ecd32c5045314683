"""The process in which hostile bytes are parsed, `python -m` this module: started by `isolation.WorkerPool`.

It confines itself after its imports and before its first byte of content, then answers one task after the other. It
ends when its parent closes the socket or dies.
"""

import contextlib
import ctypes
import gc
import json
import logging
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
from typing import Any

_LENGTH = struct.Struct("<I")
_MAX_RESULT_BYTES = 1024 * 1024
_MAX_OPEN_FILES = 32
_FORMATS: tuple[str, ...] = ("Jpeg", "Png", "Gif", "WebP", "Bmp", "Tiff", "Avif", "Mpo")
_FORMATS += ("Jpeg2K", "Ico", "Cur", "Psd", "Tga", "Ppm", "Qoi")
"""Of Pillow."""
_ONE_READ = 64 * 1024
"""Bytes of a request that are read at once; no next one comes before the answer."""

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_NOBODY = 65534
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def main() -> None:
    """Serve tasks as the JSON object in the first argument says."""
    arguments = json.loads(sys.argv[1])
    module, function = arguments["task"].split(":")
    task = getattr(import_module(module), function)
    for name in ("tutela.content.media.confined.decode", "PIL.ImageCms"):
        import_module(name)
    _load_picture_formats()
    import_module("tutela.content.media.confined.containers").load_all()
    import_module("tutela.content.media.confined.containers.page").warm()
    import_module("tutela.content.signals.registry").signal_types()
    for name in ("pypdfium2", "pikepdf", "py7zr", "zstandard"):
        with contextlib.suppress(ImportError):
            import_module(name)
    import_module("tutela.content.media.confined.containers.libarchive").load()
    with contextlib.suppress(ImportError):
        import_module("tutela.content.media.confined.video")
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())  # what libraries say of hostile content is nobody's log
    gc.freeze()  # modules stay: no collection looks through them again
    protections = _confine(arguments["max_memory_bytes"] + arguments["max_bytes"])
    with socket.socket(fileno=arguments["socket"]) as connection:
        _answer(connection, {"protections": protections})
        _serve(connection, arguments["memory"], task)


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
    from tutela.errors import UnscreenableError

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
    payload = json.dumps(answer, ensure_ascii=False).encode(errors="replace")
    if len(payload) > _MAX_RESULT_BYTES:
        fault = f"the result of {len(payload):,} bytes is too long"
        payload = json.dumps({"task": answer.get("task"), "fault": fault}).encode()
    connection.sendall(_LENGTH.pack(len(payload)) + payload)


def _load_picture_formats() -> None:
    """Load every decoder now, while files may still be opened freely."""
    from PIL import Image

    for plugin in _FORMATS:
        with contextlib.suppress(ImportError):
            import_module(f"PIL.{plugin}ImagePlugin")
    with contextlib.suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
    for module in ("pillow_jxl", "rawpy"):
        with contextlib.suppress(ImportError):
            import_module(module)
    Image._initialized = 2  # no further plug-in is looked for


def _confine(max_memory_bytes: int) -> list[str]:
    """Give up what decoding does not need. Returns what took effect on this system."""
    active = []
    limits = {
        "core": (resource.RLIMIT_CORE, 0),
        "file-size": (resource.RLIMIT_FSIZE, 0),
        "open-files": (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
        "memory": (resource.RLIMIT_AS, _address_space() + max_memory_bytes),
    }
    for name, (kind, value) in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (value, value))
            active.append(name)
    if sys.platform == "linux":
        active += _confine_linux()
    return active


def _confine_linux() -> list[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    active = []
    # A network namespace of its own, with no interface in it; in a user namespace, so that not even a worker of root's
    # may look into the service or return to the network.
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        active += ["no-network", "no-privileges"]
    else:
        if libc.unshare(_CLONE_NEWNET) == 0:
            active.append("no-network")
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):
                os.setgroups([])
                os.setresgid(_NOBODY, _NOBODY, _NOBODY)
                os.setresuid(_NOBODY, _NOBODY, _NOBODY)
                active.append("no-privileges")
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        active.append("no-new-privileges")
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
        active.append("no-memory-dump")
    return active


def _address_space() -> int:
    """Bytes of address space in use."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 1 << 30


if __name__ == "__main__":
    main()
