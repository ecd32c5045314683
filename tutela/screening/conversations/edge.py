"""A model for the edge library (native/edge): the same numbers on a device, in fewer bytes than the server's file."""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tutela.content.words.fold import folding_table
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.model import OTHER_BITS, OTHERS, TalkModel

_HEADER = struct.Struct("<8sIIff")
_MAGIC = b"TUTEDGE2"


def edge_bytes(model: TalkModel) -> bytes:
    """The model as `tutela_edge_open` takes it."""
    begins, letters = folding_table()
    counts = np.diff(begins).astype(np.uint8)
    packed = np.zeros((len(letters), 3), np.uint8)
    for place in range(3):
        packed[:, place] = (letters >> (8 * place)) & 0xFF
    stages: npt.NDArray[np.int8] = model.other.reshape(1 << OTHER_BITS, OTHERS)[:, : len(ConversationStage)]
    head = _HEADER.pack(_MAGIC, len(counts), len(letters), model.drift, model.spread)
    parts: Sequence[bytes] = (head, counts.tobytes(), packed.tobytes(), model.main.tobytes(), stages.tobytes())
    return b"".join(parts)
