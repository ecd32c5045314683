"""LiveKit's own published client reads our tokens and signs webhooks that we take: `make test-peers`."""

import json
import subprocess

import pytest

from tests.support.streams import PEERS
from tutela.gateways.streams.livekit import LiveKit, LiveKitOptions

pytestmark = pytest.mark.peers
SECRET = "a-secret-of-livekit-that-is-long-enough"
PYTHON = PEERS / "livekit" / "bin" / "python"


def asked(code: str, *arguments: str) -> str:
    """What the client prints."""
    if not PYTHON.exists():
        pytest.skip("livekit-api is not installed: run .ci/peers")
    done = subprocess.run([str(PYTHON), "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def livekit(monkeypatch) -> LiveKit:
    monkeypatch.setenv("LIVEKIT_SECRET", SECRET)
    options = LiveKitOptions(kind="livekit", address="rtmp://127.0.0.1", key="key", secret="env:LIVEKIT_SECRET")
    return LiveKit("main", options)


def test_its_client_takes_our_tokens(livekit):
    code = (
        "import sys, json; from livekit.api import TokenVerifier;"
        "claims = TokenVerifier('key', sys.argv[1]).verify(sys.argv[2]);"
        "print(json.dumps([claims.video.room_admin, claims.video.room]))"
    )
    token = livekit.token({"roomAdmin": True, "room": "live"})
    assert json.loads(asked(code, SECRET, token)) == [True, "live"]


def test_we_take_webhooks_that_it_signs_and_it_refuses_what_we_refuse(livekit):
    body = json.dumps({"event": "room_started", "room": {"name": "live"}})
    signing = (
        "import sys, base64, hashlib; from livekit.api import AccessToken;"
        "digest = base64.b64encode(hashlib.sha256(sys.argv[2].encode()).digest()).decode();"
        "print(AccessToken('key', sys.argv[1]).with_sha256(digest).to_jwt())"
    )
    token = asked(signing, SECRET, body)
    assert livekit.is_signed(token, body.encode())
    assert not livekit.is_signed(token, body.encode() + b" ")
    assert not livekit.is_signed(asked(signing, "another-secret-that-is-long-enough-too", body), body.encode())
    receiving = (
        "import sys; from livekit.api import TokenVerifier, WebhookReceiver;"
        "print(WebhookReceiver(TokenVerifier('key', sys.argv[1])).receive(sys.argv[2], sys.argv[3]).event)"
    )
    assert asked(receiving, SECRET, body, token) == "room_started"
