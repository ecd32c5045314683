"""A console over real rooms, and people at it, for the tests that need one."""

from pathlib import Path
from types import TracebackType
from typing import Any

from starlette.testclient import TestClient

from tests.support.stores import new_store
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.casework.reports.options import Organisation, ReportOptions
from tutela.console.app import create_console
from tutela.console.options import ConsoleOptions
from tutela.console.people import Person
from tutela.console.roles import Role
from tutela.console.service import Console
from tutela.deployment.casework import CaseworkOptions, open_casework
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import NewEntry
from tutela.lists.banks.service import Banks

ORIGIN = "https://console.test"


class Visitor(TestClient):
    """A browser; with who is signed in, and what their forms carry."""

    person: Person
    csrf: str


class Desk:
    """A console in this process."""

    def __init__(self, home: Path, *, origin: str = ORIGIN, **settings: Any) -> None:
        self.home = home
        self.store = Store.open(new_store(home / "console.db"))
        secret, public = new_identity()
        banks = Banks(self.store)
        banks.create("matched", actor="test")
        banks.add("matched", [NewEntry("md5", bytes([number]) * 16) for number in range(8)], actor="test")
        options = CaseworkOptions(EvidenceOptions((public,)), reports=ReportOptions(Organisation("Test Company")))
        casework = open_casework(self.store, banks, home, options, ReviewKey(secret))
        assert casework.vault is not None
        assert casework.custody is not None
        self.vault, self.audit, self.cases, self.custody = (
            casework.vault, casework.audit, casework.cases, casework.custody,
        )  # fmt: skip
        self.console = Console(casework, home, ConsoleOptions(origin=origin, **settings))
        self.app = create_console(self.console)

    def client(self) -> Visitor:
        """A browser that nobody is signed in with."""
        return Visitor(
            self.app,
            base_url=ORIGIN,
            follow_redirects=False,
            headers={"origin": ORIGIN},
            raise_server_exceptions=False,
        )

    def signed_in(self, *roles: Role) -> Visitor:
        """A browser of a new person with these roles."""
        person = self.console.people.add(f"A {'-'.join(roles)}", roles, by="test")
        session = self.console.sessions.begin(person, "test")
        client = self.client()
        client.cookies.set("__Host-tutela", session.token or "")
        client.person, client.csrf = person, session.csrf
        return client

    def close(self) -> None:
        self.console.close()
        self.store.close()

    def __enter__(self) -> "Desk":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
