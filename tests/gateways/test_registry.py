"""Kinds of gateways, the settings that describe them, and the example of a plug-in."""

import importlib.util
import json
import re
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from tests.support.gateways import COPY, OTHER, Running, described, talk
from tutela.cli.commands import app
from tutela.errors import InputError
from tutela.gateways import registry
from tutela.gateways.base import Options
from tutela.gateways.listeners import ListenAddress, Peers

ROOT = Path(__file__).parents[2]
GOOD = {"kind": "clamd", "listen": ["127.0.0.1:3310", "/run/clamd.sock"]}


def test_what_settings_say_of_a_gateway_is_checked_and_a_fault_is_named():
    (options,) = described({"mail": GOOD}).values()
    assert [str(address) for address in cast(Any, options).listen] == ["127.0.0.1:3310", "/run/clamd.sock"]
    for name, change, fault in (
        ("Mail", {}, "lower-case"),
        ("mail", {"kind": "nothing"}, "kind"),
        ("mail", {"listen": []}, "listen"),
        ("mail", {"listen": ["somewhere:1"]}, "IP address"),
        ("mail", {"listen": ["0.0.0.0:3310"]}, "open to other machines"),
        ("mail", {"allow": ["10.0.0.1/8"]}, "allow"),
        ("mail", {"unknown": 1}, "unknown"),
        ("mail", {"overrides": {"unknown-type": "yes"}}, "overrides"),
        ("mail", {"answer_s": 0}, "answer_s"),
        ("mail", {"clients": ["nextcloud", "somebody"]}, "nothing is known of somebody"),
    ):
        with pytest.raises(InputError, match=fault):
            described({name: GOOD | change})


def test_every_kind_describes_its_options():
    for kind in registry.kinds().values():
        assert issubclass(kind.options, Options)
        assert kind.summary
        for name, field in kind.options.model_fields.items():
            assert name == "kind" or field.description, name


def test_every_option_and_every_client_stands_in_the_docs():
    page = (ROOT / "docs" / "gateways.md").read_text()
    for kind in registry.kinds().values():
        assert f"`{kind.name}`" in page
        for name in kind.options.model_fields:
            assert f"`{name}`" in page, name
        for client in getattr(kind.options, "advice", ()):
            assert client in page.lower(), client


def test_only_this_machine_and_named_networks_are_heard(tmp_path):
    peers = Peers(["192.0.2.0/24", "2001:db8::/32"])
    for address, heard in (
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::5", True),
        ("fe80::1%eth0", False),
        ("198.51.100.1", False),
    ):
        with socket.socket() as connection:
            assert peers.hears(connection, (address, 1)) is heard, address


def test_a_socket_that_a_killed_service_left_is_taken_over_and_one_in_use_is_not(tmp_path):
    address = ListenAddress.parse(str(tmp_path / "a.sock"))
    address.listen().close()
    with address.listen() as listener:
        assert (tmp_path / "a.sock").stat().st_mode & 0o777 == 0o660
        with pytest.raises(InputError, match="another process listens"):
            address.listen()
        assert listener.fileno() > 0
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError):
        ListenAddress.parse(str(tmp_path / "file")).listen()


def test_the_gateways_are_listed_and_doctor_warns_of_what_lets_content_pass(tmp_path, monkeypatch):
    loose = GOOD | {"overrides": {"unknown-type": "allow"}, "clients": ["rspamd"], "held_as": "error"}
    monkeypatch.setenv("TUTELA_GATEWAYS", json.dumps({"mail": loose}))
    run = CliRunner().invoke(app, ["--home", str(tmp_path), "gateway", "list", "--json"])
    assert json.loads(run.stdout)["listen"] == ["127.0.0.1:3310", "/run/clamd.sock"]
    run = CliRunner().invoke(app, ["--home", str(tmp_path), "doctor", "--json"])
    found = [json.loads(line) for line in run.stdout.splitlines()]
    warned = [line["detail"] for line in found if line["what"] == "gateway mail" and line["state"] == "warn"]
    for words in ("unknown-type", "scan_image_mime", "ERROR"):
        assert any(words in line for line in warned), words


def test_the_example_of_a_plug_in_answers(knowing, tmp_path, monkeypatch):
    file = ROOT / "examples" / "gateway_plugin" / "tutela_netstring.py"
    specification = importlib.util.spec_from_file_location("tutela_netstring", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(registry, "kind", lambda _: module.KIND)
    path = str(tmp_path / "socket")
    running = Running(knowing, {"line": {"kind": "netstring", "listen": [path]}})
    try:
        asking = module.KIND.asking(module.NetstringOptions(kind="netstring", listen=[path]))
        assert asking(OTHER) is True
        assert asking(COPY) is False
        answer, _ = talk(path, b"%d:%s," % (len(COPY), COPY))
        assert re.fullmatch(rb"refuse Tutela\.Blocked\.[0-9a-f]{12}\n", answer)
        assert talk(path, b"9:short,", half_close=True)[0] == b""
    finally:
        running.stop()
