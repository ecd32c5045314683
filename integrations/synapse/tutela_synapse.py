"""A module for Synapse: every file that comes to the media repository is screened by Tutela before it is stored.

Uploads, files of other servers, thumbnails, and pictures of pages' previews: all come through one callback of Synapse.
It asks Tutela's gateway of the kind `askers`. What is not allowed is refused; where Tutela does not answer, Synapse
answers 500 and stores nothing.
"""

import http.client
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from synapse.module_api import NOT_SPAM, ModuleApi
from synapse.module_api.errors import Codes, ConfigError

if TYPE_CHECKING:
    from synapse.media._base import FileInfo
    from synapse.media.media_storage import ReadableFileWrapper

log = logging.getLogger(__name__)

_REFUSED = frozenset({403, 422})
_MAX_ANSWER = 4096


class TutelaError(Exception):
    """Tutela gave no answer: the file is not stored."""


@dataclass(frozen=True)
class Settings:
    """What `modules` in homeserver.yaml says."""

    host: str
    port: int
    timeout_s: float = 60.0


class TutelaModule:
    """Asks Tutela about every file."""

    def __init__(self, settings: Settings, api: ModuleApi) -> None:
        self._settings = settings
        self._api = api
        api.register_spam_checker_callbacks(check_media_file_for_spam=self.check_media_file_for_spam)

    @staticmethod
    def parse_config(config: dict[str, Any]) -> Settings:
        """The settings. Raises ConfigError."""
        unknown = set(config) - {"url", "timeout_s"}
        if unknown:
            raise ConfigError(f"tutela_synapse knows `url` and `timeout_s`, not {', '.join(sorted(unknown))}")
        address = urlsplit(str(config.get("url", "")))
        if address.scheme != "http" or not address.hostname or address.path.strip("/"):
            raise ConfigError("tutela_synapse: `url` is the address of Tutela's gateway, such as http://127.0.0.1:8092")
        try:
            timeout_s = float(config.get("timeout_s", 60.0))
        except (TypeError, ValueError):
            timeout_s = 0.0
        if timeout_s <= 0:
            raise ConfigError("tutela_synapse: `timeout_s` is a number of seconds")
        return Settings(address.hostname, address.port or 80, timeout_s)

    async def check_media_file_for_spam(self, file_wrapper: "ReadableFileWrapper", file_info: "FileInfo") -> Any:
        """What Synapse does with a file: NOT_SPAM, or the code that it refuses it with. Raises TutelaError."""
        status, said = await self._api.defer_to_thread(_ask, self._settings, file_wrapper.path)
        if status == 200:
            return NOT_SPAM
        if status in _REFUSED:
            log.info("file %s of %s is refused: %s", file_info.file_id, file_info.server_name or "this server", said)
            return Codes.FORBIDDEN
        raise TutelaError(f"Tutela answered {status}")


def _ask(settings: Settings, path: str) -> tuple[int, str]:
    """The status and the words of Tutela's answer. Raises TutelaError."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=settings.timeout_s)
    try:
        with Path(path).open("rb") as file:
            headers = {"Content-Length": str(os.fstat(file.fileno()).st_size)}
            connection.request("POST", "/content", file, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MAX_ANSWER).decode("ascii", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise TutelaError(f"Tutela does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
