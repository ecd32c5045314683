"""Attachments as Matrix' clients encrypt them (client-server API, "Sending encrypted attachments")."""

import base64
import hashlib
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def encrypted(content: bytes, place: str) -> tuple[bytes, dict[str, object]]:
    """What is uploaded, and what an event says of it; `place` is server and id."""
    key, iv = os.urandom(32), os.urandom(8) + bytes(8)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    sealed = encryptor.update(content) + encryptor.finalize()
    named_key = base64.urlsafe_b64encode(key).decode().rstrip("=")
    return sealed, {
        "v": "v2",
        "key": {"alg": "A256CTR", "ext": True, "k": named_key, "key_ops": ["encrypt", "decrypt"], "kty": "oct"},
        "iv": _base64(iv),
        "hashes": {"sha256": _base64(hashlib.sha256(sealed).digest())},
        "url": f"mxc://{place}",
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
