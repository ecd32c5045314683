"""Ids by their beginning: people copy the eight characters that lists show."""

import re
from typing import Any

from sqlalchemy import Column, Connection, select

from tutela.errors import InputError

_SHORT = re.compile(r"[0-9a-f]{6,64}")


def full_id(connection: Connection, column: Column[Any], text: str) -> str:
    """The one id that begins so; the text itself where none does. Raises InputError where several do.

    The text has at least six hexadecimal digits, as every id of ours that is drawn at random.
    """
    if not _SHORT.fullmatch(text):
        return text
    found = list(connection.execute(select(column).where(column.startswith(text)).limit(3)).scalars())
    if len(found) > 1 and text not in found:
        raise InputError("several ids begin with {text}; give more of it", text=text)
    return str(found[0]) if len(found) == 1 else text
