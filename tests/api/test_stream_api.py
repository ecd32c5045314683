"""Live streams over HTTP: how each stands, a person's word, and weak signals, which an operator must turn on."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.service import Service
from tests.support.streams import put_down
from tutela.api.keys import Scope
from tutela.foundation.store.database import Store
from tutela.screening.streams.model import StreamState
from tutela.screening.streams.records import StreamRecords


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("streams") / "home", TUTELA_STREAMS__INDICATORS="true")
    yield service
    service.stop()


@pytest.fixture(scope="module")
def records(service: Service) -> Iterator[StreamRecords]:
    store = Store.open(f"sqlite:///{service.home / 'tutela.db'}")
    yield StreamRecords(store)
    store.close()


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def test_streams_are_listed_with_what_ranks_them_and_shown_with_their_time_line(client, records):
    stream = put_down(records, "cam", StreamState.PAUSED, why="first-match")
    signal = {"kind": "prior-report", "reason": "reported twice"}
    for _ in range(2):  # told again it weighs no more
        assert client.post(f"/v1/streams/{stream}/signals", json=signal).json() == {"stream": stream, "weight": 2.0}
    (listed,) = [one for one in client.get("/v1/streams").json()["streams"] if one["id"] == stream]
    assert (listed["state"], listed["weight"], listed["name"]) == ("paused", 2.0, "cam")
    shown = client.get(f"/v1/streams/{stream[:8]}").json()
    assert [event["kind"] for event in shown["time_line"]] == ["admitted", "paused"]
    assert shown["signals"][0] == {"kind": "prior-report", "weight": 2.0, "reason": "reported twice"}
    assert client.post(f"/v1/streams/{stream}/signals", json={"kind": "looks-odd"}).status_code == 422
    assert client.get("/v1/streams/ffffffffffff").status_code == 404
    assert 'tutela_streams_written{state="paused"} 1.0' in client.get("/metrics").text


def test_the_platform_names_a_channel_and_the_list_is_in_the_order_in_which_people_look(client, records):
    usual, odd = put_down(records, "cam-5"), put_down(records, "cam-6")
    paused = put_down(records, "cam-7", StreamState.PAUSED, why="first-match")
    put_down(records, "cam-6", StreamState.ENDED)
    last = put_down(records, "cam-8")
    signal = {"server": "main", "app": "live", "name": "cam-6", "kind": "few-viewers"}
    assert client.post("/v1/streams/signals", json=signal).json() == {"stream": odd, "weight": 0.3}
    assert client.post("/v1/streams/signals", json=signal | {"name": "cam-9"}).status_code == 404
    assert client.post("/v1/streams/signals", json=signal | {"kind": "looks-odd"}).status_code == 422
    listed = [one["id"] for one in client.get("/v1/streams").json()["streams"]]
    assert [one for one in listed if one in (usual, odd, paused, last)] == [paused, odd, last, usual]


def test_a_person_cuts_and_releases(client, records):
    stream = put_down(records, "cam-2")
    assert client.post(f"/v1/streams/{stream}/cut").status_code == 202
    assert [(one, what) for one, what, _ in records.snapshot([])] == [(stream, "cut")]
    ended = put_down(records, "cam-3", StreamState.CUT, why="second-match", refused_s=600)
    assert client.post(f"/v1/streams/{ended}/cut").status_code == 409
    assert client.post(f"/v1/streams/{ended}/release").json()["refused_until"] is None


def test_a_key_that_only_screens_tells_signals_and_sees_no_stream(service, records):
    stream = put_down(records, "cam-4")
    with service.client(service.keys.create("platform", [Scope.SCREEN], by="test")[1]) as platform:
        assert platform.post(f"/v1/streams/{stream}/signals", json={"kind": "few-viewers"}).status_code == 201
        assert platform.get("/v1/streams").status_code == 403
        assert platform.post(f"/v1/streams/{stream}/cut").status_code == 403
