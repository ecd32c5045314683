"""Times beyond what can be counted from are answered at every door, and never a fault."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.support.description import Description, with_value
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.cli.commands import app as command_line
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import InputError
from tutela.foundation.moments import EARLIEST, LATEST, in_range, read_moment

BEYOND = ("0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "2200-01-01T00:00:00+00:00")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moments") / "home"


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    with compose_deployment(home, decoders=1) as deployment, TestClient(create_app(deployment)) as client:
        client.headers["Authorization"] = f"Bearer {admin(deployment)}"
        yield client


def admin(deployment: Deployment) -> str:
    return Keys(deployment.store).create("admin", [Scope.ADMIN], by="test")[1]


def test_a_moment_is_read_in_its_zone_and_in_utc_without_one() -> None:
    assert read_moment("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert read_moment("2026-03-01T12:00:00+02:00") == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert in_range(EARLIEST) == EARLIEST
    assert in_range(LATEST - timedelta(microseconds=1)) < LATEST


@pytest.mark.parametrize("text", [*BEYOND, "", "yesterday", "2026-13-01", "1", "2026-03-01T25:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"no time|is not between"):
        read_moment(text)


@pytest.mark.parametrize("value", BEYOND)
def test_every_moment_of_every_route_is_answered(client: TestClient, value: str) -> None:
    described, tried = Description(client.get("/openapi.json").json()), 0
    for method, path, operation in described.operations():
        parameters = operation.get("parameters", [])
        chosen = {one["name"]: "known" for one in parameters if one["in"] == "path"}
        moments = [one["name"] for one in parameters if described.schema(one["schema"]).get("format") == "date-time"]
        good = dict.fromkeys(moments, "2026-03-01T00:00:00Z")
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        body = None if schema is None else described.example(schema)
        for name in moments:
            tried += 1
            answer = client.request(method, path.format(**chosen), params=good | {name: value}, json=body)
            assert answer.status_code == 422, f"{method} {path} {name}={value}: {answer.text}"
        for place in described.places(schema or {}, "format", "date-time"):
            tried += 1
            sent = json.dumps(with_value(body, place, value))
            answer = client.request(method, path.format(**chosen), params=good, content=sent)
            assert answer.status_code == 422, f"{method} {path} {place}={value}: {answer.text}"
    assert tried >= 4, "transparency has two, notices have one, messages of a case one"


@pytest.mark.parametrize("value", BEYOND)
@pytest.mark.parametrize(
    "command",
    [
        "transparency --since {} --until 2026-03-01",
        "transparency --since 2026-03-01 --until {}",
        "notice add --authority A --reference R --within 24h --target item=x --received {}",
        "stop-page counts --since {}",
    ],
)
def test_every_moment_of_the_command_line_is_answered(home: Path, client: TestClient, command: str, value: str) -> None:
    done = CliRunner().invoke(command_line, ["--home", str(home), *command.format(value).split()])
    assert isinstance(done.exception, InputError), done.output
    assert "is not between 1970 and 2199" in str(done.exception)
