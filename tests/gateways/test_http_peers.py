"""The upload proxy, the askers and ICAP behind and before real programs; `make test-peers`."""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.applications import Application, application
from tests.support.clamd_clients import PEERS, needs
from tests.support.gateways import COPY, DAMAGED, OTHER, PATIENT, GatewayProcess, Running, form, list_known
from tests.support.mail_server import answers
from tests.support.relay import Relay
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.gateways.askers import MARK

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("nothing_is_told")]

FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}
LOOSE = {"overrides": {"unknown-type": "allow"}, "answer_s": 170}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("http-peers") / "home"
    with compose_deployment(home, decoders=1, limits=PATIENT) as deployment:
        list_known(deployment)
        yield deployment


@pytest.fixture(scope="module")
def behind() -> Iterator[Application]:
    with application() as running:
        yield running


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def running(deployment: Deployment, behind: Application, uploads: Path) -> Iterator[Running]:
    tcp = {"listen": ["127.0.0.1:0"]} | LOOSE
    settings = {
        "proxy": {"kind": "proxy", "application": f"127.0.0.1:{behind.port}"} | tcp,
        "ask": {"kind": "askers", "roots": [str(uploads)], "sweep_s": 1} | tcp,
        "icap": {"kind": "icap"} | tcp,
    }
    running = Running(deployment, settings)
    yield running
    running.stop()


