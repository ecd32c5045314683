"""A body's bytes while they come, and until it is answered: short ones in memory that was used before, long ones in a
memory file. What they were in is overwritten before anything else comes there.
"""

import mmap
import os
import socket

from tutela.content.media.content_file import ContentFile

SHORT_BYTES = 1024 * 1024
"""So much is not worth a file: to make, map and drop its pages takes longer than everything else with them."""
AT_ONCE = 256 * 1024
"""So much comes in one turn of the loop."""
_SPARE = 8
_ZEROS = memoryview(bytes(AT_ONCE))


class SpareMemory:
    """Pieces of memory that bodies come into, one after the other."""

    def __init__(self) -> None:
        self._spare: list[mmap.mmap] = []

    def take(self) -> mmap.mmap:
        """A piece of `SHORT_BYTES`, all zeros. Only what is written to takes memory. Raises OSError."""
        if self._spare:
            return self._spare.pop()
        memory = mmap.mmap(-1, SHORT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            memory.madvise(mmap.MADV_NOHUGEPAGE)  # one page for a body of a few bytes, not two megabytes
        return memory

    def give_back(self, memory: mmap.mmap, length: int) -> None:
        """Overwrite what was used of it, and keep it for the next, unless somebody still has a view of it."""
        for begin in range(0, length, AT_ONCE):
            end = min(length, begin + AT_ONCE)
            memory[begin:end] = _ZEROS[: end - begin]
        if len(self._spare) < _SPARE and _is_nobody_s(memory):
            self._spare.append(memory)


def _is_nobody_s(memory: mmap.mmap) -> bool:
    """Whether there is no view of it: with one, it cannot be resized, even to its own size."""
    try:
        memory.resize(SHORT_BYTES)
    except (BufferError, SystemError, ValueError, OSError):
        return False
    return True


class GatheredContent:
    """The bytes of one body. Close it when nobody uses them any more: what is asked of it then raises ValueError."""

    def __init__(self, spare: SpareMemory) -> None:
        self._spare = spare
        self._memory: mmap.mmap | None = None
        self._filled = 0
        """Bytes in that memory."""
        self._file: ContentFile | None = None
        self._closed = False

    def __len__(self) -> int:
        return self._filled if self._file is None else self._file.length

    def room(self) -> memoryview:
        """Where the next bytes may be put, to be counted with `came`; nothing where they are to be written. Raises
        OSError."""
        if self._file is not None or self._filled == SHORT_BYTES:
            return _ZEROS[:0]
        return memoryview(self._own_memory())[self._filled :]

    def came(self, count: int) -> None:
        """So many bytes are in the room."""
        self._filled += count

    def write(self, data: bytes | memoryview) -> None:
        """Add to the end. Raises OSError."""
        if self._file is None and self._filled + len(data) <= SHORT_BYTES:
            self._own_memory()[self._filled : self._filled + len(data)] = data
            self._filled += len(data)
        else:
            self._own_file().write(data)

    def view(self) -> memoryview:
        """The content, to be read. Write nothing more once it was asked for."""
        if self._file is not None:
            return self._file.view()
        return memoryview(self._own_memory())[: self._filled].toreadonly()

    def whole(self) -> memoryview | ContentFile:
        """The content as it is screened."""
        return self.view() if self._file is None else self._file

    def send(self, connection: socket.socket, offset: int, head: bytes = b"") -> int:
        """Send what fits of a head and of the rest behind it, in one packet: how much of both that was. Raises OSError,
        BlockingIOError."""
        if self._file is None:
            with self.view() as view, view[offset:] as rest:
                return connection.sendmsg((head, rest))
        if head:
            return connection.send(head, socket.MSG_MORE)
        return os.sendfile(connection.fileno(), self._file.descriptor, offset, len(self) - offset)

    def close(self) -> None:
        """Let go of the content."""
        self._closed = True
        self._let_go_of_memory()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _own_memory(self) -> mmap.mmap:
        if self._closed:
            raise ValueError("the content is closed")
        if self._memory is None:
            self._memory = self._spare.take()
        return self._memory

    def _own_file(self) -> ContentFile:
        if self._file is None:
            file = ContentFile()
            try:
                file.write(self.view())
            except BaseException:
                file.close()
                raise
            self._file = file
            self._let_go_of_memory()
        return self._file

    def _let_go_of_memory(self) -> None:
        memory, filled = self._memory, self._filled
        self._memory, self._filled = None, 0
        if memory is not None:
            self._spare.give_back(memory, filled)
