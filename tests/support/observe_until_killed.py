"""A process that takes and judges events until it is killed. It prints the number behind each batch that was
answered for; snapshots fall between them.
"""

import sys
from pathlib import Path

from tests.support.talk import Desk, opened
from tutela.screening.conversations import Event, EventKind

BATCH, BETWEEN_SNAPSHOTS = 20, 200


def observe(home: Path, number: int) -> None:
    """Never returns."""
    conversations = opened(home, Desk())
    while True:
        numbers = range(number, number + BATCH)
        conversations.observe(
            [Event(f"e{i}", EventKind.MESSAGE, 1_790_000_000.0 + i, f"u{i % 50}", f"v{i % 70}") for i in numbers]
        )
        number += BATCH
        print(number, flush=True)
        conversations.drain()
        if number % BETWEEN_SNAPSHOTS == 0:
            conversations._save()


if __name__ == "__main__":
    observe(Path(sys.argv[1]), int(sys.argv[2]))
