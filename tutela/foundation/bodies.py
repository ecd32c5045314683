"""The limit of a request's body, in ASGI: no application reads more than it allows, whatever the request declares."""

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive


class TooLongError(HTTPException):
    """A body is longer than its limit. An `HTTPException`, which frameworks pass on from where they read bodies."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413, f"the body is longer than {max_bytes:,} bytes")


def check_declared(length: str, max_bytes: int) -> None:
    """Raise TooLongError where a Content-Length declares more than may come."""
    if length.isdecimal() and int(length) > max_bytes:
        raise TooLongError(max_bytes)


def within(receive: Receive, max_bytes: int) -> Receive:
    """The messages of a request whose body has at most so many bytes; the one that goes beyond raises TooLongError."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > max_bytes:
            raise TooLongError(max_bytes)
        return message

    return receiving