@contextlib.contextmanager
def program(*command: str, port: int, **options: Any) -> Iterator[int]:
    """A server that runs while it is needed, at that port."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, **options)

    def up() -> bool:
        assert process.poll() is None, f"{command[0]} ended"
        return answers(port)

    try:
        wait_until(up, f"{command[0]} answers")
        yield port
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def nginx(folder: Path, location: str, main: str = "") -> Iterator[int]:
    needs("nginx")
    port = free_port()
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(
        f"{main}\nuser root;\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/log;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"client_max_body_size 100m;\n{location}\n}}\n".replace("PORT", str(port))
    )
    with program("/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), port=port):
        yield port


@contextlib.contextmanager
def caddy(folder: Path, upstream: int) -> Iterator[int]:
    binary = PEERS / "caddy" / "bin" / "caddy"
    if not binary.is_file():
        pytest.skip("Caddy is not installed: run .ci/peers")
    port = free_port()
    (folder / "Caddyfile").write_text(
        f"{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n reverse_proxy 127.0.0.1:{upstream}\n}}\n"
    )
    home = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    command = (str(binary), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile")
    with program(*command, port=port, env=home):
        yield port


@pytest.fixture(params=["nginx", "nginx that keeps connections", "caddy"])
def front(running: Running, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    gateway = running.ports["proxy"][0]
    if request.param == "caddy":
        with caddy(tmp_path, gateway) as port:
            yield port
        return
    keeps = request.param != "nginx"
    kept, header = ("keepalive 16; keepalive_timeout 10s;", 'proxy_set_header Connection "";') if keeps else ("", "")
    location = (
        f"upstream uploads {{ server 127.0.0.1:{gateway}; {kept} }}"
        f" server {{ listen 127.0.0.1:PORT; location / {{ proxy_request_buffering off; proxy_http_version 1.1; {header}"
        " proxy_pass http://uploads; } }"
    )
    with nginx(tmp_path, location) as port:
        yield port


def test_behind_a_web_server_a_hundred_uploads_arrive_or_are_refused(front, behind):
    behind.requests.clear()
    statuses: list[int] = []

    def send(number: int) -> None:
        content = (COPY, OTHER, DAMAGED, OTHER)[number % 4]
        with httpx.Client(base_url=f"http://127.0.0.1:{front}", timeout=PATIENCE_S) as client:
            match number % 3:
                case 0:
                    answer = client.post("/upload", content=form(content, b"%d" % number), headers=FORM)
                case 1:
                    answer = client.put(f"/put/{number}", content=content)
                case _:
                    answer = client.post("/chunked", content=iter([content[:1000], content[1000:]]))
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert {status: statuses.count(status) for status in set(statuses)} == {201: 50, 422: 25, 202: 25}
    assert len(behind.bodies) == 50
    for body in behind.bodies:
        assert body == OTHER or (body.startswith(b"--xyz") and OTHER in body)


def test_the_snippet_for_njs_screens_what_nginx_cannot_by_itself(running, behind, tmp_path):
    module = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
    if not module.is_file():
        pytest.skip("nginx has no njs: run .ci/peers as root")
    page = (Path(__file__).parents[2] / "docs" / "gateways.md").read_text()
    script = re.search(r"```js\n(.*?)```", page, re.DOTALL)[1]
    (tmp_path / "upload.js").write_text(script.replace("8092", str(running.ports["ask"][0])))
    locations = (
        f"js_import upload from {tmp_path}/upload.js; client_body_buffer_size 16m;\n"
        "server { listen 127.0.0.1:PORT; location / { js_content upload.screen; }"
        f" location @application {{ proxy_pass http://127.0.0.1:{behind.port}; }} }}"
    )
    with nginx(tmp_path, locations, f"load_module {module};") as port:
        behind.requests.clear()
        for content, status in ((OTHER, 201), (COPY, 422), (DAMAGED, 403)):
            answer = httpx.post(f"http://127.0.0.1:{port}/x", content=form(content), headers=FORM, timeout=PATIENCE_S)
            assert answer.status_code == status
        assert behind.bodies == [form(OTHER)]


def test_envoy_asks_with_the_body_and_refuses_what_is_not_allowed(running, behind, tmp_path):
    binary = PEERS / "envoy" / "bin" / "envoy"
    if not binary.is_file():
        pytest.skip("Envoy is not installed: run .ci/peers")
    port = free_port()

    def cluster(name: str, upstream: int) -> dict[str, object]:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}

    kind = "type.googleapis.com/envoy.extensions.filters"
    asking = {
        "@type": f"{kind}.http.ext_authz.v3.ExtAuthz",
        "http_service": {
            "server_uri": {"uri": "http://tutela", "cluster": "tutela", "timeout": "60s"},
            "path_prefix": "/authorize",
        },
        "with_request_body": {"max_request_bytes": 16_777_216, "pack_as_bytes": True},
        "failure_mode_allow": False,
    }
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "route_config": {
            "virtual_hosts": [
                {"name": "x", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.ext_authz", "typed_config": asking},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}},
        ],
    }

    @contextlib.contextmanager
    def envoy(gateway: int) -> Iterator[int]:
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        listener = {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [chain],
        }
        clusters = [cluster("app", behind.port), cluster("tutela", gateway)]
        settings = {"static_resources": {"listeners": [listener], "clusters": clusters}}
        (tmp_path / "envoy.json").write_text(json.dumps(settings))
        command = (str(binary), "-c", str(tmp_path / "envoy.json"), "--use-dynamic-base-id", "--log-level", "error")
        with program(*command, "--concurrency", "1", port=port):
            yield port

    behind.requests.clear()
    with envoy(running.ports["ask"][0]):
        # Envoy forwards no Content-Type unless it is told to: the form is known by its beginning.
        for content, status in ((OTHER, 201), (COPY, 422), (DAMAGED, 403)):
            answer = httpx.post(f"http://127.0.0.1:{port}/x", content=form(content), headers=FORM, timeout=PATIENCE_S)
            assert answer.status_code == status
        assert httpx.get(f"http://127.0.0.1:{port}/page", timeout=PATIENCE_S).status_code == 200
    with envoy(free_port()):
        assert httpx.post(f"http://127.0.0.1:{port}/x", content=form(OTHER), timeout=PATIENCE_S).status_code == 403
    assert [body for body in behind.bodies if body] == [form(OTHER)]


_TUS = """
const { Server } = require("@tus/server");
const { FileStore } = require("@tus/file-store");
const tus = require("tus-js-client");
const fs = require("fs");
const [folder, hook, file] = process.argv.slice(1);
const server = new Server({
  path: "/files",
  datastore: new FileStore({ directory: folder }),
  async onUploadFinish(request, upload) {
    const answer = await fetch(hook, { method: "POST", body: JSON.stringify({ path: `${folder}/${upload.id}` }) });
    if (!answer.ok) throw { status_code: answer.status, body: await answer.text() };
    return {};
  },
});
const listening = server.listen({ host: "127.0.0.1", port: 0 }, () => {
  const upload = new tus.Upload(fs.createReadStream(file), {
    endpoint: `http://127.0.0.1:${listening.address().port}/files`, uploadSize: fs.statSync(file).size,
    chunkSize: 4096, retryDelays: [0, 100],
    onError: ({ originalResponse: answer }) => { console.log("error", answer && answer.getStatus()); process.exit(); },
    onSuccess: () => { console.log("success"); process.exit(); },
  });
  upload.start();
});
"""


def test_a_tus_client_is_told_that_a_refused_upload_failed(running, uploads, tmp_path):
    needs("node")
    if not (PEERS / "node" / "node_modules" / "tus-js-client").is_dir():
        pytest.skip("tus-js-client is not installed: run .ci/peers")
    hook = f"http://127.0.0.1:{running.ports['ask'][0]}/finished"
    environment = os.environ | {"NODE_PATH": str(PEERS / "node" / "node_modules")}

    def send(content: bytes, to: str) -> str:
        (tmp_path / "upload").write_bytes(content)
        command = ["node", "-e", _TUS, "--", str(uploads), to, str(tmp_path / "upload")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=170, env=environment)
        assert done.stdout, done.stderr
        return done.stdout.strip()

    assert send(OTHER, hook) == "success"
    assert send(COPY, hook) == "error 422"
    assert send(DAMAGED, hook) == "error 403"
    before = set(uploads.iterdir())
    send(COPY + b"!", f"http://127.0.0.1:{free_port()}/finished")  # nobody is there at the finish

    def judged() -> bool:
        made = [path for path in set(uploads.iterdir()) - before if not path.suffix]
        marks = [Path(f"{path}{MARK}") for path in made]
        return bool(marks) and all(
            mark.exists() and json.loads(mark.read_text())["decision"] != "allow" for mark in marks
        )

    wait_until(judged, "the sweep judges the upload")


@contextlib.contextmanager
def squid(folder: Path, origin: int, icap: int) -> Iterator[int]:
    needs("squid")
    port = free_port()
    folder.chmod(0o777)
    for parent in folder.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    (folder / "squid.conf").write_text(
        f"http_port 127.0.0.1:{port} accel defaultsite=x\n"
        f"cache_peer 127.0.0.1 parent {origin} 0 no-query originserver\n"
        f"acl all_of src all\nhttp_access allow all_of\ncache deny all\npid_filename none\ncoredump_dir {folder}\n"
        f"access_log none\ncache_log {folder}/log\ncache_store_log none\nnetdb_filename none\nvisible_hostname x\n"
        f"icap_enable on\nicap_service tutela reqmod_precache icap://127.0.0.1:{icap}/tutela bypass=off\n"
        "adaptation_access tutela allow all\nicap_preview_enable on\nshutdown_lifetime 1 seconds\n"
    )
    # A name of its own for its shared memory: one that was killed leaves that behind.
    with program("/usr/sbin/squid", "-n", f"t{port}", "-N", "-f", str(folder / "squid.conf"), port=port):
        yield port


def test_through_squid_uploads_of_every_length_arrive_unchanged_or_not_at_all(running, behind, tmp_path):
    with squid(tmp_path, behind.port, running.ports["icap"][0]) as port:
        behind.requests.clear()
        address = f"http://127.0.0.1:{port}/upload"
        for size in (20_000, 60_000, 70_000, 10_000_000):
            body = form(OTHER, b"words " * ((size - len(OTHER)) // 6))
            for content in (body, iter([body[:5000], body[5000:]])):
                answer = httpx.post(address, content=content, headers=FORM, timeout=PATIENCE_S)
                assert answer.status_code == 201, size
                assert hashlib.sha256(behind.bodies[-1]).digest() == hashlib.sha256(body).digest()
        taken = len(behind.requests)
        for content in (form(COPY), form(OTHER, COPY), form(b"words " * 20_000, COPY), form(DAMAGED)):
            answer = httpx.post(address, content=content, headers=FORM, timeout=PATIENCE_S)
            assert answer.status_code == 403
            assert re.search(r"Number [0-9a-f]{12}", answer.text)
        assert len(behind.requests) == taken


def test_without_the_service_squid_passes_nothing(deployment, behind, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    port = free_port()
    gateway = GatewayProcess(home, "icap", {"icap": {"kind": "icap", "listen": [f"127.0.0.1:{port}"]} | LOOSE})
    (tmp_path / "squid").mkdir()
    with squid(tmp_path / "squid", behind.port, port) as front:
        address = f"http://127.0.0.1:{front}/upload"
        assert httpx.post(address, content=form(OTHER), headers=FORM, timeout=PATIENCE_S).status_code == 201
        behind.requests.clear()
        statuses: list[int] = []

        def send() -> None:
            with contextlib.suppress(httpx.HTTPError):
                statuses.append(
                    httpx.post(address, content=form(b"x" * 20_000_000), headers=FORM, timeout=PATIENCE_S).status_code
                )

        thread = threading.Thread(target=send)
        thread.start()
        gateway.kill()
        thread.join(PATIENCE_S)
        with contextlib.suppress(httpx.HTTPError):
            statuses.append(httpx.post(address, content=form(OTHER), headers=FORM, timeout=PATIENCE_S).status_code)
        assert all(status >= 500 for status in statuses)
        assert not behind.requests


def test_where_the_service_is_killed_in_mid_echo_squid_passes_nothing_whole(deployment, behind, tmp_path):
    home, port = tmp_path / "home", free_port()
    (tmp_path / "squid").mkdir()
    home.mkdir()
    gateway = GatewayProcess(home, "icap", {"icap": {"kind": "icap", "listen": [f"127.0.0.1:{port}"]} | LOOSE})
    # More comes back than the buffers between hold, so that the echo stands still when the service ends.
    with Relay(port, pause_after=2_000_000) as relay, squid(tmp_path / "squid", behind.port, relay.port) as front:
        address = f"http://127.0.0.1:{front}/upload"
        assert httpx.post(address, content=form(OTHER), headers=FORM, timeout=PATIENCE_S).status_code == 201
        behind.requests.clear()
        statuses: list[int | None] = []

        def send() -> None:
            content = form(b"words " * 2_000_000)
            try:
                statuses.append(httpx.post(address, content=content, headers=FORM, timeout=PATIENCE_S).status_code)
            except httpx.HTTPError:
                statuses.append(None)

        thread = threading.Thread(target=send)
        thread.start()
        assert relay.paused.wait(PATIENCE_S), (statuses, len(relay.sent), bytes(relay.sent[-300:]))
        gateway.kill()
        relay.go_on()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        (status,) = statuses
        assert status is None or status >= 500
        assert not behind.requests


def test_c_icap_client_reads_the_answers(running, tmp_path):
    needs("c-icap-client")
    file, out = tmp_path / "file", tmp_path / "out"

    def ask(content: bytes, *options: str) -> tuple[str, bytes]:
        file.write_bytes(content)
        out.unlink(missing_ok=True)
        port = str(running.ports["icap"][0])
        where = ["-i", "127.0.0.1", "-p", port, "-s", "avscan", "-f", str(file), "-o", str(out), "-v", *options]
        done = subprocess.run(["c-icap-client", *where], capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr, out.read_bytes() if out.exists() else b""

    for options in ((), ("-nopreview",), ("-no204",), ("-nopreview", "-no204"), ("-req", "http://x/upload")):
        said, page = ask(COPY, *options)
        assert "X-Infection-Found: Type=0; Resolution=2; Threat=Tutela.Blocked." in said, (options, said)
        assert b"<h1>This content is refused</h1>" in page
        said, echo = ask(OTHER, *options)
        assert "X-Infection-Found" not in said, options
        assert echo in (OTHER, b""), options
    said, echo = ask(OTHER, "-no204", "-nopreview")
    assert echo == OTHER


_ICAP = """
import sys
from icap import IcapClient
with IcapClient("127.0.0.1", port=int(sys.argv[1])) as client:
    answer = client.scan_file(sys.argv[2], service="avscan")
print("pass" if answer.is_no_modification else answer.headers.get("X-Infection-Found"))
"""


def test_python_icap_reads_the_answers(running, tmp_path):
    python = PEERS / "icap" / "bin" / "python"
    if not python.exists():
        pytest.skip("python-icap is not installed: run .ci/peers")
    file = tmp_path / "file"
    for content, expected in ((OTHER, "pass"), (COPY, "Threat=Tutela.Blocked."), (DAMAGED, "Threat=Tutela.Held.")):
        file.write_bytes(content)
        command = [str(python), "-c", _ICAP, str(running.ports["icap"][0]), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert expected in done.stdout, done.stderr
