"""Addresses of content in one form, so that what a notice names is found whichever way the platform wrote it."""

import contextlib
import re
import string
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

_TRACKING = re.compile(r"utm_.*|fbclid|gclid")
_UNESCAPED = string.punctuation.replace("%", "").replace("?", "").replace("#", "")
"""What a path may have as it is; anything else is written as %XX."""


def plain_address(text: str) -> str | None:
    """Host, path and query of an http address in one form; None when it is none.

    Equal for addresses that differ in the scheme, `www.`, letter case of the host, international or ASCII form of its
    name, the usual port, a name or password, dot segments, escapes, a slash at the end, the fragment, or parameters
    that only count visits (RFC 3986, section 6.2, and a little more: what it finds is looked at by a person).
    """
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    with contextlib.suppress(UnicodeError):
        host = host.encode("idna").decode()
    place = host.removeprefix("www.") + ("" if port in (None, 80, 443) else f":{port}")
    kept = [(name, value) for name, value in query if not _TRACKING.fullmatch(name)]
    return f"{place}{_plain_path(parts.path)}" + (f"?{urlencode(kept)}" if kept else "")


def _plain_path(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        plain = quote(unquote(segment, errors="surrogateescape"), safe=_UNESCAPED, errors="surrogateescape")
        if plain == "..":
            del kept[-1:]
        elif plain not in ("", "."):
            kept.append(plain)
    return "".join(f"/{segment}" for segment in kept)
