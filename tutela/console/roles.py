"""Who may do what: five roles and what each permits. A person may have several."""

from collections.abc import Iterable
from enum import StrEnum

from tutela.errors import InputError


class Role(StrEnum):
    """What a person is in the console."""

    REVIEWER = "reviewer"
    LEAD = "lead"
    REPORTER = "reporter"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a page or an action needs."""

    SEE_CASES = "see-cases"
    DECIDE = "decide"
    REVEAL = "reveal"
    OPPOSE = "second-opinion"
    LEAD = "lead"
    SEE_REPORTS = "see-reports"
    FILE = "file-reports"
    ANSWER = "answer-notices"
    AUDIT = "audit"
    STATISTICS = "statistics"
    PEOPLE = "people"


_REVIEWING = frozenset({Permission.SEE_CASES, Permission.DECIDE, Permission.REVEAL, Permission.ANSWER})
_PERMITTED = {
    Role.REVIEWER: _REVIEWING,
    Role.LEAD: _REVIEWING
    | {Permission.OPPOSE, Permission.LEAD, Permission.SEE_REPORTS, Permission.STATISTICS, Permission.ANSWER},
    Role.REPORTER: frozenset(
        {Permission.SEE_CASES, Permission.SEE_REPORTS, Permission.FILE, Permission.ANSWER, Permission.STATISTICS}
    ),
    Role.AUDITOR: frozenset({Permission.AUDIT, Permission.STATISTICS, Permission.SEE_REPORTS}),
    # Who decides about people decides about no case, and sees none.
    Role.ADMIN: frozenset({Permission.PEOPLE}),
}


def permissions(roles: Iterable[Role]) -> frozenset[Permission]:
    """Everything the roles permit together."""
    return frozenset().union(*(_PERMITTED[role] for role in roles))


def read_roles(names: Iterable[str]) -> frozenset[Role]:
    """Roles by name. Raises InputError for a name that is none, or when there is no name."""
    try:
        roles = frozenset(Role(name) for name in names)
    except ValueError:
        raise InputError("roles are {role}", role=", ".join(Role), field="role") from None
    if not roles:
        raise InputError("a person needs at least one role: {role}", role=", ".join(Role), field="role")
    return roles
