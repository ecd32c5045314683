"""A gateway for Tutela in one file: a netstring of content comes in, `pass` or `refuse` and a name go out.

Netstrings (D. J. Bernstein, 1997) are `LENGTH:CONTENT,`.
"""

import asyncio

from pydantic import Field

from tutela.plugins.gateways import GatewayKind, ListenerOptions, Opening

_BLOCK = 64 * 1024


class NetstringOptions(ListenerOptions):
    """What such a gateway is told, beside what every gateway is."""

    max_length: int = Field(default=64 * 1024 * 1024, description="The longest content that is taken.")


class NetstringGateway:
    """Answers one netstring a connection."""

    def __init__(self, opening: Opening[NetstringOptions]) -> None:
        self._opening = opening
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Begin to answer at the sockets, which listen already."""
        for listener in self._opening.sockets:
            self._servers.append(await asyncio.start_server(self._answer, sock=listener))

    async def stop(self) -> None:
        """Take nothing new; what waits for a verdict is answered, as held where it takes too long."""
        for server in self._servers:
            server.close()
        self._opening.intake.stop()
        for server in self._servers:
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        intake, options = self._opening.intake, self._opening.options
        body = intake.begin()
        try:
            async with asyncio.timeout(options.body_s):
                left = int((await reader.readuntil(b":"))[:-1])
                if not 0 <= left <= options.max_length:
                    raise ValueError("too long")
                while left:
                    part = await reader.readexactly(min(left, _BLOCK))
                    left -= len(part)
                    body.write(memoryview(part))
                    if body.stalled:
                        await body.settle()
                if await reader.readexactly(1) != b",":
                    raise ValueError("no netstring")
            outcome = await intake.judge(body)
            writer.write(b"pass\n" if outcome.allowed else f"refuse {outcome.name}\n".encode())
            await writer.drain()
        except (ValueError, OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            intake.counts.cut.inc()  # nothing whole came, so nothing is said
        finally:
            body.close()
            writer.close()


class _Asking:
    """Asks such a gateway, for `tutela gateway check`."""

    def __init__(self, options: NetstringOptions) -> None:
        self._address = options.listen[0]

    def __call__(self, content: bytes) -> bool:
        with self._address.connect(60.0) as connection:
            connection.sendall(b"%d:%s," % (len(content), content))
            answer = connection.makefile("rb").readline()
        if answer == b"pass\n":
            return True
        if answer.startswith(b"refuse "):
            return False
        raise ValueError(f"the gateway answered {answer!r}")


KIND = GatewayKind("netstring", "an example", NetstringOptions, NetstringGateway, _Asking)
