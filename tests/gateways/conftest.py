"""What the tests of gateways share: one deployment that knows a picture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateways import list_known
from tutela.content.media.content import Limits
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
