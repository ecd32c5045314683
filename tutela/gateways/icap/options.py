"""What an ICAP gateway is told in the settings."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tutela.gateways.http import HttpOptions


class IcapOptions(HttpOptions):
    """What an ICAP gateway is told."""

    services: tuple[str, ...] = Field(
        default=("tutela", "reqmod", "respmod", "avscan", "virus_scan", "srv_clamav", "request", "response"),
        description="Names of the service, as they stand in the address: icap://host/NAME.",
    )
    advice: ClassVar[Mapping[str, str]] = {
        "squid": "passes uploads unscreened while the gateway is away where `icap_service` has `bypass=on`: keep `off`",
        "c-icap": "passes what is over its `MaxObjectSize` (5M) and of types that `ScanFileTypes` leaves out: set both",
        "nextcloud": "accepts everything where `av_icap_response_header` is not `X-Infection-Found`, and lets files"
        " pass when the scanner is away unless `av_block_unreachable` is on",
        "opencloud": "lets files pass on an error, and scans the first 100 MB only: keep `max-scan-size` above your"
        " uploads",
        "rspamd": "sends pictures only with `scan_image_mime = true`; with `held_as_error` it takes a hold for a"
        " failure, which passes unless it is told to refuse",
    }
    held_as_error: bool = Field(
        default=False, description="Whether a hold is said as «could not be scanned» (Type=2), as rspamd reads it."
    )
    pages: bool = Field(
        default=False,
        description="Whether requests for listed pages are answered with the stop page (451); see [stop_page].",
    )
