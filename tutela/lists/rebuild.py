"""`python -m tutela.lists.rebuild`: build the index aside, where a build is due, and swap it in whole.

A process of its own, so that its memory and its faults stay outside the service; killed at any moment it leaves the
served index as it was.
"""

import logging
import os
from pathlib import Path

from tutela.content.signals.registry import signal_types
from tutela.foundation.processes import end_promptly
from tutela.foundation.store.database import Store
from tutela.lists.banks.service import Banks
from tutela.lists.index.service import Indexes


def main() -> None:
    """Build for the home and database named by TUTELA_BUILD_HOME and TUTELA_BUILD_DATABASE."""
    end_promptly()
    logging.basicConfig(level=logging.WARNING)
    os.nice(10)
    home, database = Path(os.environ["TUTELA_BUILD_HOME"]), os.environ["TUTELA_BUILD_DATABASE"]
    store = Store.open(database)
    try:
        indexes = Indexes(home / "index", signal_types(), Banks(store), store.identity)
        for signal in indexes.due():
            indexes.build(signal)
    finally:
        store.close()


if __name__ == "__main__":
    main()
