"""A whole package for an authority: the referral in three forms, two forms for police tools, and the evidence."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tutela.casework.audit.log import AuditLog
from tutela.casework.reports.bundle import Bundled, write_bundle
from tutela.casework.reports.case_uco import case_uco
from tutela.casework.reports.incident import EvidenceSource, Incident
from tutela.casework.reports.options import Organisation
from tutela.casework.reports.referral import AUTHORITIES, Referral
from tutela.casework.reports.vics import vics
from tutela.errors import InputError


def referral_of(incident: Incident, organisation: Organisation, authority: str, urgent: str = "") -> Referral:
    """The referral to an authority (nca, iwf, police). Raises InputError for another."""
    if authority not in AUTHORITIES:
        raise InputError(
            "{authority!r} is no authority that is known here; known are {authorities}",
            authority=authority,
            authorities=", ".join(AUTHORITIES),
        )
    return Referral(AUTHORITIES[authority], organisation, incident, datetime.now(UTC), urgent)


def write_package(
    path: Path,
    referral: Referral,
    evidence: EvidenceSource,
    *,
    audit: AuditLog,
    actor: str,
    recipients: Sequence[str] = (),
    password: str | None = None,
) -> Bundled:
    """Write the package, encrypted; errors as `write_bundle` has them.

    It is in the audit log before it is at its place: no package is anywhere of which the log knows nothing.
    """
    incident, organisation = referral.incident, referral.organisation
    documents = {
        "referral.json": referral.json(),
        "referral.html": referral.html(),
        "referral.pdf": referral.pdf(),
        "vics.json": vics(incident, organisation, region="US" if organisation.country == "US" else "UK"),
        "case.jsonld": case_uco(incident, organisation),
    }
    authority = next(name for name, one in AUTHORITIES.items() if one == referral.authority)

    def write_down(made: Bundled) -> None:
        detail = {"to": authority, "sha256": made.sha256, "manifest": made.manifest_sha256, "files": made.files}
        audit.record(actor, "report.packaged", f"case:{incident.case_id}", detail)

    return write_bundle(
        path, incident, documents, evidence, recipients=recipients, password=password, before_release=write_down
    )
