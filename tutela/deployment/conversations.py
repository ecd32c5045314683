"""Conversations, put together: their alarms become cases, and platforms are asked at once only for what was chosen."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tutela.casework.cases.contacts import Protection
from tutela.casework.cases.safety_notices import read_notices
from tutela.deployment.casework import Casework
from tutela.screening.conversations import ConversationOptions

if TYPE_CHECKING:  # they need the extra `conversations`
    from tutela.screening.conversations.fleet import ConversationFleet
    from tutela.screening.conversations.service import Conversations

    AnyConversations: TypeAlias = Conversations | ConversationFleet


def open_conversations(home: Path, casework: Casework, options: ConversationOptions) -> "AnyConversations | None":
    """The conversations that the settings describe; None where they are not enabled. Raises InputError, StoreError."""
    if not options.enabled:
        return None
    contacts = casework.contacts
    if contacts is not None:
        words = read_notices(home)
        contacts.protection = Protection(options.notices, options.deterrence, words, _count_general_notice)
    if options.content:
        basis = {"basis": options.legal_basis, "since": options.legal_basis_since}
        casework.audit.record("deployment", "conversations.content", "conversations", basis)
    if options.source is None:
        from tutela.screening.conversations.service import Conversations

        return Conversations(home, casework.store.secret, options, contacts)
    from tutela.screening.conversations.fleet import ConversationFleet

    return ConversationFleet(home, casework.store.secret, options, contacts)


def _count_general_notice() -> None:
    with contextlib.suppress(ImportError):  # a library that nobody measures needs no client of Prometheus
        from tutela.deployment.metrics import general_notices

        general_notices.inc()
