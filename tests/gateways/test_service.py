"""Gateways within `tutela serve`: all of its processes answer at the same sockets, and count together."""

import json
import re

import httpx

from tests.support.gateways import DAMAGED, END, OTHER, frames, instream, talk
from tests.support.service import Service, free_port
from tests.support.waiting import PATIENCE_S, wait_until


def test_the_processes_of_a_service_share_the_sockets_of_its_gateways(tmp_path):
    home = tmp_path / "home"
    path, port = str(tmp_path / "clamd.sock"), free_port()
    settings = {
        "mail": {"kind": "clamd", "listen": [path, f"127.0.0.1:{port}"]},
        "ask": {"kind": "askers", "listen": [str(tmp_path / "ask.sock")]},
    }
    service = Service(home, workers=2, TUTELA_GATEWAYS=json.dumps(settings), TUTELA_DECODERS="1")
    try:
        for address in (path, ("127.0.0.1", port)):
            for _ in range(10):
                assert instream(address, OTHER) == "OK"
            assert re.fullmatch(r"Tutela\.Held\.[0-9a-f]{12} FOUND", instream(address, DAMAGED))
        transport = httpx.HTTPTransport(uds=str(tmp_path / "ask.sock"))
        with httpx.Client(transport=transport, base_url="http://x", timeout=PATIENCE_S) as client:
            assert client.post("/content", content=OTHER).status_code == 200
            assert client.post("/content", content=DAMAGED).status_code == 403

        def counted() -> bool:
            text = httpx.get(f"{service.address}/metrics", verify=False).text
            return (
                'tutela_gateway_outcomes_total{decision="allow",gateway="mail"} 20.0' in text
                and 'tutela_gateway_outcomes_total{decision="hold",gateway="mail"} 2.0' in text
                and 'tutela_gateway_requests_total{gateway="ask"} 2.0' in text
            )

        wait_until(counted, "the metrics of all processes say what was answered")
        logged = [json.loads(line) for line in (home / "log").read_text().splitlines() if '"content"' in line]
        assert {line["gateway"] for line in logged} == {"mail", "ask"}
        answer, how = talk(path, b"nIDSESSION\nnINSTREAM\n" + frames(OTHER) + END, timeout_s=1)
        assert (answer, how) == (b"1: stream: OK\n", "open")
    finally:
        assert service.stop() == 0
    assert not (tmp_path / "clamd.sock").exists()
