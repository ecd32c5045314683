"""A console over real rooms, and people at it, for the tests that need one."""

from pathlib import Path
from types import TracebackType

from starlette.testclient import TestClient

from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.custody import Custody
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import Recipients, ReviewKey, new_identity
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.incident import Organisation
from tutela.casework.reports.options import ReportOptions, open_report_rooms
from tutela.console.app import Console, create_console
from tutela.console.options import ConsoleSettings
from tutela.console.roles import Role
from tutela.console.rooms import ConsoleRooms
from tutela.foundation.store.database import Store

ORIGIN = "https://console.test"


class Desk:
    """A console in this process."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home = home
        self.store = Store.create(f"sqlite:///{home / 'console.db'}")
        secret, public = new_identity()
        self.vault = Vault(self.store, Objects(f"file://{home / 'evidence'}"), Recipients([public]))
        self.audit = AuditLog(self.store)
        self.cases = Cases(self.store)
        self.custody = Custody(self.store, self.vault, self.cases)
        key = ReviewKey(secret)
        reports = open_report_rooms(
            self.store,
            self.cases,
            self.vault,
            recipients=[public],
            options=ReportOptions(Organisation("Test Company")),
            endpoints={},
            key=key,
        )
        rooms = ConsoleRooms(self.store, home, self.audit, self.cases, self.vault, key, reports)
        self.console = Console(rooms, ConsoleSettings(origin=ORIGIN, **settings))
        self.app = create_console(self.console)

    def client(self) -> TestClient:
        """A browser that nobody is signed in with."""
        return TestClient(
            self.app,
            base_url=ORIGIN,
            follow_redirects=False,
            headers={"origin": ORIGIN},
            raise_server_exceptions=False,
        )

    def signed_in(self, *roles: Role) -> TestClient:
        """A browser of a new person with these roles."""
        person = self.console.people.add(f"A {'-'.join(roles)}", roles, by="test")
        session = self.console.sessions.begin(person, "test")
        client = self.client()
        client.cookies.set("__Host-tutela", session.token or "")
        client.person, client.csrf = person, session.csrf  # type: ignore[attr-defined]
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
