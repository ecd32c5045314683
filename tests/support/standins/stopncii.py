"""StopNCII's API: a key an endpoint beside the subscription's, pages by a token that belongs to its run."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

VALUES = {"None", "PendingReview", "Blocked", "NotBlocked", "Withdrawn", "Deleted", "QualityUnknown"}
TYPES = {"ImagePDQ", "VideoMD5", "VideoTMK", "Text", "URL"}


@dataclass
class StopNciiStandIn:
    subscription: str = "subscription-key"
    keys: dict[str, str] = field(
        default_factory=lambda: {"FetchHashes": "fk", "SubmitFeedback": "bk", "SubmitHashes": "sk"}
    )
    records: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    feedback: dict[str, dict[str, Any]] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    largest_page: int = 800
    repeats_records: bool = False
    """Whether a page begins with some of the one before, and is in no order."""
    epoch: int = 0
    """Changed to make every token of before unknown."""

    def put(self, kind: str, value: str, status: str = "Active", at: int = 1_700_000_000, **votes: str) -> None:
        self.records[(kind, value)] = {
            "lastModtimestamp": at,
            "signalType": kind,
            "hashValue": value,
            "hashStatus": status,
            "caseNumbers": {"case-1": status},
            "CSPFeedbacks": [{"feedbackValue": v, "tags": [], "source": s} for s, v in votes.items()],
        }

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/FetchHashes", self._fetch),
                Route("/v1/SubmitFeedback", self._take_feedback, methods=["POST"]),
                Route("/v1/SubmitHashes", self._take_hashes, methods=["POST"]),
            ]
        )

    def _refusal(self, request: Request, endpoint: str) -> Response | None:
        if request.headers.get("ocp-apim-subscription-key") != self.subscription:
            return JSONResponse({"statusCode": 401, "message": "Access denied"}, 401)
        if request.headers.get("x-functions-key") != self.keys[endpoint]:
            return Response(status_code=401)
        return None

    def _fetch(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "FetchHashes")) is not None:
            return refusal
        query = request.query_params
        try:
            since, size = int(query["startTimestamp"]), int(query["pageSize"])
            token = json.loads(query.get("nextPageToken", "null"))
        except (KeyError, ValueError):
            return Response("startTimestamp and pageSize are numbers", 400)
        if since < 10 or not 1 <= size <= 800:
            return Response("startTimestamp from 10, pageSize to 800", 400)
        size = min(size, self.largest_page)
        if token is not None and token.get("of") != [since, self.epoch]:
            return Response("the token is of another run", 400)
        found = sorted((r for r in list(self.records.values()) if r["lastModtimestamp"] >= since), key=_place)
        rest = [r for r in found if token is None or _place(r) > tuple(token["after"])]
        page, more = rest[:size], size < len(rest)
        last = page[-(size // 4) - 1 if self.repeats_records else -1] if more else None
        if self.repeats_records:
            random.Random(len(rest)).shuffle(page)
        latest = max((r["lastModtimestamp"] for r in found), default=since)
        return JSONResponse(
            {
                "count": len(page),
                "nextPageToken": json.dumps({"of": [since, self.epoch], "after": _place(last)}) if last else None,
                "nextSetTimestamp": latest,
                "hasMoreRecords": more,
                "hashRecords": page,
            }
        )

    async def _take_feedback(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "SubmitFeedback")) is not None:
            return refusal
        body = await request.json()
        found = body.get("hashFeedbacks")
        if body.get("count") != len(found or ()) or not found:
            return Response("count", 400)
        known = {value for _, value in self.records}
        if any(item["feedbackValue"] not in VALUES or item["hashValue"] not in known for item in found):
            return Response("feedbackValue or hashValue", 400)
        self.feedback |= {item["hashValue"]: item for item in found}
        return JSONResponse({})

    async def _take_hashes(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "SubmitHashes")) is not None:
            return refusal
        body = await request.json()
        found = body.get("hashRecords")
        if body.get("count") != len(found or ()) or any(item["signalType"] not in TYPES for item in found):
            return Response("count or signalType", 400)
        self.submitted += found
        return JSONResponse({})


def _place(record: dict[str, Any]) -> tuple[int, str, str]:
    """Where a record stands: one that changes moves to the end."""
    return record["lastModtimestamp"], record["signalType"], record["hashValue"]
