"""`python -m tutela.lists.exchanges NAME`: pull one exchange whose time has come, unless another process is at it.

A process of its own, so that its work and its faults stay outside the service; killed at any moment it leaves what was
applied, and the next pull goes on from there.
"""

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tutela.errors import TutelaError
from tutela.foundation.leases import Leases
from tutela.foundation.processes import end_promptly
from tutela.foundation.store.database import Store
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.feedback import share_new
from tutela.lists.exchanges.puller import Puller
from tutela.lists.exchanges.schedule import lease_of
from tutela.lists.exchanges.service import Exchanges

ACTOR = "schedule"
log = logging.getLogger("tutela.exchanges")


def main() -> int:
    """Pull for the home and database named by TUTELA_PULL_HOME and TUTELA_PULL_DATABASE. Returns the exit code."""
    end_promptly()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    home, database = Path(os.environ["TUTELA_PULL_HOME"]), os.environ["TUTELA_PULL_DATABASE"]
    store = Store.open(database)
    try:
        return _pull(Exchanges(Banks(store, home)), sys.argv[1])
    finally:
        store.close()


def _pull(exchanges: Exchanges, name: str) -> int:
    with Leases(exchanges.store).holding(lease_of(exchanges.get(name))) as alone:
        row = exchanges.get(name)
        if not alone or not row.enabled or row.next_at > datetime.now(UTC):
            return 0  # another process did it meanwhile
        try:
            Puller(exchanges).pull(name, actor=ACTOR)
            if row.giving.share_bank is not None:
                share_new(exchanges, name)
        except TutelaError as error:
            log.error("exchange %s could not be pulled: %s", name, error)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
