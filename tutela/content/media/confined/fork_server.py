"""The fork server's own process, `python -m` this module: started by `media.fork_server`.

It loads what workers need, and forks one for each message on its socket, which brings the worker's two descriptors.
It ends when its parent closes the socket or dies.
"""

import gc
import json
import os
import socket
import sys
from typing import Any

from tutela import _native
from tutela.content.media.confined import worker
from tutela.content.media.confined.preparation import prepare

_ONE_MESSAGE = 64 * 1024


def main() -> None:
    """Serve forks over the socket whose descriptor is the first argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    failed = _prepare()
    while True:
        received, descriptors, _, _ = socket.recv_fds(control, _ONE_MESSAGE, 2)
        if not received:
            os._exit(0)
        arguments: dict[str, Any] = json.loads(received)
        connection, memory = descriptors
        if failed:
            _answer(control, {"failed": failed})
        elif sys.platform != "linux":
            _answer(control, {"process": os.getpid()})
            _work(control, arguments, connection, memory)
        elif (child := _native.fork_for_parent()) == 0:
            os.setpgid(0, 0)
            _work(control, arguments, connection, memory)
        else:
            _answer(control, {"process": child} if child > 0 else {"failed": os.strerror(-child)})
        os.close(connection)
        os.close(memory)


def _prepare() -> str:
    """Load everything; why that is not possible, empty where it is."""
    try:
        prepare()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    gc.collect()
    gc.freeze()  # modules stay: no collection looks through them again, and workers share their pages
    return ""


def _work(control: socket.socket, arguments: dict[str, Any], connection: int, memory: int) -> None:
    control.close()  # a worker that was taken over answers for nobody else
    status = 1
    try:
        worker.work(arguments["task"], arguments["max_memory_bytes"], socket.socket(fileno=connection), memory)
        status = 0
    finally:
        os._exit(status)


def _answer(control: socket.socket, answer: dict[str, Any]) -> None:
    control.sendall(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
