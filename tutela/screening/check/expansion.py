"""The face of the process that follows shortened links: asked a link, it is waited for, and ended where it does not
answer."""

import json
import os
import select
import subprocess
import sys
import threading

from tutela.screening.check.shortened import TOTAL_S, Led

_PATIENCE_S = 2 * TOTAL_S


class Expander:
    """Asks one process, which is started when it is needed. Thread-safe: one link at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def follow(self, url: str) -> Led:
        """Where a link leads. What cannot be followed is not complete."""
        with self._lock:
            try:
                return self._asked(url)
            except (OSError, ValueError, KeyError, TypeError):
                self._end()
                return Led(complete=False)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _asked(self, url: str) -> Led:
        process = self._process
        if process is None or process.poll() is not None:
            # Nothing of ours goes along: no key, no database, no proxy.
            kept = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE") if name in os.environ}
            process = self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tutela.screening.check.redirects"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=kept,
            )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(url).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE_S)
        if not ready:
            raise OSError("the process does not answer")
        answer = json.loads(process.stdout.readline())
        return Led(tuple(map(str, answer["links"])), bool(answer["complete"]))

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
