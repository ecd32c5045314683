"""A whole CyberTipline report, as `POST /submit` takes it, and a file's details, as `POST /fileinfo` takes them."""

from dataclasses import dataclass, replace
from datetime import datetime

from tutela.casework.reports.cybertipline.elements import Element, attribute, content, document, element
from tutela.casework.reports.cybertipline.incidents import InternetDetails
from tutela.casework.reports.cybertipline.people import (
    AssociatedAccount,
    ContactPerson,
    DeviceId,
    EstimatedLocation,
    IpCaptureEvent,
    PermanentlyDisabled,
    TemporarilyDisabled,
    TiplinePerson,
)
from tutela.casework.reports.cybertipline.vocabulary import (
    BatchReason,
    FileAnnotation,
    FileClassification,
    FileRelevance,
    IncidentType,
    MetadataType,
    ReportAnnotation,
    check_country,
)
from tutela.errors import InputError


@dataclass(frozen=True, kw_only=True)
class BatchedReport(Element):
    """The report stands for several."""

    reason: BatchReason = attribute(required=True)


@dataclass(frozen=True, kw_only=True)
class IncidentSummary(Element):
    """What happened, and when. Say in `escalate_to_high_priority` why a child is in danger now, or leave it out."""

    incident_type: IncidentType
    platform: str | None = None
    escalate_to_high_priority: str | None = None
    report_annotations: frozenset[ReportAnnotation] = frozenset()
    incident_date_time: datetime
    incident_date_time_description: str | None = None


@dataclass(frozen=True, kw_only=True)
class LegalProcessAbroad(Element):
    """Whether a foreign authority served legal process, and of which country."""

    served: bool = content()
    flea_country: str | None = attribute()

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        check_country(self.flea_country)


@dataclass(frozen=True, kw_only=True)
class LawEnforcement(Element):
    """The agency that knows of the incident already."""

    agency_name: str
    case_number: str | None = None
    officer_contact: ContactPerson | None = None
    reported_to_le: bool | None = None
    served_legal_process_domestic: bool | None = None
    served_legal_process_international: LegalProcessAbroad | None = None


@dataclass(frozen=True, kw_only=True)
class Reporter(Element):
    """Who reports, and whom to ask."""

    reporting_person: TiplinePerson
    contact_person: ContactPerson | None = None
    company_template: str | None = None
    terms_of_service: str | None = None
    legal_url: str | None = element("legalURL")


