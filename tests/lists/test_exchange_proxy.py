"""Exchanges through a forward proxy: every kind, by services whose names only the proxy knows."""

import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp

from tests.support.exchange_sources import SECRETS, Feed, Files, Ncmec, StopNcii, ThreatExchange
from tests.support.exchange_tools import QUICK, listed, puller
from tests.support.standins.arachnid import ArachnidStandIn
from tests.support.standins.proxy import Proxy, running
from tests.support.standins.server import served
from tutela.foundation.http import HttpError
from tutela.lists.exchanges.inquiry import look_up
from tutela.lists.exchanges.registry import kinds

PICTURE = bytes(range(32))


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in {**SECRETS, "SHIELD_USER": "shield", "SHIELD_PASSWORD": "right-password"}.items():
        monkeypatch.setenv(name, secret)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def certificate_for(names: list[str], path: Path) -> Path:
    """A file of a certificate for these names and its key."""
    key, at = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(item) for item in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return path


@contextlib.contextmanager
def behind_a_proxy(apps: dict[str, ASGIApp], certificate: Path | None = None) -> Iterator[Proxy]:
    """The services at KIND.invalid, on the port of their scheme."""
    with contextlib.ExitStack() as stack:
        places = {}
        for name, app in apps.items():
            parts = urlsplit(stack.enter_context(served(app, certificate)))
            places[f"{name}.invalid:443" if certificate else f"{name}.invalid"] = (parts.hostname, parts.port)
        yield stack.enter_context(running(places))


@pytest.mark.slow
def test_every_kind_goes_through_the_proxy(exchanges, rng, deployment, tmp_path, monkeypatch):
    feed, shield = Feed(rng, deployment, tmp_path), ArachnidStandIn(known={PICTURE: ("0a" * 20, "0b" * 32)})
    monkeypatch.setenv("FEED_MEMBER", feed.secret)
    sources = {source.kind: source for source in (Ncmec(rng), StopNcii(rng), ThreatExchange(rng), Files(rng), feed)}
    assert {*sources, "arachnid"} == set(kinds())
    apps = {name: source.app() for name, source in sources.items()} | {"arachnid": shield.app()}
    certificate = certificate_for([f"{name}.invalid" for name in apps], tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with behind_a_proxy(apps, certificate) as proxy:
        monkeypatch.setenv("PROXY", proxy.address)
        for name, source in sources.items():
            exchanges.banks.create(name, actor="test")
            options = {**source.options(f"https://{name}.invalid"), "proxy": "env:PROXY"}
            exchanges.add(name, name, name, options, actor="test")
            puller(exchanges).pull(name, actor="test")
            assert listed(exchanges, name) == source.wanted()
        options = {"user": "env:SHIELD_USER", "password": "env:SHIELD_PASSWORD", "url": "https://arachnid.invalid"}
        exchanges.add("shield", "arachnid", "known", {**options, "proxy": "env:PROXY"}, actor="test")
        assert look_up(exchanges, "shield", [("pdq", PICTURE.hex())], actor="test", patience=QUICK)
        assert set(proxy.requests) == {f"CONNECT {name}.invalid:443" for name in apps}


def test_the_proxy_of_the_environment_counts_where_no_other_is_named(exchanges, rng, monkeypatch):
    source = Ncmec(rng)
    with behind_a_proxy({"ncmec": source.app()}) as proxy:
        exchanges.add("ncmec", "ncmec", "known", source.options("http://ncmec.invalid"), actor="test")
        with pytest.raises(HttpError, match="does not answer"):
            puller(exchanges).pull("ncmec", actor="test")  # nothing else knows the name
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        puller(exchanges).pull("ncmec", actor="test")
        assert listed(exchanges) == source.wanted()
        assert set(proxy.requests) == {"GET ncmec.invalid"}


def test_what_the_proxy_refuses_is_said_without_its_password(exchanges, rng, monkeypatch):
    source = Ncmec(rng)
    with behind_a_proxy({"ncmec": source.app()}) as proxy:
        monkeypatch.setenv("PROXY", proxy.address.replace(proxy.password, "wrong-password"))
        options = {**source.options("http://ncmec.invalid"), "proxy": "env:PROXY"}
        exchanges.add("ncmec", "ncmec", "known", options, actor="test")
        with pytest.raises(HttpError, match="407") as refused:
            puller(exchanges).pull("ncmec", actor="test")
        assert "wrong-password" not in str(refused.value)
        assert "wrong-password" not in str(exchanges.get("ncmec"))
        assert proxy.requests == []
