"""No answer and no line of a log says more of refused content than that it is refused, and a number."""

import logging
from collections.abc import Iterator

import httpx
import pytest

from tests.support.gateways import COPY, DAMAGED, FILE, Running, described, list_known, never_told, talk
from tests.support.home_server import TOKEN, home_server
from tests.support.relay import Relay
from tests.support.waiting import PATIENCE_S
from tutela.content.media.limits import Limits
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.gateways.registry import kind_of


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("told") / "home"
    with compose_deployment(home, decoders=1, limits=Limits(max_bytes=3_000_000)) as deployment:
        list_known(deployment)
        yield deployment


def test_nothing_is_told_but_a_number(deployment, caplog, capfd, tmp_path):
    caplog.set_level(logging.DEBUG)
    with home_server() as home:
        kinds: dict[str, dict[str, object]] = {
            "clamd": {},
            "icap": {"details": {"uploader": "X-User"}},
            "proxy": {"application": "127.0.0.1:1"},
            "askers": {"details": {"uploader": "X-User"}},
            "milter": {},
            "matrix": {"homeserver": f"127.0.0.1:{home.port}"},
        }
        paths = {name: tmp_path / name for name in kinds}
        settings = {
            name: {"kind": name, "listen": ["127.0.0.1:0", str(paths[name])]} | more for name, more in kinds.items()
        }
        running = Running(deployment, settings)
        answers = {}
        try:
            for name, given in settings.items():
                with Relay(running.ports[name][0]) as relay:
                    options = described({name: given | {"listen": [f"127.0.0.1:{relay.port}"]}})[name]
                    ask(name, relay.port, home)
                    if name != "matrix":
                        asking = kind_of(options).asking(options)
                        assert not asking(COPY) and not asking(DAMAGED)
                        with Relay(paths[name]) as unix:
                            options = described({name: given | {"listen": [str(unix.path)]}})[name]
                            asking = kind_of(options).asking(options)
                            assert not asking(COPY) and not asking(DAMAGED)
                        answers[f"{name} at a UNIX socket"] = bytes(unix.sent)
                answers[name] = bytes(relay.sent)
        finally:
            running.stop()
    secrets = [*never_told(deployment, COPY, DAMAGED), b"anna", b"example.org"]
    secrets += [content[at : at + 24].lower() for content in (COPY, DAMAGED) for at in (0, 200)]
    logged = (caplog.text + "".join(capfd.readouterr())).encode()
    assert b"clamd" in logged
    for name, said in (*answers.items(), ("the log", logged)):
        assert said, name
        for secret in secrets:
            assert secret not in said.lower(), (name, secret)


def ask(name: str, port: int, home: object) -> None:
    """Ask with names and words that must not come back."""
    named = f"http://127.0.0.1:{port}"
    patience = httpx.Client(timeout=PATIENCE_S, headers={"X-User": "anna", "Accept": "text/html"})
    files = {"upload": (f"{FILE}.jpg", COPY, "image/jpeg")}
    match name:
        case "clamd":
            talk(("127.0.0.1", port), f"nSCAN /{FILE}\n".encode().replace(FILE.encode(), b"x"))
        case "proxy":
            assert patience.post(f"{named}/{FILE}?{FILE}", files=files).status_code == 422
        case "askers":
            assert patience.post(f"{named}/authorize/{FILE}", files=files).status_code == 422
            assert patience.post(f"{named}/finished", json={"path": f"/tmp/{FILE}"}).status_code == 403
        case "matrix":
            headers = {"Authorization": TOKEN}
            for content in (COPY, DAMAGED):
                file = home.keep_encrypted(content)  # type: ignore[attr-defined]
                for route in ("scan_encrypted", "download_encrypted"):
                    address = f"{named}/_matrix/media_proxy/unstable/{route}"
                    patience.post(address, json={"file": file}, headers=headers)
