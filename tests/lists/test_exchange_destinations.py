"""Credentials go to the address that they were given for: not to a changed one, nor to what a name stands for later."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpcore
import pytest
from fastapi.testclient import TestClient

from tests.support.exchange_tools import QUICK
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.console.options import OidcOptions
from tutela.console.roles import Role
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import InputError
from tutela.foundation.http import Http, HttpError
from tutela.foundation.options import Secret
from tutela.foundation.outward import PRIVATE_NETWORKS, permit
from tutela.foundation.pinned import checked_addresses
from tutela.lists.exchanges.registry import kinds
from tutela.lists.exchanges.service import Exchanges

HERE, EVIL = "https://list.example", "https://evil.example"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        deployment.banks.create("known", actor="t")
        yield deployment


@pytest.fixture
def admin(deployment: Deployment) -> TestClient:
    key = Keys(deployment.store).create("admin", [Scope.ADMIN], by="test")[1]
    return TestClient(create_app(deployment), headers={"Authorization": f"Bearer {key}"})


def options_of(kind: str, address: str, secret: str = "TUTELA_SECRET_A") -> dict[str, str]:
    """Every option that a kind needs, all secrets by reference."""
    others = {"privacy_group": "1", "feed": "f", "public_key": "A" * 43 + "="}
    options = kinds()[kind].options
    needed = {one.name: f"env:{secret}" for one in options if one.secret}
    return (
        {one.name: others[one.name] for one in options if one.required and one.name in others}
        | needed
        | {"url": address}
    )


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_a_changed_address_needs_its_credentials_again(deployment, kind):
    exchanges = Exchanges(deployment.banks)
    exchanges.add("it", kind, "known", options_of(kind, HERE), actor="t")
    secrets = {one.name: "env:OTHER" for one in kinds()[kind].options if one.secret}
    for moved in ({"url": EVIL}, {"url": HERE + ":444"}, {"proxy": "http://127.0.0.1:1"}):
        for left_out in secrets:
            given = {name: text for name, text in secrets.items() if name != left_out}
            with pytest.raises(InputError, match=f"give {left_out} again"):
                exchanges.update("it", options=moved | given)
        assert exchanges.get("it").options["url"] == HERE
    assert exchanges.update("it", options={"url": HERE + "/other-path"}).options["url"] == HERE + "/other-path"
    assert exchanges.update("it", options={"url": EVIL} | secrets).options["url"] == EVIL


def test_another_port_of_this_machine_is_no_other_address(deployment):
    exchanges = Exchanges(deployment.banks)
    exchanges.add("it", "stopncii", "known", options_of("stopncii", "http://127.0.0.1:9"), actor="t")
    assert exchanges.update("it", options={"url": "http://localhost:10"}).options["url"] == "http://localhost:10"
    with pytest.raises(InputError, match="again"):
        exchanges.update("it", options={"url": EVIL})


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_http_is_for_this_machine_alone(deployment, kind):
    exchanges = Exchanges(deployment.banks)
    for address in (
        "http://list.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "ftp://list.example",
        "https://",
    ):
        with pytest.raises(InputError, match="https"):
            exchanges.add("it", kind, "known", options_of(kind, address), actor="t")
    exchanges.add("it", kind, "known", options_of(kind, "http://127.0.0.1:9"), actor="t")


def test_over_http_a_secret_goes_nowhere_else_by_any_call(admin):
    body = {"name": "it", "kind": "stopncii", "bank": "known", "options": options_of("stopncii", HERE)}
    assert admin.post("/v1/exchanges", json=body).status_code == 201
    assert admin.patch("/v1/exchanges/it", json={"options": {"url": EVIL}}).status_code == 400
    again = admin.patch("/v1/exchanges/it", json={"options": options_of("stopncii", EVIL)})
    assert again.status_code == 409 and "operator" in again.json()["detail"]
    elsewhere = body | {"name": "two", "options": options_of("stopncii", EVIL)}
    assert admin.post("/v1/exchanges", json=elsewhere).status_code == 409
    assert admin.delete("/v1/exchanges/it").status_code == 200
    assert admin.post("/v1/exchanges", json=elsewhere).status_code == 409, "not after it was removed either"
    unused = elsewhere | {"options": options_of("stopncii", EVIL, "TUTELA_SECRET_B")}
    assert admin.post("/v1/exchanges", json=unused).status_code == 201


# --- where a connection goes


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names stand for, one answer after the other; the last one stays."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def answer(host, port, *rest, **options):
        if host not in known:
            return real(host, port, *rest, **options)
        now = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in now]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.delenv(PRIVATE_NETWORKS, raising=False)
    return known


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_a_name_of_a_private_address_is_not_connected_to(names, address):
    names["list.example"] = [["93.184.216.34", address]]
    with pytest.raises(httpcore.ConnectError, match="not public"):
        checked_addresses("list.example", 443)


def test_private_networks_are_connected_to_where_the_operator_says_so(names, monkeypatch):
    names["list.example"] = [["10.1.2.3"]]
    monkeypatch.setenv(PRIVATE_NETWORKS, "")
    permit(["10.1.0.0/16"])
    assert checked_addresses("list.example", 443) == ["10.1.2.3"]
    names["list.example"] = [["10.2.2.3"]]
    with pytest.raises(httpcore.ConnectError):
        checked_addresses("list.example", 443)
    with pytest.raises(InputError, match=r"10\.0\.0\.0/8"):
        permit(["ten"])


def test_a_name_that_changes_after_it_was_checked_leads_nowhere(names, monkeypatch):
    names["list.example"] = [["93.184.216.34"], ["127.0.0.1"]]
    asked = []

    def connect(address, *rest, **options):
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with Http(patience=QUICK, public_only=True) as http, pytest.raises(HttpError):
        http.get("https://list.example/")
    assert asked[0] == ("93.184.216.34", 443)
    assert all(host != "127.0.0.1" and host != "list.example" for host, _ in asked)


def test_an_identity_provider_is_spoken_to_by_https():
    with pytest.raises(InputError, match="https"):
        OidcOptions("http://login.example", "id", Secret("env:SECRET"), {"staff": (Role.ADMIN,)})
