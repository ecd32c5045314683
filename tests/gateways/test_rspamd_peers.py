"""rspamd's antivirus module asks the clamd gateway; `make test-peers`."""

import json
import os
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.clamd_clients import needs
from tests.support.gateways import COPY, DAMAGED, OTHER, PATIENT, Running, list_known
from tests.support.mail_server import answers
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment, compose_deployment

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("nothing_is_told")]

TUTELA = {"kind": "clamd", "listen": ["127.0.0.1:0"], "answer_s": 120, "clients": ["rspamd"]}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with compose_deployment(tmp_path_factory.mktemp("rspamd") / "home", decoders=1, limits=PATIENT) as deployment:
        list_known(deployment)
        yield deployment


@pytest.fixture(scope="module")
def gateway(deployment: Deployment) -> Iterator[Running]:
    running = Running(deployment, {"found": TUTELA, "limits": TUTELA | {"held_as": "limits"}})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def rspamd(gateway: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """rspamd with both gateways and one that nobody answers at, and the port that it checks mail at."""
    needs("rspamd")
    if os.geteuid() != 0:
        pytest.skip("rspamd is started as root only")
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    for parent in (folder, *folder.parents):
        if parent != Path("/tmp") and str(parent).startswith("/tmp"):
            parent.chmod(0o777)
    (folder / "suffixes").write_text("com\norg\n")  # to compile all of them takes it more than a minute
    scanners = {"FOUND": gateway.ports["found"][0], "LIMITS": gateway.ports["limits"][0], "GONE": free_port()}
    engines = "".join(
        f'{name.lower()} {{ type = "clamav"; servers = "127.0.0.1:{at}"; symbol = "{name}"; action = "reject";'
        " scan_image_mime = true; scan_mime_parts = true; timeout = 60; retransmits = 1; }\n"
        for name, at in scanners.items()
    )
    (folder / "rspamd.conf").write_text(
        f'options {{ url_tld = "{folder}/suffixes"; pidfile = "{folder}/pid"; hs_cache_dir = "{folder}";\n'
        f'filters = ""; tempdir = "{folder}"; dynamic_conf = "{folder}/dynamic";\n'
        f'control_socket = "{folder}/control mode=0600";\n'
        'dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; } local_addrs = []; }\n'
        f'logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}\n'
        'lua = "/usr/share/rspamd/rules/rspamd.lua";\n'
        'modules { path = "/usr/share/rspamd/plugins/antivirus.lua"; }\n'
        f"antivirus {{ {engines} }}\nactions {{ reject = 15; }}\n"
        f'worker {{ type = "normal"; bind_socket = "127.0.0.1:{port}"; count = 1; task_timeout = 170s; }}\n'
    )
    command = ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", str(folder / "rspamd.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "rspamd answers")
        yield port
    finally:
        process.terminate()
        process.wait(60)


def checked(port: int, content: bytes) -> dict[str, Any]:
    """What rspamd says of a mail with that picture."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "words"
    message.set_content("words\n")
    message.add_attachment(content, maintype="image", subtype="jpeg", filename="f.jpg")
    answer = httpx.post(f"http://127.0.0.1:{port}/checkv2", content=message.as_bytes(), timeout=PATIENCE_S)
    found: dict[str, Any] = json.loads(answer.text)
    return found


def test_rspamd_rejects_what_is_listed_and_never_passes_a_hold_without_a_symbol(rspamd):
    said = checked(rspamd, COPY)
    assert said["action"] == "reject"
    assert said["symbols"]["FOUND"]["options"][0].startswith("Tutela.Blocked.")
    said = checked(rspamd, DAMAGED)
    assert said["symbols"]["FOUND"]["options"][0].startswith("Tutela.Held.")
    assert {"LIMITS", "LIMITS_FAIL"} & said["symbols"].keys()
    assert said["action"] == "reject"
    said = checked(rspamd, OTHER)
    assert not {"FOUND", "LIMITS"} & said["symbols"].keys()
    assert "GONE_FAIL" in said["symbols"]  # and of a scanner that does not answer it says so
