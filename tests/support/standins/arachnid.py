"""Project Arachnid's Shield: Basic auth, PDQ hashes in base64, what is known by SHA-1 and SHA-256."""

import base64
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass
class ArachnidStandIn:
    user: str = "shield"
    password: str = "right-password"
    known: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    """By PDQ value: sha1 and sha256 in hexadecimal."""
    asked: list[bytes] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/pdq/", self._pdq, methods=["POST"])])

    async def _pdq(self, request: Request) -> Response:
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"detail": "Invalid username/password."}, 401)
        try:
            texts = (await request.json())["hashes"]
            hashes = [base64.b64decode(text, validate=True) for text in texts]
            assert 0 < len(hashes) <= 100 and all(len(value) == 32 for value in hashes)
        except Exception:
            return JSONResponse({"detail": "hashes: up to 100 PDQ hashes in base64"}, 422)
        self.asked += hashes
        return JSONResponse({"scanned_hashes": {t: self._match(v) for t, v in zip(texts, hashes, strict=True)}})

    def _match(self, value: bytes) -> dict[str, Any]:
        near = [k for k in self.known if (int.from_bytes(k) ^ int.from_bytes(value)).bit_count() <= 31]
        if not near:
            return {"classification": "no-known-match", "match_type": None, "near_match_details": None}
        sha1, sha256 = self.known[near[0]]
        detail = {
            "timestamp": 0.0,
            "sha1_base32": base64.b32encode(bytes.fromhex(sha1)).decode(),
            "sha256_hex": sha256.upper(),
            "classification": "csam",
        }
        return {"classification": "csam", "match_type": "near", "near_match_details": detail}
