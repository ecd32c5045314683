"""What hostile code in a worker gets done on this machine: `confined/attempts.py`, run in a worker like any content."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutela.content.media.isolation import WorkerPool

TASK = "tutela.content.media.confined.attempts:task"
_ABSTRACT = "\0tutela-attempts"


def attempt_everything() -> dict[str, str | None]:
    """By what hostile code tries in a worker: why it was refused, or None where it was not.

    There is a file, a listener of each kind and a process for it to reach. Raises TutelaError when no worker starts.
    """
    with _targets() as options, WorkerPool(TASK, size=1) as pool:
        answers: dict[str, str | None] = pool.run(b"", options)
    return answers


@contextmanager
def _targets() -> Iterator[dict[str, str | int]]:
    with tempfile.TemporaryDirectory(prefix="tutela-attempts-") as folder:
        private, spare, path = (Path(folder, name) for name in ("private", "spare", "socket"))
        private.write_bytes(b"what nobody else may read")
        private.chmod(0o600)
        spare.touch()
        with (
            socket.create_server(("127.0.0.1", 0)) as tcp,
            _listening(str(path)),
            _listening(_ABSTRACT + str(os.getpid())) as abstract,
        ):
            yield {
                "file": str(private),
                "folder": folder,
                "unix_socket": str(path),
                "abstract_socket": abstract,
                "port": tcp.getsockname()[1],
                "process": os.getpid(),
            }


@contextmanager
def _listening(address: str) -> Iterator[str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen()
        yield address
