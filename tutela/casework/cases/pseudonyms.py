"""Keyed pseudonyms: equal for equal names of one deployment, and without its key nothing else can be read from them."""

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, select

from tutela.foundation.store.database import insert_once
from tutela.foundation.store.tables import meta

_KEY = "pseudonym-key"


def pseudonym(connection: Connection, name: str) -> str:
    """The pseudonym of a name; the key is made on first use."""
    connection.execute(insert_once(connection, meta, {"name": _KEY, "value": secrets.token_hex(32)}))
    found = known_pseudonym(connection, name)
    assert found is not None
    return found


def known_pseudonym(connection: Connection, name: str) -> str | None:
    """The pseudonym that a name has; None where no name has one yet."""
    key = connection.execute(select(meta.c.value).where(meta.c.name == _KEY)).scalar_one_or_none()
    if key is None:
        return None
    return hmac.digest(bytes.fromhex(key), name.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()
