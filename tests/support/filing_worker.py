"""A process that files reports and may be killed at any moment."""

import io
import sys
import time
from typing import BinaryIO

from tests.support.forked import serve_rounds
from tutela.casework.reports.cybertipline.client import CyberTipline
from tutela.casework.reports.filer import Filer
from tutela.casework.reports.ledger import Ledger
from tutela.errors import TutelaError
from tutela.foundation.store.database import Store


class Unsealed:
    """A sealing that keeps nothing secret."""

    def seal(self, plain: bytes) -> bytes:
        return plain

    def unseal(self, sealed: bytes) -> bytes:
        return sealed


class Named:
    """Evidence whose bytes are its name."""

    def open(self, evidence: str) -> BinaryIO:
        if evidence.startswith("missing"):
            raise TutelaError(f"there is no evidence {evidence!r}")
        return io.BytesIO(evidence.encode())


def file_all(database: str, address: str) -> None:
    store = Store.open(database)
    tipline = CyberTipline("esp", "secret", address=address)
    filer = Filer(Ledger(store, Unsealed()), tipline, Named(), lease_s=0.05, longest_wait_s=0.05)
    while True:
        filer.run_due()
        time.sleep(0.001)


if __name__ == "__main__":
    serve_rounds(lambda: file_all(*sys.argv[1:]))
