"""One gateway a round, to be killed in the middle: `python -m tests.support.gateway_rounds HOME NAME SETTINGS`."""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.forked import serve_rounds
from tests.support.gateways import PATIENT, described
from tutela.deployment.composition import compose_deployment
from tutela.gateways.capacity import Semaphore
from tutela.gateways.service import Gateways, listen

UP = "up"
"""A file in the home that says that a round's gateway answers."""


def main() -> None:
    """Serve rounds."""
    home, settings = Path(sys.argv[1]), json.loads(sys.argv[2])

    async def serve() -> None:
        options = described(settings)
        sockets = listen(options)
        with compose_deployment(home, decoders=1, limits=PATIENT) as deployment, ThreadPoolExecutor(8) as threads:
            gateways = Gateways(deployment, options, sockets, Semaphore(8), threads)
            await gateways.start()
            await asyncio.to_thread(deployment.pool.warm)
            (home / UP).touch()
            await asyncio.Event().wait()

    serve_rounds(lambda: asyncio.run(serve()))


if __name__ == "__main__":
    main()
