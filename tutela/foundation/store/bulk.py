"""Many rows at once, straight through the driver: the same statements as SQLAlchemy would make, prepared once."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Table

CHUNK = 500
"""Values in one IN (...): under every database's limit of parameters."""
_ROWS_TOGETHER = 250


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows given as tuples of driver-ready values."""
    mark, names = f"({', '.join([_mark(connection)] * len(columns))})", ", ".join(columns)
    statement = f"INSERT INTO {table.name} ({names}) VALUES "  # noqa: S608
    together = _ROWS_TOGETHER if connection.dialect.name == "sqlite" else 1
    whole = len(rows) - len(rows) % together
    if whole > 0 and together > 1:  # SQLite takes many rows of one statement faster than many statements of one row
        many = statement + ", ".join([mark] * together)
        for begin in range(0, whole, together):
            connection.exec_driver_sql(many, tuple(chain.from_iterable(rows[begin : begin + together])))
        rows = rows[whole:]
    if rows:
        connection.exec_driver_sql(statement + mark, list(rows))


def select_in(
    connection: Connection,
    columns: Sequence[Column[Any]],
    column: Column[Any],
    values: Sequence[Any],
    equal: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """The rows of a table whose column has one of the values, and whose other columns equal what is given."""
    mark, conditions = _mark(connection), dict(equal or {})
    names = ", ".join(item.name for item in columns)
    fixed = "".join(f"{name} = {mark} AND " for name in conditions)
    for begin in range(0, len(values), CHUNK):
        chunk = values[begin : begin + CHUNK]
        marks = ", ".join([mark] * len(chunk))
        statement = f"SELECT {names} FROM {column.table.name} WHERE {fixed}{column.name} IN ({marks})"  # noqa: S608
        yield from connection.exec_driver_sql(statement, (*conditions.values(), *chunk)).all()


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"


def execute_many(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement, written with ? for every value, once for each row of driver-ready values."""
    if rows:
        connection.exec_driver_sql(statement.replace("?", _mark(connection)), list(rows))
