"""Many rows at once, straight through the driver: the same statements as SQLAlchemy would make, prepared once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table

CHUNK = 500
"""Values in one IN (...): under every database's limit of parameters."""


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows given as tuples of driver-ready values."""
    if rows:
        marks = ", ".join([_mark(connection)] * len(columns))
        names = ", ".join(columns)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608


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
