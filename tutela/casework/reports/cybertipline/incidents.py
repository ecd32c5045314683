"""Where an incident happened: the eight kinds of `internetDetails`, of which each record has exactly one."""

from dataclasses import dataclass

from tutela.casework.reports.cybertipline.elements import Element, attribute, exactly_one
from tutela.casework.reports.cybertipline.people import Address, Email, IpCaptureEvent, Phone


@dataclass(frozen=True, kw_only=True)
class WebPageIncident(Element):
    """On a web page."""

    url: tuple[str, ...] = ()
    additional_info: str | None = None
    third_party_hosted_content: bool | None = attribute()


@dataclass(frozen=True, kw_only=True)
class EmailIncident(Element):
    """By e-mail."""

    email_address: tuple[Email, ...] = ()
    content: str | None = None
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewsgroupIncident(Element):
    """In a newsgroup."""

    name: str | None = None
    email_address: tuple[Email, ...] = ()
    content: str | None = None
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChatImIncident(Element):
    """In a chat."""

    chat_client: str | None = None
    chat_room_name: str | None = None
    content: str | None = None
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class OnlineGamingIncident(Element):
    """In an online game."""

    game_name: str | None = None
    console: str | None = None
    content: str | None = None
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class CellPhoneIncident(Element):
    """By a mobile phone. Latitude is north and longitude is east, in degrees."""

    phone_number: Phone | None = None
    latitude: float | None = None
    longitude: float | None = None
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class NonInternetIncident(Element):
    """Away from any network."""

    location_name: str | None = None
    incident_address: tuple[Address, ...] = ()
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class Peer2PeerIncident(Element):
    """In a peer-to-peer network."""

    client: str | None = None
    ip_capture_event: tuple[IpCaptureEvent, ...] = ()
    file_names: str | None = None
    additional_info: str | None = None


@dataclass(frozen=True, kw_only=True)
class InternetDetails(Element):
    """One record of where the incident happened. Give exactly one; raises InputError otherwise."""

    web_page_incident: WebPageIncident | None = None
    email_incident: EmailIncident | None = None
    newsgroup_incident: NewsgroupIncident | None = None
    chat_im_incident: ChatImIncident | None = None
    online_gaming_incident: OnlineGamingIncident | None = None
    cell_phone_incident: CellPhoneIncident | None = None
    non_internet_incident: NonInternetIncident | None = None
    peer2peer_incident: Peer2PeerIncident | None = None

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        exactly_one(self)
