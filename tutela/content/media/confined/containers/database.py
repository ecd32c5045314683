"""What data hold: values of SQLite, which long ones spread over pages, and of property lists; arrays, which draw.

The file format of SQLite 3; numpy.lib.format.
"""

import contextlib
import io
import math
import plistlib
import sqlite3
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.decode import luma_of
from tutela.content.media.confined.parts import InnerFile, InnerPicture, Part
from tutela.content.media.content import Content, Picture
from tutela.content.media.sniff import sniff

_LEAST = 256
"""Bytes of a value that may be a file."""
_LONGEST = 256 * 1024 * 1024
"""Of a value, which a column may compute."""
_STEPS = 10_000
_SMALLEST = 64
"""Fields along each side of an array that may be a picture."""
_CHANNELS = (1, 3, 4)


def values_of(content: Content, budget: Budget) -> Iterator[Part]:
    """Every long value of every table of an SQLite database."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(bytes(content.data))
        database.execute("pragma trusted_schema = off")
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        database.set_progress_handler(lambda: _out_of_time(budget), _STEPS)
        texts: list[str] = []
        for value in _long_values(database):
            budget.spend_bytes(len(value))
            if isinstance(value, str):
                texts.append(value)
            elif sniff(value) is not None:
                yield InnerFile("value", value, speculative=True)
            else:
                yield from carve(memoryview(value), budget)
        if texts:
            yield InnerFile("texts", "\n".join(texts).encode(), speculative=True)
        budget.check_time()


def _long_values(database: sqlite3.Connection) -> Iterator[bytes | str]:
    tables = [str(name) for (name,) in database.execute("select name from sqlite_schema where type = 'table'")]
    for table in tables:
        quoted = table.replace('"', '""')
        # Virtual tables need modules that are not there: their own tables have what they hold.
        with contextlib.suppress(sqlite3.OperationalError):
            for row in database.execute(f'select * from "{quoted}"'):  # noqa: S608 - quoted above
                yield from (value for value in row if isinstance(value, (bytes, str)) and len(value) >= _LEAST)


def _out_of_time(budget: Budget) -> bool:
    """Whether the database's own work is to end; it is told where the budget is asked next."""
    try:
        budget.check_time()
    except Exception:
        return True
    return False


def of_property_list(content: Content, budget: Budget) -> Iterator[Part]:
    """Every long value of a binary property list; a page that was saved is one."""
    try:
        waiting: list[object] = [plistlib.loads(bytes(content.data), fmt=plistlib.FMT_BINARY)]
    except (plistlib.InvalidFileException, ValueError, RecursionError):
        return  # no program reads it either; it was searched for signatures
    seen: set[int] = set()  # one that refers to itself
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            budget.check_time()
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, (bytes, str)) and len(value) >= _LEAST:
            data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
            budget.spend_bytes(len(data))
            yield InnerFile("value", data, speculative=True)


def picture_of(content: Content, budget: Budget) -> Iterator[Part]:
    """The array as programs show one: its least number black, its greatest white; bytes as they are."""
    array = np.load(io.BytesIO(content.data), allow_pickle=False)
    if array.dtype.kind not in "buif" or array.size == 0:
        return
    budget.spend_bytes(math.prod(array.shape))
    for number, sheet in enumerate(_sheets(array), start=1):
        budget.spend_part()
        yield InnerPicture(f"array {number}", _shown(sheet))


def _sheets(array: npt.NDArray[np.generic]) -> Iterator[npt.NDArray[np.generic]]:
    """Each picture of (…, height, width), with channels last or first, or none."""
    last, first = array.ndim >= 3 and array.shape[-1] in _CHANNELS, array.ndim >= 3 and array.shape[-3] in _CHANNELS
    if not last and first:
        array = np.moveaxis(array, -3, -1)
    elif not last:
        array = array[..., np.newaxis]
    if array.ndim < 3 or min(array.shape[-3:-1]) < _SMALLEST:
        return
    yield from array.reshape(-1, *array.shape[-3:])


def _shown(sheet: npt.NDArray[np.generic]) -> Picture:
    from PIL import Image

    numbers = np.nan_to_num(sheet.astype(np.float64), posinf=0.0, neginf=0.0)
    if sheet.dtype != np.uint8:
        low, high = numbers.min(), numbers.max()
        numbers = (numbers - low) * (255 / (high - low) if high > low else 0)
    eight = numbers.astype(np.uint8)
    image = Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight[..., :3])
    return luma_of(image)
