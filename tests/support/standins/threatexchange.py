"""The part of Meta's Graph API that ThreatExchange is: changes of a privacy group, reactions, descriptors."""

import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "12345678|abcdefghijklmnopqrstuvwxyz"
REACTIONS = {"SAW_THIS_TOO", "HELPFUL", "NOT_HELPFUL", "DISAGREE_WITH_TAGS"}
STATUSES = {"MALICIOUS", "NON_MALICIOUS", "SUSPICIOUS", "UNKNOWN"}


@dataclass
class ThreatExchangeStandIn:
    token: str = TOKEN
    group: str = "1012185296055235"
    updates: dict[str, dict[str, Any]] = field(default_factory=dict)
    reactions: dict[str, str] = field(default_factory=dict)
    descriptors: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    largest_page: int = 500
    repeats_records: bool = False
    """Whether a page begins with some of the one before, and is in no order."""
    next_host: str | None = None
    """Where the next page is said to be, instead of here."""
    pages_to_limit: int = 0
    """How many further questions are answered with a rate limit."""

    def put(
        self,
        number: int,
        kind: str,
        indicator: str,
        at: int,
        *,
        deleted: bool = False,
        status: str = "MALICIOUS",
        tags: tuple[str, ...] = (),
        owner: str = "999",
    ) -> None:
        update = {
            "id": str(number),
            "indicator": indicator,
            "type": kind,
            "last_updated": at,
            "creation_time": at,
            "should_delete": deleted,
        }
        if not deleted:
            descriptor = {
                "id": f"7{number}",
                "owner": {"id": owner},
                "status": status,
                "tags": {"data": [{"text": t} for t in tags]},
            }
            update["descriptors"] = {"data": [descriptor]}
        self.updates[str(number)] = update

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v26.0/{group}/threat_updates/", self._updates),
                Route("/v26.0/threat_descriptors", self._share, methods=["POST"]),
                Route("/v26.0/{node}", self._node),
                Route("/v26.0/{node}", self._react, methods=["POST"]),
            ]
        )

    def _refusal(self, token: str | None) -> Response | None:
        if token != self.token:
            error = {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}
            return JSONResponse({"error": error}, 401)
        if self.pages_to_limit > 0:
            self.pages_to_limit -= 1
            return JSONResponse({"error": {"code": 4, "message": "Application request limit reached"}}, 429)
        return None

    def _updates(self, request: Request) -> Response:
        query = request.query_params
        if (refusal := self._refusal(query.get("access_token"))) is not None:
            return refusal
        if request.path_params["group"] != self.group:
            return JSONResponse({"error": {"code": 100, "message": "Unsupported get request"}}, 400)
        start, limit = int(query.get("start_time") or 0), min(int(query.get("limit") or 100), self.largest_page)
        types = set(query["types"].split(",")) if "types" in query else None
        found = sorted(
            (
                update
                for update in list(self.updates.values())
                if update["last_updated"] >= start and (types is None or update["type"] in types)
            ),
            key=_place,
        )
        try:
            after = tuple(map(int, query["after"].split("-"))) if "after" in query else (0, 0)
        except ValueError:
            return JSONResponse({"error": {"code": 100, "message": "Invalid cursor"}}, 400)
        rest = [update for update in found if _place(update) > after]
        page = rest[:limit]
        answer: dict[str, Any] = {"data": page}
        if limit < len(rest):
            last = page[-(limit // 4) - 1 if self.repeats_records else -1]
            again = {**dict(query), "after": "{}-{}".format(*_place(last))}
            base = self.next_host or f"{request.url.scheme}://{request.url.netloc}"
            answer["paging"] = {"next": f"{base}{request.url.path}?{urlencode(again)}"}
        if self.repeats_records:
            random.Random(len(rest)).shuffle(page)
        return JSONResponse(answer)

    def _node(self, request: Request) -> Response:
        if (refusal := self._refusal(request.query_params.get("access_token"))) is not None:
            return refusal
        node = request.path_params["node"]
        if node == self.group:
            return JSONResponse({"id": node, "name": "A group"})
        if node in self.updates:
            return JSONResponse({"id": node, "descriptors": self.updates[node].get("descriptors", {"data": []})})
        return JSONResponse({"error": {"code": 100, "message": "Unsupported get request"}}, 400)

    async def _react(self, request: Request) -> Response:
        form = await request.form()
        if (refusal := self._refusal(str(form.get("access_token")))) is not None:
            return refusal
        node, reaction = request.path_params["node"], str(form.get("reactions"))
        known = {d["id"] for u in self.updates.values() for d in u.get("descriptors", {}).get("data", [])}
        if node not in known or reaction not in REACTIONS:
            return JSONResponse({"error": {"code": 100, "message": "Invalid parameter"}}, 400)
        self.reactions[node] = reaction
        return JSONResponse({"success": True})

    async def _share(self, request: Request) -> Response:
        form = dict(await request.form())
        if (refusal := self._refusal(str(form.pop("access_token", None)))) is not None:
            return refusal
        needed = {"indicator", "type", "description", "share_level", "status", "privacy_type", "privacy_members"}
        if not needed <= set(form) or form["status"] not in STATUSES:
            return JSONResponse({"error": {"code": 100, "message": "Invalid parameter"}}, 400)
        self.descriptors[(str(form["type"]), str(form["indicator"]))] = form
        return JSONResponse({"success": True, "id": str(len(self.descriptors))})


def _place(update: dict[str, Any]) -> tuple[int, int]:
    """Where an update stands: one that changes moves to the end."""
    return update["last_updated"], int(update["id"])
