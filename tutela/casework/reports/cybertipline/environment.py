"""Where reports go: NCMEC's test server, whose reports reach nobody, or the real one."""

from collections.abc import Mapping
from enum import StrEnum


class Environment(StrEnum):
    """Which CyberTipline a report goes to."""

    TEST = "test"
    PRODUCTION = "production"


ADDRESSES: Mapping[Environment, str] = {
    Environment.TEST: "https://exttest.cybertip.org/ispws",
    Environment.PRODUCTION: "https://report.cybertip.org/ispws",
}
