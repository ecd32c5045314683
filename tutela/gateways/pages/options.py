"""The section [stop_page]: who blocks and why, where its page is reached, and how long new entries run dry."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from tutela.foundation.options import require, require_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPageOptions:
    """What people are shown in place of a blocked page or name."""

    organisation: str = ""
    """Who blocks, under the name that customers know."""
    site: str = ""
    """The organisation's own page about blocking; named as `blocked-by` (RFC 7725)."""
    ground: str = ""
    """On what ground: the law, or the list's owner and the agreement with them."""
    contact: str = ""
    """An e-mail address for anyone who cannot use the form."""
    country: str = ""
    """The country whose helplines come first: an ISO 3166-1 code such as GB."""
    address: str = "http://localhost:8085"
    """Where browsers reach the page itself, for appeals and for redirects: a scheme and a host."""
    host: str = "127.0.0.1"
    """Address that it listens on."""
    port: int = 8085
    """Port that it listens on."""
    dry_run_minutes: int = 60
    """So long a new entry is counted at a proxy and refuses nothing."""
    appeals_rate: str = "60/hour"
    """Appeals that a process takes; more is an attack, and people must be able to look at each."""

    def __post_init__(self) -> None:
        require(1 <= self.port <= 65535, "port", "must be from 1 to 65535")
        require(0 <= self.dry_run_minutes <= 7 * 24 * 60, "dry_run_minutes", "must be from 0 to 10080")
        require_rate(self.appeals_rate, "appeals_rate")
        require(self.country == "" or (len(self.country) == 2 and self.country.isalpha()), "country", "must be a code")
        require(self.contact == "" or _is_mail(self.contact), "contact", "must be an e-mail address")
        for key in ("address", "site"):
            text = getattr(self, key)
            rule = "must be an address such as http://stop.example"
            require((key == "site" and not text) or _is_address(text), key, rule)
        require(urlsplit(self.address).path in ("", "/"), "address", "must be a scheme and a host, without a path")
        object.__setattr__(self, "address", self.address.rstrip("/"))

    @property
    def dry_run(self) -> timedelta:
        """How long a new entry runs dry."""
        return timedelta(minutes=self.dry_run_minutes)


def _is_mail(text: str) -> bool:
    name, at, host = text.partition("@")
    return bool(name and at and host) and text.isascii() and not any(character in " \"'<>\r\n\t" for character in text)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    plain = text.isascii() and not any(character in " \"'<>\\;,\r\n\t" for character in text)
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)
