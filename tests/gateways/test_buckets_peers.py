"""Object stores for real: SeaweedFS with its webhook, and a gateway killed again and again; `make test-peers`."""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.s3 import notifications
from moto.server import ThreadedMotoServer

from tests.support.clamd_clients import PEERS
from tests.support.effort import effort
from tests.support.forked import Forking
from tests.support.gateway_rounds import UP
from tests.support.gateways import COPY, DAMAGED, OTHER, PATIENT, Running, list_known
from tests.support.mail_server import answers
from tests.support.service import free_port
from tests.support.waiting import wait_until
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.gateways import metrics
from tutela.gateways.buckets.options import STATUS, VERDICT

pytestmark = pytest.mark.peers

KEYS = {
    "access_key": "env:TEST_ACCESS_KEY",
    "secret_key": "env:TEST_SECRET_KEY",
    "region": "us-east-1",
    "answer_s": 170,
}
CONTENTS = ((OTHER, "allow"), (COPY, "block"), (DAMAGED, "hold"))


@pytest.fixture(scope="module", autouse=True)
def keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TEST_ACCESS_KEY", "TEST_SECRET_KEY", "TEST_TOKEN"):
            patch.setenv(name, "words")
        yield


def s3_of(endpoint: str) -> Any:
    session = boto3.session.Session("words", "words", region_name="us-east-1")
    return session.client("s3", endpoint_url=endpoint)


def tags(s3: Any, bucket: str, key: str, version: str = "") -> dict[str, str]:
    named = {"VersionId": version} if version else {}
    answer = s3.get_object_tagging(Bucket=bucket, Key=key, **named)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with compose_deployment(tmp_path_factory.mktemp("buckets") / "home", decoders=1, limits=PATIENT) as deployment:
        list_known(deployment)
        yield deployment


@dataclass
class SeaweedFS:
    """A running store, and the gateway that its filer tells of new objects."""

    s3: Any
    running: Running


@pytest.fixture(scope="module")
def seaweedfs(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    weed = PEERS / "seaweedfs" / "bin" / "weed"
    if not weed.is_file():
        pytest.skip("SeaweedFS is not installed: run .ci/peers")
    folder = tmp_path_factory.mktemp("seaweedfs")
    (folder / "data").mkdir()
    told, at = free_port(), free_port()
    (folder / "notification.toml").write_text(
        f'[notification.webhook]\nenabled = true\nendpoint = "http://127.0.0.1:{told}/events"\nbearer_token = "words"\n'
        "backoff_seconds = 1\n"
    )
    identity = {"name": "a", "credentials": [{"accessKey": "words", "secretKey": "words"}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = [f"-{name}={free_port()}" for name in ("master.port", "master.port.grpc", "volume.port")]
    ports += [
        f"-{name}={free_port()}" for name in ("volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc")
    ]
    command = [str(weed), "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
    command += [f"-s3.port={at}", f"-s3.config={folder}/s3.json", "-master.volumeSizeLimitMB=64", *ports]
    endpoint = f"http://127.0.0.1:{at}"
    settings = {"kind": "buckets", "listen": [f"127.0.0.1:{told}"], "endpoint": endpoint, "token": "env:TEST_TOKEN"}
    running = Running(deployment, {"weed": settings | KEYS})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ | {"HOME": str(folder)})
    try:
        s3 = s3_of(endpoint)

        def up() -> bool:
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            try:
                s3.create_bucket(Bucket="uploads")
            except Exception:
                return False
            return True

        wait_until(lambda: answers(at) and up(), "SeaweedFS answers")
        yield SeaweedFS(s3, running)
    finally:
        process.kill()
        process.wait(60)
        running.stop()


def test_what_seaweedfs_tells_of_is_tagged_once_whatever_its_name(seaweedfs):
    judged = metrics.requests.labels("weed")._value
    before, count = judged.get(), 0
    for name in ("plain.jpg", "a b+c", "ü/x", "q?#&=", "%2F", "deep/er/x"):
        for content, status in CONTENTS:
            key = f"{status}/{name}"
            seaweedfs.s3.put_object(Bucket="uploads", Key=key, Body=content, Tagging="mine=1")
            count += 1

            def is_tagged(key: str = key) -> bool:
                return STATUS in tags(seaweedfs.s3, "uploads", key)

            wait_until(is_tagged, f"{key} is tagged")
            found = tags(seaweedfs.s3, "uploads", key)
            assert (found[STATUS], found["mine"]) == (status, "1")
    seaweedfs.s3.put_object(Bucket="uploads", Key="allow/plain.jpg", Body=COPY)
    wait_until(lambda: tags(seaweedfs.s3, "uploads", "allow/plain.jpg").get(STATUS) == "block", "the new one is tagged")
    # What our own tags would have set off was told of before it.
    wait_until(lambda: judged.get() - before > count, "it is counted")
    assert judged.get() - before == count + 1


def name_versions(patch: pytest.MonkeyPatch) -> None:
    """Have moto say in its events which version is new, as S3 does wherever a bucket keeps versions."""
    plain = notifications._get_s3_event

    def event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        document = plain(event_name, bucket, key, notification_id)
        document["Records"][0]["s3"]["object"]["versionId"] = key.version_id
        return document

    patch.setattr(notifications, "_get_s3_event", event)


def test_a_gateway_that_is_killed_at_any_moment_leaves_each_version_with_one_verdict(tmp_path, monkeypatch):
    name_versions(monkeypatch)
    home = tmp_path / "home"
    with compose_deployment(home, decoders=1) as deployment:
        list_known(deployment)
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3 = s3_of(endpoint)
    sqs = boto3.session.Session("words", "words", region_name="us-east-1").client("sqs", endpoint_url=endpoint)
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="uploads")
    s3.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration=told)
    settings = {"kind": "buckets", "queue": queue, "queue_s": 2, "endpoint": endpoint} | KEYS
    moments, versions, seen = random.Random(1), {}, {}
    try:
        with Forking("tests.support.gateway_rounds", str(home), json.dumps({"s": settings}), longest_s=3600) as forking:
            for number in range(effort(4, 50)):
                Path(home / UP).unlink(missing_ok=True)
                forking.start()
                for content, status in CONTENTS:
                    version = s3.put_object(Bucket="uploads", Key=f"{status}-{number % 3}", Body=content)["VersionId"]
                    versions[f"{status}-{number % 3}", version] = status
                wait_until((home / UP).exists, "the gateway is up")
                time.sleep(moments.choice((0.0, 0.05, 0.3, 1.0)) * moments.random())
                forking.kill()
                for key, version in versions:
                    if verdict := tags(s3, "uploads", key, version).get(VERDICT):
                        assert seen.setdefault((key, version), verdict) == verdict
            forking.start()
            for (key, version), status in versions.items():

                def is_tagged(key: str = key, version: str = version) -> bool:
                    return STATUS in tags(s3, "uploads", key, version)

                wait_until(is_tagged, f"{key} is tagged")
                found = tags(s3, "uploads", key, version)
                assert found[STATUS] == status
                assert seen.setdefault((key, version), found[VERDICT]) == found[VERDICT]
            forking.kill()
    finally:
        server.stop()