@dataclass(frozen=True, kw_only=True)
class PersonOrUserReported(Element):
    """The account or person that is reported."""

    person_or_user_reported_person: TiplinePerson | None = None
    vehicle_description: str | None = None
    esp_identifier: str | None = None
    esp_service: str | None = None
    compromised_account: bool | None = None
    screen_name: str | None = None
    display_name: tuple[str, ...] = ()
    profile_url: tuple[str, ...] = ()
    profile_bio: str | None = None
    ip_capture_event: tuple[IpCaptureEvent, ...] = ()
    device_id: tuple[DeviceId, ...] = ()
    third_party_user_reported: bool | None = None
    prior_ct_reports: tuple[int, ...] = element("priorCTReports", ())
    group_identifier: str | None = None
    account_temporarily_disabled: TemporarilyDisabled | None = None
    account_permanently_disabled: PermanentlyDisabled | None = None
    estimated_location: EstimatedLocation | None = None
    all_emails_reported: bool | None = None
    associated_account: tuple[AssociatedAccount, ...] = ()
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class IntendedRecipient(Element):
    """Somebody to whom the content was sent."""

    intended_recipient_person: TiplinePerson | None = None
    esp_identifier: str | None = None
    esp_service: str | None = None
    compromised_account: bool | None = None
    screen_name: str | None = None
    display_name: tuple[str, ...] = ()
    profile_url: tuple[str, ...] = ()
    profile_bio: str | None = None
    ip_capture_event: tuple[IpCaptureEvent, ...] = ()
    device_id: tuple[DeviceId, ...] = ()
    prior_ct_reports: tuple[int, ...] = element("priorCTReports", ())
    group_identifier: str | None = None
    account_temporarily_disabled: TemporarilyDisabled | None = None
    account_permanently_disabled: PermanentlyDisabled | None = None
    estimated_location: EstimatedLocation | None = None
    all_emails_reported: bool | None = None
    additional_info: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Victim(Element):
    """A child who is harmed, as far as the company knows."""

    victim_person: TiplinePerson
    esp_identifier: str | None = None
    esp_service: str | None = None
    compromised_account: bool | None = None
    screen_name: str | None = None
    display_name: tuple[str, ...] = ()
    profile_url: tuple[str, ...] = ()
    profile_bio: str | None = None
    ip_capture_event: tuple[IpCaptureEvent, ...] = ()
    device_id: tuple[DeviceId, ...] = ()
    school_name: str | None = None
    prior_ct_reports: tuple[int, ...] = element("priorCTReports", ())
    account_temporarily_disabled: TemporarilyDisabled | None = None
    account_permanently_disabled: PermanentlyDisabled | None = None
    estimated_location: EstimatedLocation | None = None
    all_emails_reported: bool | None = None
    associated_account: tuple[AssociatedAccount, ...] = ()
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class Report(Element):
    """A CyberTipline report without its files."""

    batched_report: BatchedReport | None = None
    incident_summary: IncidentSummary
    internet_details: tuple[InternetDetails, ...] = ()
    law_enforcement: LawEnforcement | None = None
    reporter: Reporter
    person_or_user_reported: tuple[PersonOrUserReported, ...] = ()
    intended_recipient: tuple[IntendedRecipient, ...] = ()
    victim: tuple[Victim, ...] = ()
    additional_info: str | None = None

    def xml(self) -> bytes:
        """The document that `POST /submit` takes."""
        return document(self, "report")


@dataclass(frozen=True, kw_only=True)
class FileHash(Element):
    """A hash of the file as the uploader sent it."""

    value: str = content()
    hash_type: str = attribute(required=True)


@dataclass(frozen=True, kw_only=True)
class NameValuePair(Element):
    """One piece of a file's metadata."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Metadata(Element):
    """A file's metadata. Raises InputError when there is none."""

    name_value_pair: tuple[NameValuePair, ...]
    type: MetadataType | None = attribute()

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        if not self.name_value_pair:
            raise InputError("metadata of a file needs at least one name and value")


@dataclass(frozen=True, kw_only=True)
class FileDetails(Element):
    """What is known about an uploaded file.

    `report_id` and `file_id` are given out by the server, and set just before these details are sent. The schema takes
    `potential_meme` or `file_annotations`, not both; raises InputError for both.
    """

    report_id: int = 0
    file_id: str = ""
    file_name: str | None = None
    original_file_name: str | None = None
    uploaded_to_esp_timestamp: datetime | None = None
    location_of_file: str | None = None
    file_viewed_by_esp: bool | None = None
    exif_viewed_by_esp: bool | None = None
    publicly_available: bool | None = None
    file_relevance: FileRelevance | None = None
    potential_meme: bool | None = None
    file_annotations: frozenset[FileAnnotation] = frozenset()
    industry_classification: FileClassification | None = None
    original_file_hash: tuple[FileHash, ...] = ()
    ip_capture_event: IpCaptureEvent | None = None
    device_id: tuple[DeviceId, ...] = ()
    details: tuple[Metadata, ...] = ()
    additional_info: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        if self.potential_meme is not None and self.file_annotations:
            raise InputError("give potential_meme or file_annotations, not both: the schema takes one of them")

    def of(self, report_id: int, file_id: str) -> "FileDetails":
        """These details for the file of that number in that report."""
        return replace(self, report_id=report_id, file_id=file_id)

    def xml(self) -> bytes:
        """The document that `POST /fileinfo` takes."""
        return document(self, "fileDetails")
