"""Uploads are kept in as much memory as they are long, however they come."""

import asyncio
import tracemalloc
from typing import Any, cast

import pytest
from fastapi import Request

from tutela.api.uploads import receive
from tutela.foundation.allowance import Allowance
from tutela.screening.jobs.service import Jobs


@pytest.mark.slow
def test_an_upload_in_parts_of_two_bytes_takes_little_more_memory_than_its_length():
    count = 200_000
    sent = iter(range(count))

    async def message() -> dict[str, Any]:
        number = next(sent)
        return {"type": "http.request", "body": number.to_bytes(3)[1:], "more_body": number < count - 1}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    with Allowance("memory", 1 << 30).take("somebody", 0) as memory:
        tracemalloc.start()
        found = asyncio.run(receive(Request(scope, message), cast(Jobs, None), 1 << 20, 1 << 21, memory))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    content, _ = cast(tuple[bytes, object], found)
    assert content == b"".join(number.to_bytes(3)[1:] for number in range(count))
    assert most < 4 * len(content)
