"""Where shortened links lead: asked of known shorteners alone, hop by hop, and never of what they lead to.

Runs in a process of its own (`python -m tutela.screening.check.redirects`), a line of JSON in, a line out. Each hop
resolves its host once and connects to that very address, which must be public, whatever the operator permits elsewhere.
HEAD, no body, no cookies, at most five hops and three seconds.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from tutela.foundation.http import trusted_authorities
from tutela.foundation.pinned import Address, CheckedBackend, checked, is_public, public_addresses
from tutela.screening.check.shortened import TOTAL_S, Led, is_shortened, shorteners

MAX_HOPS = 5
MAX_LINK = 16_384
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class RedirectFollower:
    """Follows shortened links, in this process."""

    hosts: frozenset[str] = field(default_factory=shorteners)
    permits: Callable[[Address, int], bool] = lambda address, port: is_public(address)
    total_s: float = TOTAL_S

    def follow(self, url: str) -> Led:
        """Where a link leads; itself excluded. Raises nothing: what cannot be followed is not complete."""
        ends_at = time.monotonic() + self.total_s
        links: list[str] = []
        at = url if "://" in url else f"http://{url}"
        while is_shortened(at, self.hosts):
            if len(links) >= MAX_HOPS or (left := ends_at - time.monotonic()) <= 0:
                return Led(tuple(links), complete=False)
            following = self._next(at, left)
            if following is None:
                return Led(tuple(links), complete=False)
            links.append(following)
            at = following
        return Led(tuple(links))

    def _next(self, url: str, timeout_s: float) -> str | None:
        """Where one link says that it leads."""
        backend = CheckedBackend(lambda host, port: public_addresses(host, port, self.permits))
        deadline = time.monotonic() + timeout_s
        try:
            authorities = trusted_authorities(trust_env=False)
            plain = httpx.Client(trust_env=False, verify=authorities, follow_redirects=False, timeout=timeout_s)
            with checked(plain, backend) as client:
                request = client.build_request("HEAD", url, headers={"User-Agent": "Tutela", "Accept": "*/*"})
                answer = client.send(request, stream=True)
                answer.close()
                if time.monotonic() > deadline or answer.status_code not in _REDIRECTS:
                    return None
                if not (location := answer.headers.get("location", "").strip()):
                    return None
                found = urljoin(url, location)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
            return None
        return found if urlsplit(found).scheme in ("http", "https") and 0 < len(found) <= MAX_LINK else None


def main() -> int:
    """Answer lines until the input ends."""
    follower = RedirectFollower()
    for line in sys.stdin:
        led = follower.follow(str(json.loads(line)))
        sys.stdout.write(json.dumps({"links": led.links, "complete": led.complete}) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
