"""What the platform said of an uploader, in the form that reports have: addresses, ports, times and mail normalised.

What cannot be read as what its name says keeps its words under another name, and so goes to the remarks of a report:
nothing is lost, and nothing is filed as an address or a time that is none.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from email.utils import parseaddr, parsedate_to_datetime

AS_GIVEN = " (as given)"
"""Behind the name of a detail that could not be read."""
_ENDPOINT = re.compile(r"\[([^\]]+)\](?::(\d{1,5}))?|([0-9.]+):(\d{1,5})")
_MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14
"""Numbers from here on are no seconds: they would be past the year 5000."""


def normalised(given: Mapping[str, str]) -> dict[str, str]:
    """The details as reports take them."""
    said = {name: text.strip() for name, text in given.items() if text.strip()}
    _read_address(said)
    for name, read in _READERS.items():
        if name in said and (text := read(said[name])) != said[name]:
            if text is None:
                said[f"{name}{AS_GIVEN}"] = said.pop(name)
            else:
                said[name] = text
    return said


def moment_of(details: Mapping[str, str], name: str) -> datetime | None:
    """A time that the platform gave, in ISO 8601, as mail has it, or in seconds, milli- or microseconds since 1970.

    None where there is none that can be read. One without a zone is taken for UTC.
    """
    text = details.get(name, "").strip()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            number = float(text)
            scale = 1e6 if number >= _MICROSECONDS_FROM else 1e3 if number >= _MILLISECONDS_FROM else 1.0
            return datetime.fromtimestamp(number / scale, UTC)
        found = _written(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def date_of(details: Mapping[str, str], name: str) -> date | None:
    """A date that the platform gave, in ISO 8601; None where there is none that can be read."""
    try:
        return date.fromisoformat(details.get(name, "").strip())
    except ValueError:
        return None


def truth_of(details: Mapping[str, str], name: str) -> bool | None:
    """A yes or no that the platform gave; None where there is none that can be read."""
    return _TRUTHS.get(details.get(name, "").strip().lower())


def _written(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _read_address(said: dict[str, str]) -> None:
    """The network address, and the port that may stand with it."""
    if "ip_address" not in said:
        return
    given = said.pop("ip_address")
    hops = [hop.strip() for hop in given.split(",")]
    host, port = _endpoint(hops[0])
    if (address := _address(host)) is None:
        said[f"ip_address{AS_GIVEN}"] = given
        return
    said["ip_address"] = address
    if len(hops) > 1:
        said[f"ip_address{AS_GIVEN}"] = given  # a chain of proxies, as X-Forwarded-For has it: the first is whose it is
    if port and "ip_port" not in said:
        said["ip_port"] = port


def _endpoint(text: str) -> tuple[str, str]:
    if (found := _ENDPOINT.fullmatch(text)) is None:
        return text, ""
    return found[1] or found[3], found[2] or found[4] or ""


def _address(text: str) -> str | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])  # without the zone, which means something there only
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _port(text: str) -> str | None:
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536 else None


def _moment(text: str) -> str | None:
    found = moment_of({"": text}, "")
    return found.isoformat() if found is not None else None


def _date(text: str) -> str | None:
    found = date_of({"": text}, "")
    return found.isoformat() if found is not None else None


def _truth(text: str) -> str | None:
    found = truth_of({"": text}, "")
    return None if found is None else str(found).lower()


def _mail(text: str) -> str | None:
    address = parseaddr(text.removeprefix("mailto:"))[1]
    if not _MAIL.fullmatch(address):
        return None
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def _country(text: str) -> str | None:
    code = text.upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None


_READERS: Mapping[str, Callable[[str], str | None]] = {
    "ip_port": _port,
    "uploaded_at": _moment,
    "disabled_at": _moment,
    "date_of_birth": _date,
    "email": _mail,
    "email_verified": _truth,
    "public": _truth,
    "country": _country,
}
"""Each gives the text that reports have; None where it cannot be read."""
