"""An incident becomes a CyberTipline draft, with defaults that a person looks at before it is filed.

Nothing that the platform said is left out: what has no element of its own is written as a remark.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from tutela.casework.reports.cybertipline.incidents import InternetDetails, WebPageIncident
from tutela.casework.reports.cybertipline.people import (
    ContactPerson,
    DeviceId,
    Email,
    EstimatedLocation,
    IpCaptureEvent,
    Phone,
    TemporarilyDisabled,
    TiplinePerson,
)
from tutela.casework.reports.cybertipline.report import (
    FileDetails,
    FileHash,
    IncidentSummary,
    Metadata,
    NameValuePair,
    PersonOrUserReported,
    Report,
    Reporter,
)
from tutela.casework.reports.cybertipline.schema import MAX_TEXT
from tutela.casework.reports.cybertipline.vocabulary import (
    COUNTRIES,
    CaptureEvent,
    FileClassification,
    FileRelevance,
    IncidentType,
    MetadataType,
)
from tutela.casework.reports.details import AS_GIVEN, date_of, moment_of, truth_of
from tutela.casework.reports.draft import Draft, DraftFile
from tutela.casework.reports.incident import KNOWN_DETAILS, Incident, IncidentFile, neutral_name
from tutela.casework.reports.options import Organisation
from tutela.screening.sentences import listed_by, sentence

_PDQ_HASHES = ("pdq", "photodna")


def preview(incident: Incident, organisation: Organisation) -> Draft:
    """The draft that would be filed. Look at it with `Draft.xml` and `Draft.problems`, change it, and file it."""
    return Draft(
        report=Report(
            incident_summary=IncidentSummary(
                incident_type=IncidentType.CHILD_PORNOGRAPHY,
                platform=organisation.service,
                incident_date_time=incident.at,
                incident_date_time_description=_about_time(incident),
            ),
            internet_details=tuple(_web_pages(incident)),
            reporter=_reporter(organisation),
            person_or_user_reported=(_account(incident, organisation),) if incident.details else (),
            additional_info=_cut(_summary(incident)),
        ),
        files=tuple(_file(file) for file in incident.files),
    )


def _about_time(incident: Incident) -> str:
    given = any(moment_of(file.details, "uploaded_at") for file in incident.files)
    return "time of the upload" if given else "time at which the content was screened, shortly after the upload"


def _web_pages(incident: Incident) -> Iterator[InternetDetails]:
    addresses = tuple(dict.fromkeys(file.details["url"] for file in incident.files if file.details.get("url")))
    if addresses:
        page = WebPageIncident(url=addresses, third_party_hosted_content=False)
        yield InternetDetails(web_page_incident=page)


def _reporter(organisation: Organisation) -> Reporter:
    email = (Email(address=organisation.contact_email),) if organisation.contact_email else ()
    phone = (Phone(number=organisation.contact_phone),) if organisation.contact_phone else ()
    first, last = organisation.contact_first_name, organisation.contact_last_name
    return Reporter(
        reporting_person=TiplinePerson(first_name=first, last_name=last, email=email, phone=phone),
        contact_person=ContactPerson(first_name=first, last_name=last, email=email, phone=phone),
        company_template=organisation.name,
        terms_of_service=organisation.terms_of_service,
        legal_url=organisation.legal_url,
    )


def _account(incident: Incident, organisation: Organisation) -> PersonOrUserReported:
    said = incident.details
    person = TiplinePerson(
        first_name=said.get("first_name"),
        last_name=said.get("last_name"),
        email=tuple(_email(said)),
        phone=(Phone(number=said["phone"]),) if said.get("phone") else (),
        date_of_birth=date_of(said, "date_of_birth"),
    )
    disabled_at = moment_of(said, "disabled_at")
    country = said.get("country", "")
    return PersonOrUserReported(
        person_or_user_reported_person=None if person == TiplinePerson() else person,
        esp_identifier=said.get("uploader"),
        esp_service=said.get("service") or organisation.service,
        screen_name=said.get("screen_name"),
        display_name=_given(said, "display_name"),
        profile_url=_given(said, "profile_url"),
        profile_bio=said.get("profile_bio"),
        ip_capture_event=tuple(dict.fromkeys(_uploads(incident))),
        device_id=tuple(dict.fromkeys(_devices(incident))),
        prior_ct_reports=incident.prior_numbers,
        account_temporarily_disabled=(
            TemporarilyDisabled(disabled=True, disabled_date=disabled_at) if disabled_at else None
        ),
        estimated_location=EstimatedLocation(country_code=country) if country in COUNTRIES else None,
        additional_info=_cut(_remarks(said if country in COUNTRIES else _moved(said, "country"))),
    )


def _email(said: Mapping[str, str]) -> Iterator[Email]:
    if said.get("email"):
        yield Email(address=said["email"], verified=truth_of(said, "email_verified"))


def _given(said: Mapping[str, str], name: str) -> tuple[str, ...]:
    return (said[name],) if said.get(name) else ()


def _uploads(incident: Incident) -> Iterator[IpCaptureEvent]:
    for file in incident.files:
        if (found := _upload(file.details, file.at)) is not None:
            yield found


def _upload(said: Mapping[str, str], screened_at: datetime) -> IpCaptureEvent | None:
    if not said.get("ip_address"):
        return None
    port = said.get("ip_port")
    return IpCaptureEvent(
        ip_address=said["ip_address"],
        event_name=CaptureEvent.UPLOAD,
        date_time=moment_of(said, "uploaded_at") or screened_at,
        port=int(port) if port else None,
    )


def _devices(incident: Incident) -> Iterator[DeviceId]:
    for file in incident.files:
        said = file.details
        if said.get("device_id"):
            yield DeviceId(
                id_type=said.get("device_type") or "unknown",
                id_value=said["device_id"],
                event_name=CaptureEvent.UPLOAD,
                date_time=moment_of(said, "uploaded_at") or file.at,
            )


def _file(file: IncidentFile) -> DraftFile:
    said = file.details
    details = FileDetails(
        file_name=neutral_name(file),
        original_file_name=said.get("file_name"),
        uploaded_to_esp_timestamp=moment_of(said, "uploaded_at") or file.at,
        location_of_file=said.get("url"),
        file_viewed_by_esp=file.viewed,
        exif_viewed_by_esp=False,
        publicly_available=truth_of(said, "public"),
        file_relevance=FileRelevance.REPORTED,
        industry_classification=_classification(file),
        original_file_hash=(
            FileHash(value=file.md5, hash_type="MD5"),
            FileHash(value=file.sha1, hash_type="SHA1"),
            FileHash(value=file.sha256, hash_type="SHA256"),
        ),
        ip_capture_event=_upload(said, file.at),
        details=tuple(_matched(file)),
    )
    return DraftFile(evidence=file.evidence, md5=file.md5, details=details)


def _classification(file: IncidentFile) -> FileClassification | None:
    return FileClassification(file.label) if file.label in set(FileClassification) else None


def _matched(file: IncidentFile) -> Iterator[Metadata]:
    pairs = tuple(
        NameValuePair(
            name=f"match {number} ({match.signal}): {sentence(match)}; listed by {listed_by(match)}",
            value=match.value,
        )
        for number, match in enumerate(file.matches[:20], 1)
    )
    if pairs:
        yield Metadata(type=MetadataType.HASH, name_value_pair=pairs)


def _summary(incident: Incident) -> str:
    lines = []
    for number, file in enumerate(incident.files, 1):
        if file.matches:
            nearest = min(file.matches, key=lambda match: (match.signal in _PDQ_HASHES, match.distance))
            lines.append(
                f"File {number} was found by its {nearest.signal} hash{_part(nearest.part)}: {sentence(nearest)};"
                f" listed by {listed_by(nearest)}."
            )
        else:
            lines.append(f"File {number} was found without a hash match.")
        if not file.viewed:
            lines[-1] += " Nobody of the company has viewed it."
    if not incident.decided_by_person:
        lines.append("The report was filed on the match alone, before a person of the company looked at it.")
    return "\n".join(lines)


def _part(part: str) -> str:
    return f", inside the file at {part}" if part else ""


def _remarks(said: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in sorted(said.items()) if name not in KNOWN_DETAILS and value)


def _moved(said: Mapping[str, str], name: str) -> dict[str, str]:
    """With a detail among those that are remarks."""
    return {f"{key}{AS_GIVEN}" if key == name else key: value for key, value in said.items()}


def _cut(text: str) -> str | None:
    text = text.strip()
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 10].rstrip() + " … (cut)"
    return text or None
