"""The pictures of an icon or cursor: every size, each as a file of its own. A viewer shows the one that fits."""

import struct
from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content

_HEAD, _ENTRY = struct.Struct("<HHH"), struct.Struct("<8sII")


class Icons:
    """Every picture, where there are several."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        if len(data) < _HEAD.size:
            return
        reserved, kind, count = _HEAD.unpack_from(data)
        for number in range(count if count > 1 else 0):
            at = _HEAD.size + number * _ENTRY.size
            if at + _ENTRY.size > len(data):
                return
            budget.check_time()
            described, length, begin = _ENTRY.unpack_from(data, at)
            picture = bytes(data[begin : begin + length])
            alone = _HEAD.pack(reserved, kind, 1) + _ENTRY.pack(described, len(picture), _HEAD.size + _ENTRY.size)
            yield InnerFile(f"icon {number + 1}", alone + picture, seen_otherwise=True)
