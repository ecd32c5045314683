"""Outside hash lists: pulled into banks, and given back to. Needs the extra `tutela[exchanges]`."""

from functools import cache
from importlib.util import find_spec

__all__ = [
    "answers",
    "base",
    "feed_wire",
    "feedback",
    "feeds",
    "hygiene",
    "inquiry",
    "installed",
    "puller",
    "registry",
    "remote_options",
    "schedule",
    "service",
]


@cache
def installed() -> bool:
    """Whether what the extra `tutela[exchanges]` brings is there."""
    return all(find_spec(name) is not None for name in ("httpx", "lxml", "cryptography"))
