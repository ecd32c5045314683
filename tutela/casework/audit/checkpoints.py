"""Checkpoints: the audit log's size and root, signed, to be kept where nobody of the house can change them.

The text is a checkpoint in a signed note, as transparency logs publish them; the signature is Ed25519.
https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select

from tutela.casework.audit.log import AuditLog, append
from tutela.casework.audit.merkle import frontier_root
from tutela.errors import InputError
from tutela.foundation.store.database import moment, now
from tutela.foundation.store.evidence_tables import audit_checkpoint, audit_head

_ED25519 = b"\x01"


class CheckpointError(InputError):
    """A text is no checkpoint, or not signed by the key."""

    code = "checkpoint"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who signs checkpoints: a name and an Ed25519 public key."""

    name: str
    raw: bytes

    @property
    def hint(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def text(self) -> str:
        """The key as one line: name+hint+base64."""
        return f"{self.name}+{self.hint.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    @classmethod
    def read(cls, text: str) -> "PublicKey":
        """The key of a line. Raises InputError."""
        parts = text.strip().split("+", 2)
        raw = _base64(parts[2]) if len(parts) == 3 else b""
        if len(raw) != 33 or raw[:1] != _ED25519:
            raise InputError("not a checkpoint key: it looks like name+1a2b3c4d+BASE64")
        key = cls(parts[0], raw[1:])
        if key.hint.hex() != parts[1]:
            raise InputError("a checkpoint key whose parts do not belong together")
        return key


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half."""

    public: PublicKey
    _seed: bytes

    @classmethod
    def generate(cls, name: str) -> "SigningKey":
        """A fresh key. Raises InputError for a name that a note cannot carry."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not name or "+" in name or any(character.isspace() for character in name):
            raise InputError("the name of a checkpoint key has no spaces and no '+'")
        return cls._of(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def read(cls, text: str) -> "SigningKey":
        """The key of a line that `text` made. Raises InputError."""
        parts = text.strip().removeprefix("PRIVATE+KEY+").split("+", 2)
        raw = _base64(parts[2]) if len(parts) == 3 else b""
        if not text.startswith("PRIVATE+KEY+") or len(raw) != 33 or raw[:1] != _ED25519:
            raise InputError("not a private checkpoint key: it looks like PRIVATE+KEY+name+1a2b3c4d+BASE64")
        return cls._of(parts[0], raw[1:])

    @classmethod
    def _of(cls, name: str, seed: bytes) -> "SigningKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(PublicKey(name, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()), seed)

    def text(self) -> str:
        """The key as one line, to be kept secret."""
        return (
            f"PRIVATE+KEY+{self.public.name}+{self.public.hint.hex()}"
            f"+{base64.b64encode(_ED25519 + self._seed).decode()}"
        )

    def sign(self, text: str) -> str:
        """The signed note of a text that ends with a newline."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signature = Ed25519PrivateKey.from_private_bytes(self._seed).sign(text.encode())
        line = base64.b64encode(self.public.hint + signature).decode()
        return f"{text}\n— {self.public.name} {line}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says."""

    origin: str
    """Which log: `tutela/` and the identity of its database."""
    size: int
    root: bytes
    at: datetime

    def text(self) -> str:
        """The text that is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\ntime {self.at.isoformat()}\n"


def read_checkpoint(note: str, key: PublicKey) -> Checkpoint:
    """The checkpoint of a note that the key signed. Raises CheckpointError."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines() if gap else ():
        mark, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        raw = _base64(encoded)
        if mark == "—" and name == key.name and raw[:4] == key.hint:
            try:
                Ed25519PublicKey.from_public_bytes(key.raw).verify(raw[4:], text.encode())
            except InvalidSignature:
                break
            return _parse(text)
    raise CheckpointError("the checkpoint is not signed by this key")


def _parse(text: str) -> Checkpoint:
    lines = text.splitlines()
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
        at = next(datetime.fromisoformat(line[5:]) for line in lines[3:] if line.startswith("time "))
    except (IndexError, ValueError, StopIteration):
        raise CheckpointError("the text is no checkpoint of Tutela") from None
    return Checkpoint(origin, size, root, at)


class Checkpoints:
    """The checkpoints that were made of one log."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self.origin = f"tutela/{log.store.identity}"

    def make(self, key: SigningKey, *, actor: str) -> str:
        """Sign the log as it is now, remember the note, and return it."""
        with self._log.store.write() as connection:
            append(connection, actor, "audit.checkpoint", f"key:{key.public.name}", {"hint": key.public.hint.hex()})
            head = connection.execute(select(audit_head)).one()
            root = frontier_root([bytes.fromhex(one) for one in head.frontier])
            note = key.sign(Checkpoint(self.origin, head.size, root, datetime.now(UTC)).text())
            connection.execute(insert(audit_checkpoint).values(size=head.size, note=note, created_at=now()))
        return note

    def all(self) -> list[str]:
        """Every note, oldest first."""
        query = select(audit_checkpoint.c.note).order_by(audit_checkpoint.c.id)
        with self._log.store.read() as connection:
            return list(connection.execute(query).scalars())

    def latest_at(self) -> datetime | None:
        """When the last one was made."""
        query = select(audit_checkpoint.c.created_at).order_by(audit_checkpoint.c.id.desc()).limit(1)
        with self._log.store.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else moment(found)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
