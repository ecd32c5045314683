"""Everything that the pages call, put together around one casework."""

from pathlib import Path

from tutela.casework.audit.verification import Verification, verify_log
from tutela.console.brake import Brake
from tutela.console.ceremonies import Ceremonies
from tutela.console.conversation_lines import ConversationLines
from tutela.console.exposure import Exposures
from tutela.console.helplines import helplines
from tutela.console.languages import Languages
from tutela.console.oidc import Oidc
from tutela.console.once import Once
from tutela.console.options import ConsoleOptions
from tutela.console.passkeys import Passkeys
from tutela.console.people import People, Person
from tutela.console.reveal_policy import RevealPolicy
from tutela.console.reveals import TASK, Reveals
from tutela.console.roles import Permission
from tutela.console.second_looks import SecondLooks
from tutela.console.sessions import Sessions
from tutela.console.statistics import Statistics
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.deployment.casework import Casework
from tutela.lists.banks.labels import labels_of
from tutela.screening.journal import VerdictJournal
from tutela.screening.streams.records import StreamRecords


class Console:
    """Everything that the pages call. Thread-safe."""

    def __init__(self, casework: Casework, home: Path, settings: ConsoleOptions, limits: Limits | None = None) -> None:
        """`casework` has the review key."""
        store = casework.store
        self.casework = casework
        self.cases = casework.cases
        self.journal = VerdictJournal(store)
        self.streams = StreamRecords(store)
        self.statistics = Statistics(store)
        self.labels = labels_of(home)
        self.origin = settings.origin
        self.people = People(store)
        self.sessions = Sessions(store, self.people, settings.sessions)
        self.brake = Brake()
        self.once = Once()
        self.exposures = Exposures(store, settings.exposure)
        self.second_looks = SecondLooks(store)
        self.languages = Languages(home)
        self.helplines = helplines(home)
        self.pool = WorkerPool(TASK, size=2, limits=limits)
        self.reveals = Reveals(self.pool, self.exposures)
        self.notices = casework.notices
        self.conversation_lines = ConversationLines(casework)
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
        signing = self.casework.options.signing_key
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
