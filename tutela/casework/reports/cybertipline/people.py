"""People, accounts and what they used: the parts of a CyberTipline report that several of its sections share."""

from dataclasses import dataclass
from datetime import date, datetime

from tutela.casework.reports.cybertipline.elements import Element, attribute, content, element, small_integer
from tutela.casework.reports.cybertipline.vocabulary import (
    AddressType,
    AssociatedAccountType,
    CaptureEvent,
    EmailType,
    PhoneType,
    check_calling_code,
    check_country,
    check_extension,
    check_state,
)


@dataclass(frozen=True, kw_only=True)
class Phone(Element):
    """A phone number. Raises InputError for a calling code or an extension of another form."""

    number: str = content()
    type: PhoneType | None = attribute()
    verified: bool | None = attribute()
    verification_date: datetime | None = attribute()
    country_calling_code: str | None = attribute()
    extension: str | None = attribute()

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        check_calling_code(self.country_calling_code)
        check_extension(self.extension)


@dataclass(frozen=True, kw_only=True)
class Email(Element):
    """An e-mail address."""

    address: str = content()
    type: EmailType | None = attribute()
    verified: bool | None = attribute()
    verification_date: datetime | None = attribute()


@dataclass(frozen=True, kw_only=True)
class Address(Element):
    """A postal address. Raises InputError for a state or country that the schema does not know."""

    address: str | None = None
    city: str | None = None
    zip_code: str | None = None
    state: str | None = None
    non_usa_state: str | None = None
    country: str | None = None
    type: AddressType | None = attribute()

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        check_state(self.state)
        check_country(self.country)


@dataclass(frozen=True, kw_only=True)
class ContactPerson(Element):
    """Somebody to ask."""

    first_name: str | None = None
    last_name: str | None = None
    phone: tuple[Phone, ...] = ()
    email: tuple[Email, ...] = ()
    address: tuple[Address, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TiplinePerson(ContactPerson):
    """Somebody reported, reporting, or harmed."""

    age: int | None = small_integer()
    date_of_birth: date | None = None


@dataclass(frozen=True, kw_only=True)
class IpCaptureEvent(Element):
    """An address on the network, and when it was used for what."""

    ip_address: str
    event_name: CaptureEvent | None = None
    date_time: datetime | None = None
    possible_proxy: bool | None = None
    port: int | None = small_integer()


@dataclass(frozen=True, kw_only=True)
class DeviceId(Element):
    """A device, and when it was used for what."""

    id_type: str
    id_value: str
    event_name: CaptureEvent | None = None
    date_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class EstimatedLocation(Element):
    """Where somebody is thought to be."""

    city: str | None = None
    region: str | None = None
    country_code: str | None = None
    verified: bool | None = attribute()
    timestamp: datetime | None = attribute()

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        check_country(self.country_code)


@dataclass(frozen=True, kw_only=True)
class TemporarilyDisabled(Element):
    """Whether an account was disabled for a time."""

    disabled: bool = content()
    disabled_date: datetime | None = attribute()
    user_notified: bool | None = attribute()
    user_notified_date: datetime | None = attribute()
    reenabled_date: datetime | None = attribute()


@dataclass(frozen=True, kw_only=True)
class PermanentlyDisabled(Element):
    """Whether an account was disabled for good."""

    disabled: bool = content()
    disabled_date: datetime | None = attribute()
    user_notified: bool | None = attribute()
    user_notified_date: datetime | None = attribute()


@dataclass(frozen=True, kw_only=True)
class Platform(Element):
    """The application that an associated account belongs to."""

    name: str = content()
    third_party_user: bool | None = attribute()


@dataclass(frozen=True, kw_only=True)
class AssociatedAccount(Element):
    """Another account that belongs to the reported or harmed person."""

    platform: Platform | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    approximate_age: int | None = small_integer()
    date_of_birth: date | None = None
    phone: tuple[Phone, ...] = ()
    email: tuple[Email, ...] = ()
    all_emails_reported: bool | None = None
    address: tuple[Address, ...] = ()
    esp_service: str | None = None
    esp_identifier: str | None = None
    profile_url: tuple[str, ...] = ()
    screen_name: str | None = None
    display_name: tuple[str, ...] = ()
    profile_bio: str | None = None
    group_identifier: str | None = None
    compromised_account: bool | None = None
    account_temporarily_disabled: TemporarilyDisabled | None = None
    account_permanently_disabled: PermanentlyDisabled | None = None
    ip_capture_event: tuple[IpCaptureEvent, ...] = ()
    device_id: tuple[DeviceId, ...] = ()
    prior_ct_report: tuple[int, ...] = element("priorCTReport", ())
    additional_info: str | None = None
    type: AssociatedAccountType = attribute(required=True)
