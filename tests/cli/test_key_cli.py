"""`tutela key`."""

import hashlib
import re


def test_a_key_is_shown_once_and_never_stored(call, filled):
    answer = call("key", "create", "my-site", "--scope", "screen", "--scope", "curate", "--days", "30")
    assert (answer.code, answer.err) == (0, "")
    key = re.fullmatch(r"(tutela_([0-9a-f]{16})_([\w-]{43}))\n", answer.out)
    assert key is not None
    text, key_id, secret = key.groups()
    listed = call("key", "list")
    assert [row[:3] for row in listed.rows] == [[key_id, "my-site", "curate, screen"]]
    assert secret not in listed.out
    files = [path for path in filled.rglob("*") if path.is_file()]
    assert filled / "tutela.db" in files
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert hashlib.sha256(text.encode()).digest() in (filled / "tutela.db").read_bytes()
    created, expires = listed.rows[0][3:5]
    assert created < expires


def test_a_key_is_revoked(call, filled):
    key_id = call("key", "create", "my-site", "--scope", "screen").out.split("_")[1]
    assert call("key", "list").rows[0][5] == ""
    assert call("key", "revoke", key_id).out == f"key {key_id} (my-site) is revoked\n"
    assert call("key", "list").rows[0][5] != ""
