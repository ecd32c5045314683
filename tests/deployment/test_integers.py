"""Integers beyond the database's are answered at every door, and never a fault: every one that there is, is tried."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.support.console import Desk
from tests.support.description import Description, with_value
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.api.options import ServiceOptions
from tutela.cli.commands import app as command_line
from tutela.console.roles import Role
from tutela.deployment.composition import Deployment, compose_deployment

BEYOND = (2**63, 2**64, -(2**63) - 1, 10**40)
LARGEST = 2**63 - 1
TREE = typer.main.get_command(command_line)


# --- HTTP, by its own description


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with compose_deployment(tmp_path_factory.mktemp("integers") / "home", decoders=1) as deployment:
        deployment.banks.create("known", actor="test")
        yield deployment


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[TestClient]:
    _, secret = Keys(deployment.store).create("admin", list(Scope), by="test")
    app = create_app(deployment, ServiceOptions())
    with TestClient(app, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False) as client:
        yield client


def test_every_integer_of_every_route_is_answered(client: TestClient) -> None:
    described, tried = Description(client.get("/openapi.json").json()), 0
    for method, path, operation in described.operations():
        parameters = operation.get("parameters", [])
        chosen = {one["name"]: str(described.example(one["schema"])) for one in parameters if one["in"] == "path"}
        needed = {
            one["name"]: str(described.example(one["schema"]))
            for one in parameters
            if one["in"] == "query" and one.get("required")
        }
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        body = None if schema is None else described.example(schema)
        for value in BEYOND:
            for one in parameters:
                if described.schema(one["schema"]).get("type") != "integer":
                    continue
                tried += 1
                inside = chosen | ({one["name"]: str(value)} if one["in"] == "path" else {})
                query = needed | ({one["name"]: str(value)} if one["in"] == "query" else {})
                answer = client.request(method, path.format(**inside), params=query, json=body)
                assert 400 <= answer.status_code < 500, f"{method} {path} {one['name']}={value}: {answer.text}"
            for place in described.places(schema or {}, "type", "integer"):
                tried += 1
                sent = json.dumps(with_value(body, place, value))
                answer = client.request(method, path.format(**chosen), params=needed, content=sent)
                assert 400 <= answer.status_code < 500, f"{method} {path} {place}={value}: {answer.text}"
    assert tried > 100


# --- the console, by the numbers in its addresses and forms


@pytest.mark.slow
def test_every_number_of_the_console_is_answered(tmp_path) -> None:
    with Desk(tmp_path) as desk:
        described, tried = Description(desk.app.openapi()), 0
        for method, path, operation in described.operations():
            browser = desk.signed_in(*(role for role in Role if role is not Role.REPORTER))  # one act signs out
            parameters = operation.get("parameters", [])
            chosen = {one["name"]: str(described.example(one["schema"])) for one in parameters if one["in"] == "path"}
            numbers = [one for one in parameters if described.schema(one["schema"]).get("type") == "integer"]
            for one, value in itertools.product(numbers, BEYOND):
                tried += 1
                inside = chosen | ({one["name"]: str(value)} if one["in"] == "path" else {})
                query = {one["name"]: str(value)} if one["in"] == "query" else {}
                form = {"csrf": browser.csrf} if method == "post" else None
                answer = browser.request(method, path.format(**inside), params=query, data=form)
                assert answer.status_code < 500, f"{method} {path} {one['name']}={value}: {answer.status_code}"
            for name, value in itertools.product(("items", "item", "frame", "target-1"), BEYOND):
                if method == "post":
                    form = {"csrf": browser.csrf, name: str(value), "outcome": "reject", "reason": "a test"}
                    answer = browser.request(method, path.format(**chosen), data=form)
                    assert answer.status_code < 500, f"{method} {path} {name}={value}: {answer.status_code}"
        assert tried >= 20


# --- the command line


def numbers() -> list[tuple[str, str]]:
    """Command and parameter, of every whole number."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for parameter in command.params:
            if "int" in re.findall(r"\w+", str(parameter.type_descriptor.annotation).replace("<class 'int'>", "int")):
                yield " ".join(path), parameter.name
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*path, name))

    return list(below(TREE, ()))


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), numbers())
def test_every_number_of_the_command_line_has_bounds_that_the_database_holds(command: str, name: str) -> None:
    """So what is beyond them is refused where it is read, with the bounds, before anything is opened."""
    found: Any = TREE
    for word in command.split():
        found = found.commands[word]
    (parameter,) = [one for one in found.params if one.name == name]
    assert parameter.min is not None, f"{command}: {name} has no bounds"
    assert parameter.max is not None, f"{command}: {name} has no bounds"
    assert parameter.max <= LARGEST
    option = () if parameter.param_type_name == "argument" else (parameter.opts[0],)
    for value in BEYOND:
        result = CliRunner().invoke(command_line, [*command.split(), *option, str(value)])
        assert (result.exit_code, isinstance(result.exception, SystemExit)) == (2, True), f"{command} {name}={value}"
