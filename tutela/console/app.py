"""The console as an application: its rooms put together around one store, and its pages."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.responses import JSONResponse, RedirectResponse, Response

from tutela.casework.audit.verification import Verification, verify_log
from tutela.console import (
    audit_routes,
    case_routes,
    notice_routes,
    people_routes,
    report_routes,
    reveal_routes,
    sign_in_routes,
    statistics_routes,
)
from tutela.console.ceremonies import Ceremonies
from tutela.console.exposure import Exposures
from tutela.console.guard import Guard
from tutela.console.helplines import helplines
from tutela.console.languages import Languages
from tutela.console.oidc import Oidc
from tutela.console.options import ConsoleOptions
from tutela.console.pages import answer_with_pages
from tutela.console.passkeys import Passkeys
from tutela.console.people import People, Person
from tutela.console.reveal_policy import RevealPolicy
from tutela.console.reveals import TASK, Reveals
from tutela.console.roles import Permission
from tutela.console.second_looks import SecondLooks
from tutela.console.sessions import Sessions
from tutela.console.statistics import Statistics
from tutela.console.visits import Brake, Visit, needs
from tutela.content.media.content import Limits
from tutela.content.media.isolation import WorkerPool
from tutela.deployment.casework import Casework
from tutela.errors import NotFoundError
from tutela.lists.banks.labels import labels_of
from tutela.screening.journal import VerdictJournal

_STATIC = {"console.css": "text/css", "keys.js": "text/javascript", "reveal.js": "text/javascript"} | {
    "passkeys.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_ROUTES = (
    sign_in_routes,
    case_routes,
    reveal_routes,
    report_routes,
    notice_routes,
    statistics_routes,
    audit_routes,
    people_routes,
)
_HOMES = (
    (Permission.SEE_CASES, "/cases"),
    (Permission.SEE_REPORTS, "/reports"),
    (Permission.AUDIT, "/audit"),
    (Permission.PEOPLE, "/people"),
)
"""Where a person starts: the first page of these that they may see."""


class Console:
    """Everything that the pages call. Thread-safe."""

    def __init__(self, casework: Casework, home: Path, settings: ConsoleOptions, limits: Limits | None = None) -> None:
        """`casework` has the review key."""
        store = casework.store
        self.casework = casework
        self.cases = casework.cases
        self.journal = VerdictJournal(store)
        self.statistics = Statistics(store)
        self.labels = labels_of(home)
        self.origin = settings.origin
        self.people = People(store)
        self.sessions = Sessions(store, self.people, settings.sessions)
        self.brake = Brake()
        self.exposures = Exposures(store, settings.exposure)
        self.second_looks = SecondLooks(store)
        self.languages = Languages(home)
        self.helplines = helplines(home)
        self.pool = WorkerPool(TASK, size=2, limits=limits)
        self.reveals = Reveals(self.pool, self.exposures)
        self.notices = casework.notices
        self.intake = casework.intake
        self.ledger = casework.ledger
        self.desk = casework.desk()
        self.schema = casework.schema()
        self.policy = RevealPolicy(settings.severe_labels, settings.two_person, self.second_looks)
        ceremonies = Ceremonies(store)
        self.passkeys = Passkeys(store, self.people, ceremonies, settings.origin)
        self.oidc = Oidc(settings.oidc, self.people, ceremonies, settings.origin) if settings.oidc else None

    def verify_audit(self) -> Verification:
        """Go through the whole audit log."""
        signing = self.casework.options.cases.signing_key
        return verify_log(self.casework.audit, key=signing.public if signing is not None else None)

    def record(self, actor: str, action: str, subject: str, **detail: str) -> None:
        """Write into the audit log; what cannot be written down is not done."""
        self.casework.audit.record(actor, action, subject, detail)

    def waiting(self, person: Person) -> int:
        """How many second looks this person could grant."""
        return len(self.second_looks.open(person)) if person.may(Permission.DECIDE) else 0

    def close(self) -> None:
        """End the workers."""
        self.pool.close()


def create_console(console: Console) -> FastAPI:
    """The application around an open console."""
    app = FastAPI(title="Tutela console", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.console = console
    answer_with_pages(app)
    for routes in _ROUTES:
        app.include_router(routes.router)
    _add_start(app)
    _add_static(app)
    app.add_middleware(Guard, origin=console.origin)
    return app


def _add_start(app: FastAPI) -> None:
    @app.get("/")
    def start(visit: Annotated[Visit, Depends(needs(None))]) -> Response:
        """The first page that the person may see."""
        return RedirectResponse(next((to for need, to in _HOMES if visit.person.may(need)), "/settings"), 303)

    @app.get("/healthz")
    def health() -> Response:
        """The process is up."""
        return JSONResponse({"status": "up"})


def _add_static(app: FastAPI) -> None:
    folder = files("tutela.console") / "static"
    served = {name: ((folder / name).read_bytes(), media_type) for name, media_type in _STATIC.items()}

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        """One of our own few files, from memory: no path reaches the disk."""
        if name not in served:
            raise NotFoundError("there is no such file")
        content, media_type = served[name]
        return Response(content, media_type=media_type)
