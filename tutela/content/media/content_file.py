"""Content too long to be copied about: an open file without a name, which a worker maps instead of being sent bytes."""

import mmap
import os
import tempfile
from types import TracebackType


class ContentFile:
    """A file descriptor and how much of it is content. Close it, or use it as a context manager."""

    def __init__(self) -> None:
        self.descriptor = nameless_file()
        self.length = 0
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        return self.length

    def write(self, data: bytes | memoryview) -> None:
        """Add to the end."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self.descriptor, rest, self.length)
            self.length += written
            rest = rest[written:]

    def view(self) -> memoryview:
        """The content in this process, to be read. Write nothing more once it was asked for."""
        if not self.length:
            return memoryview(b"")
        self._map = self._map or mmap.mmap(self.descriptor, self.length, prot=mmap.PROT_READ)
        return memoryview(self._map)

    def close(self) -> None:
        """Let go of the content."""
        self._map = None  # unmapped with the last view of it
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> "ContentFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def to_read_only(descriptor: int) -> int:
    """Another descriptor of such a file, by which it cannot be changed; of a system that cannot do that, the same."""
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return os.dup(descriptor)


def nameless_file() -> int:
    """A file descriptor of memory that has no name and reaches no disk where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tutela-content", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
