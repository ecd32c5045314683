"""Pages over ICAP: a request for a listed page is answered with the stop page, 451 and `blocked-by` (RFC 7725).

Any other goes on to the screening of what it carries. Where the lists cannot be searched it is answered 503, not let
through.
"""

from tutela.deployment.composition import Deployment
from tutela.deployment.edge import Edge
from tutela.errors import TutelaError
from tutela.gateways.icap import answers
from tutela.gateways.icap.messages import HttpHeads
from tutela.gateways.pages.options import StopPageOptions
from tutela.gateways.pages.stop_page import StopPage
from tutela.lists.banks.model import BankUse
from tutela.screening.check.counts import What


class PageGuard:
    """Rules on the requests of one ICAP gateway. Thread-safe."""

    def __init__(self, deployment: Deployment) -> None:
        chosen = deployment.doors.get("stop_page")
        options = chosen if isinstance(chosen, StopPageOptions) else StopPageOptions()
        appeals = deployment.casework.appeals
        self._edge = Edge(deployment.store, deployment.banks, deployment.indexes, appeals, dry_run=options.dry_run)
        self._page = StopPage(options, deployment.deterrences, takes_appeals=appeals.taken)

    def start(self) -> None:
        """Write counts in the background until `stop`; the deployment takes list changes in."""
        self._edge.start(refreshes=False)

    def stop(self) -> None:
        """End that."""
        self._edge.stop()

    def passes(self, http: HttpHeads) -> bool:
        """Whether a request is for nothing that is listed: said at once; False where `answer` must be asked."""
        try:
            return all(map(self._edge.passes, _links(http)))
        except TutelaError:
            return False

    def answer(self, http: HttpHeads, tag: str) -> bytes | None:
        """What a request is answered with; None where it goes on."""
        languages = ", ".join(http.header("accept-language", of="req-hdr"))[:1000]
        try:
            for url in _links(http):
                ruled = self._edge.rule(url, BankUse.PROXY)
                if ruled.refused:
                    self._edge.counts.add(ruled.rule_set, What.SHOWN)
                    page = self._page.blocked(self._edge.reference(ruled), languages)
                    return answers.page(tag, 451, self._page.headers(), page)
        except TutelaError:
            return answers.page(tag, 503, self._page.headers(), self._page.not_now(languages))
        return None


def _links(http: HttpHeads) -> list[str]:
    """The links that a request may be for: its target, and where that is a path alone, each Host that it names."""
    first = http.heads.get("req-hdr", b"").split(b"\r\n", 1)[0].decode("utf-8", "surrogateescape").split(" ")
    if len(first) < 2:
        return []
    method, target = first[0], " ".join(first[1:-1]) if len(first) > 2 else first[1]
    if method == "CONNECT":
        return [f"https://{target}/"]
    if not target.startswith("/"):
        return [target]
    return [f"http://{host}{target}" for host in http.header("host", of="req-hdr")]
