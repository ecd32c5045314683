"""A page of a feed between two Tutelas: signed as a whole, its records numbered without gaps and chained.

The body is JSON; its Ed25519 signature (RFC 8032) over exactly these bytes is in the header `Tutela-Signature`. Record
n's chain value is SHA-256 of the one before and the record's text, so that a page that was left out, cut short, put in
another order or taken from another history is noticed, and so is an answer to an earlier question (nonce).
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tutela.errors import InputError, TutelaError

FORMAT = "tutela-feed/1"
SIGNATURE = "Tutela-Signature"
BEGINNING = hashlib.sha256(FORMAT.encode()).digest()
"""The chain value before the first record."""


class FeedError(TutelaError):
    """A page is not what its publisher signed, or not what follows what is known."""

    code = "feed"


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some records of a feed."""

    feed: str
    nonce: str
    """The asker's own word, so that an old answer does not pass for a new one."""
    after: int
    """The number of the record before the first one here."""
    chain_before: str
    records: tuple[str, ...]
    chain: str
    """The chain value of the last record here."""
    head: int
    """The number of the publisher's last record."""

    @property
    def last(self) -> int:
        """The number of the last record here."""
        return self.after + len(self.records)


def next_chain(chain: bytes, record: str) -> bytes:
    """The chain value of a record from the one before."""
    return hashlib.sha256(chain + record.encode()).digest()


def sign(page: FeedPage, key: Ed25519PrivateKey) -> tuple[bytes, str]:
    """The body of a page and its signature."""
    document = {
        "format": FORMAT,
        "feed": page.feed,
        "nonce": page.nonce,
        "after": page.after,
        "chain_before": page.chain_before,
        "records": page.records,
        "chain": page.chain,
        "head": page.head,
    }
    body = json.dumps(document, separators=(",", ":")).encode()
    return body, base64.b64encode(key.sign(body)).decode()


def verify(body: bytes, signature: str, key: Ed25519PublicKey, *, feed: str, nonce: str) -> FeedPage:
    """The page that a body is, when its publisher signed it for this question. Raises FeedError."""
    try:
        key.verify(base64.b64decode(signature, validate=True), body)
    except (InvalidSignature, binascii.Error):
        raise FeedError("the page is not signed by the feed's key, or was changed or cut short on its way") from None
    try:
        document = json.loads(body)
        if document["format"] != FORMAT:
            raise FeedError(
                "the feed speaks {format!r}, this version {format_2}", format=document["format"], format_2=FORMAT
            )
        page = FeedPage(
            feed=str(document["feed"]),
            nonce=str(document["nonce"]),
            after=int(document["after"]),
            chain_before=str(document["chain_before"]),
            records=tuple(str(record) for record in document["records"]),
            chain=str(document["chain"]),
            head=int(document["head"]),
        )
    except (ValueError, KeyError, TypeError):
        raise FeedError("the page is signed, and not of the feed's form") from None
    if (page.feed, page.nonce) != (feed, nonce):
        raise FeedError("the page answers another question")
    return page


def check_follows(page: FeedPage, after: int, chain: bytes) -> bytes:
    """The chain value after a page that follows a record. Raises FeedError when it does not follow it."""
    if page.after != after or page.chain_before != chain.hex():
        raise FeedError("the page does not follow record {after}: the publisher's history is another one", after=after)
    for record in page.records:
        chain = next_chain(chain, record)
    if chain.hex() != page.chain or page.head < page.last:
        raise FeedError("the page's records are not those of its chain")
    return chain


def private_key(text: str) -> Ed25519PrivateKey:
    """A signing key: 32 bytes in base64. Raises InputError."""
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip(), validate=True))
    except (ValueError, binascii.Error):
        raise InputError("a signing key is 32 bytes in base64: make one with `tutela feed keygen`") from None


def public_key(text: str) -> Ed25519PublicKey:
    """A feed's public key: 32 bytes in base64. Raises InputError."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except (ValueError, binascii.Error):
        raise InputError("a feed's public key is 32 bytes in base64: its publisher tells it") from None


def public_text(key: Ed25519PrivateKey) -> str:
    """The text of a signing key's public half."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def record_text(fields: Sequence[tuple[str, object]]) -> str:
    """A record's text, the same for the same fields."""
    return json.dumps(dict(fields), separators=(",", ":"), ensure_ascii=True)
