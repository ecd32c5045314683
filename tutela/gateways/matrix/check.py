"""Asking a gateway of Matrix' clients as a client does: the home server keeps an encrypted file, which is scanned."""

import base64
import hashlib
import json
import os
from http.client import HTTPConnection, HTTPException
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tutela.foundation.secrets import resolve
from tutela.gateways.listeners import ListenAddress

_ASKED_S = 60.0
_MAX_ANSWER = 64 * 1024
UPLOAD, SCAN = "/_matrix/media/v3/upload", "/_matrix/media_proxy/unstable/scan_encrypted"


class ScanCheck:
    """As `Passes` says."""

    def __init__(self, gateway: ListenAddress, homeserver: ListenAddress, token: str) -> None:
        """`token` is the reference of a user's access token; the file is that user's."""
        self._gateway = gateway
        self._homeserver = homeserver
        self._token = token

    def __call__(self, content: bytes) -> bool:
        if not self._token:
            raise ValueError("`check_token` names no access token of a user as whom a check may upload a file")
        headers = {"Authorization": f"Bearer {resolve(self._token, 'check_token')}"}
        sealed, described = _encrypted(content)
        octets = headers | {"Content-Type": "application/octet-stream"}
        kept = _said(self._homeserver, "the home server", UPLOAD, sealed, octets)
        asked = {"file": described | {"url": str(kept.get("content_uri"))}}
        words = headers | {"Content-Type": "application/json"}
        clean = _said(self._gateway, "the gateway", SCAN, json.dumps(asked).encode(), words).get("clean")
        if not isinstance(clean, bool):
            raise ValueError("the gateway did not say whether the file is clean")
        return clean


def _encrypted(content: bytes) -> tuple[bytes, dict[str, Any]]:
    """Matrix client-server API, "Sending encrypted attachments": the file, and what an event says of it."""
    key, iv = os.urandom(32), os.urandom(8) + bytes(8)
    sealed = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(content)
    return sealed, {
        "v": "v2",
        "key": {"alg": "A256CTR", "ext": True, "k": _letters(key, url=True), "kty": "oct"},
        "iv": _letters(iv),
        "hashes": {"sha256": _letters(hashlib.sha256(sealed).digest())},
    }


def _letters(data: bytes, *, url: bool = False) -> str:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(data).decode().rstrip("=")


def _said(address: ListenAddress, who: str, target: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    connection = HTTPConnection("localhost")
    connection.sock = address.connect(_ASKED_S)
    try:
        connection.request("POST", target, body, headers | {"Connection": "close"})
        answer = connection.getresponse()
        document = json.loads(answer.read(_MAX_ANSWER))
    except HTTPException as error:
        raise ValueError(f"{who} gave no proper answer: {type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(document, dict):
        raise ValueError(f"{who} said {answer.status}")
    return document
