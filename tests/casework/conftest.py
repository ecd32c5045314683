"""What tests of casework share."""

import pytest

from tests.support.standins.cybertipline import SCHEMA_FILE
from tutela.casework.reports.cybertipline.schema import Schema


@pytest.fixture(scope="session")
def schema() -> Schema:
    if not SCHEMA_FILE.is_file():
        pytest.skip("the published schema ../shared/ncmec/cyber_tipline.xsd is not there")
    return Schema.read(SCHEMA_FILE)
