"""What the tests of gateways share: one deployment that knows a picture."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.capture import captured
from tests.support.gateways import COPY, TOLD_AT, TOLD_IN, list_known, never_told
from tutela.content.media.limits import Limits
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.screening.jobs.limits import JobLimits

MAX_BYTES = 3_000_000
MAX_JOB_BYTES = 8_000_000


@pytest.fixture(scope="package")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment with small limits that blocks one picture."""
    home: Path = tmp_path_factory.mktemp("gateways") / "home"
    limits = Limits(max_bytes=MAX_BYTES)
    with compose_deployment(home, decoders=1, limits=limits, job_limits=JobLimits(MAX_JOB_BYTES)) as deployment:
        list_known(deployment)
        yield deployment


@pytest.fixture(scope="module")
def nothing_is_told(knowing: Deployment) -> Iterator[None]:
    """All that gateways of the module say over TCP, and in logs of their own, is searched at its end."""
    TOLD_AT.clear()
    TOLD_IN.clear()
    with captured(TOLD_AT) as capture:
        yield
    said = [(f"port {port}", data) for port, data in capture.said()] if capture else []
    said += [(log.name, log.read_bytes()) for log in TOLD_IN if log.exists()]
    print(f"{sum(len(data) for _, data in said):,} bytes that gateways said, in {len(said)} pieces")
    if capture is None:
        warnings.warn("packets may not be captured here: only logs are searched", stacklevel=1)
    assert said or not TOLD_AT or capture is None, "nothing was captured"
    secrets = never_told(knowing, COPY)
    for where, data in said:
        lower = data.lower()
        assert not [secret for secret in secrets if secret in lower], where
