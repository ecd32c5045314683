"""The kinds of media servers, and those that an operator named."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tutela.errors import InputError
from tutela.foundation.options import OptionError
from tutela.gateways.streams.base import Door, MediaServerKind, ServerOptions

KINDS = {
    "ant-media": "tutela.gateways.streams.ant_media:KIND",
    "janus": "tutela.gateways.streams.janus:KIND",
    "livekit": "tutela.gateways.streams.livekit:KIND",
    "mediamtx": "tutela.gateways.streams.mediamtx:KIND",
    "nginx-rtmp": "tutela.gateways.streams.nginx_rtmp:KIND",
    "node-media-server": "tutela.gateways.streams.node_media_server:KIND",
    "ovenmediaengine": "tutela.gateways.streams.ovenmediaengine:KIND",
    "owncast": "tutela.gateways.streams.owncast:KIND",
    "peertube": "tutela.gateways.streams.peertube:KIND",
    "srs": "tutela.gateways.streams.srs:KIND",
}
"""Where each kind is; it is loaded when it is needed."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@cache
def kind(name: str) -> MediaServerKind[Any]:
    """The kind of that name. Raises InputError."""
    if name not in KINDS:
        raise InputError("`kind` is one of {kinds}", kinds=", ".join(sorted(KINDS)))
    module, _, attribute = KINDS[name].partition(":")
    found: MediaServerKind[Any] = getattr(import_module(module), attribute)
    return found


def option_class(name: str, given: Mapping[str, Any]) -> type[ServerOptions]:
    """What reads the table `[media_servers.NAME]` of the settings. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError("is not a valid name of a media server: use lower-case letters, digits and '-'")
    if given.get("kind") not in KINDS:
        raise OptionError("kind", "must be one of {kinds}", kinds=", ".join(sorted(KINDS)))
    options: type[ServerOptions] = kind(str(given["kind"])).options
    return options


def open_servers(servers: Mapping[str, ServerOptions]) -> dict[str, Door]:
    """The doors of all media servers by name."""
    return {name: kind(options.kind).open(name, options) for name, options in servers.items()}
