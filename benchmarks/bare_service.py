"""`python -m benchmarks.bare_service PORT`: an application that does nothing, served as Tutela's is.

What it takes is what the server, the sockets and a noisy machine take: a control for what is measured over HTTP.
"""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

_ANSWER = b'{"answer":"allow"}'
_HEAD = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and answer what is always the same."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
    await send({"type": "http.response.body", "body": _ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        http="tutela.foundation.receiver:Receiver",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
    )
