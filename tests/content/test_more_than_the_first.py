"""What comes first does not end the search: a harmless file, stream or list of styles before the one that is shown.

Bytes are printed by programs that anyone has, and read back by them; what is at fault was allowed before.
"""

import base64
import binascii
import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from tests.support.containers import zip_of
from tests.support.looked import KNOWN, OTHER, outcome
from tests.support.pictures import file_of
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.dumps import dumped, from_uu, uuencoded
from tutela.content.media.confined.encodings import packed_in, runs_in
from tutela.content.media.content import Limits
from tutela.content.media.profile import Profile
from tutela.errors import UnscreenableError

JPEG, OTHER_JPEG = file_of(KNOWN, "JPEG", quality=85), file_of(OTHER, "JPEG", quality=85)
LETTERS = base64.b64encode(JPEG).decode()
WORDS = zlib.compress(b"ordinary words, " * 100)
BUDGET = Budget(Limits(timeout_s=3600.0), 0)


def uu(data: bytes, name: str = "k.jpg", mode: str = "644", within: str = "") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45)]
    return f"begin {mode} {name}\n{lines[0]}{within}{''.join(lines[1:])}`\nend\n".encode()


def printed(*command: str) -> bytes:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    return subprocess.run(command, input=JPEG, capture_output=True, check=True).stdout


def percent(text: str, every: int) -> str:
    return "".join(f"%{ord(letter):02X}" if at % every == 0 else letter for at, letter in enumerate(text))


def image(address: str) -> bytes:
    return f'<html><img src="{address}"></html>'.encode()


def with_empty_blocks() -> bytes:
    """A stream of zlib that begins with a thousand blocks of nothing."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(JPEG) + packer.flush()
    return b"\x78\x9c" + b"\0\0\0\xff\xff" * 1000 + packed + struct.pack(">I", zlib.adler32(JPEG))


DRAWING = f"""<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'
 width='240' height='180'><image width='240' height='180' xlink:href='data:image/jpeg;base64,{LETTERS}'/></svg>"""
PROGRAM = b"\x7fELF" + bytes(60)
CARRIED: dict[str, Callable[[], bytes]] = {
    "the second of two in uuencode": lambda: uu(OTHER_JPEG, "a.jpg") + uu(JPEG),
    "the second, behind a small one": lambda: uu(b"hello", "a.txt") + b"\n" + uu(JPEG),
    "uuencode with a beginning within": lambda: uu(JPEG, within="begin 644 a.txt\n"),
    "uuencode with an empty line within": lambda: uu(JPEG, within="\n`\n"),
    "uuencode with a mode of Git": lambda: uu(JPEG, mode="100644"),
    "base32 as the command writes it": lambda: printed("base32"),
    "base32 in small letters": lambda: base64.b32encode(JPEG).lower(),
    "xxd": lambda: printed("xxd"),
    "xxd in 32 columns": lambda: printed("xxd", "-c", "32"),
    "hexdump": lambda: printed("hexdump", "-v"),
    "hexdump -x": lambda: printed("hexdump", "-v", "-x"),
    "od": lambda: printed("od", "-v"),
    "od -c": lambda: printed("od", "-v", "-c"),
    "od -b": lambda: printed("od", "-v", "-b"),
    "od -x": lambda: printed("od", "-v", "-x"),
    "od -tx1, decimal places": lambda: printed("od", "-v", "-Ad", "-tx1"),
    "signed bytes": lambda: json.dumps(np.frombuffer(JPEG, np.int8).tolist()).encode(),
    "numbers with spaces": lambda: " ".join(map(str, JPEG)).encode(),
    "numbers, one a line": lambda: json.dumps(list(JPEG), indent=12).encode(),
    "numbers with their places": lambda: json.dumps({str(at): value for at, value in enumerate(JPEG)}).encode(),
    "base85 in JSON": lambda: json.dumps({"a": base64.b85encode(JPEG).decode()}, separators=(",", ":")).encode(),
    "base85 in lines": lambda: base64.a85encode(JPEG, wrapcol=72),
    "an address with a long head": lambda: image(f"data:image/jpeg;x={'y' * 300};base64,{percent(LETTERS, 30)}"),
    "an address with a tab": lambda: image(f"da\tta:image/jpeg;base64,{percent(LETTERS, 30)}"),
    "an address with spaces": lambda: image(f"data: image/jpeg ; base64 ,{percent(LETTERS, 30)}"),
    "an address with quotes": lambda: image(f"data:image/jpeg;x='a<b';base64,{percent(LETTERS, 30)}"),
    "a drawing in percent": lambda: image("da\nta:image/svg+xml," + percent(DRAWING, 7)),
    "an address of bytes": lambda: image(
        "da\nta:a/b;" + "y" * 300 + "," + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02x}" for b in JPEG)
    ),
    "a form": lambda: b"picture=" + percent(LETTERS, 30).encode() + b"&a=b",
    "behind a packed text": lambda: base64.b64encode(WORDS + JPEG),
    "a second packed stream": lambda: base64.b64encode(WORDS + zlib.compress(JPEG)),
    "packed behind nothing": lambda: base64.b64encode(with_empty_blocks()),
    "packed in a program behind nothing": lambda: PROGRAM + with_empty_blocks(),
}  # fmt: skip


@pytest.mark.parametrize("kind", CARRIED)
@pytest.mark.parametrize("profile", Profile)
def test_what_stands_behind_something_else_or_in_another_notation_is_found(kind: str, profile: Profile) -> None:
    assert outcome(zip_of({"a": CARRIED[kind]()}), profile=profile) == "block"


def test_more_than_is_unpacked_of_a_stream_holds() -> None:
    """What came out first was looked at, and the rest left out without a word."""
    packed = zlib.compress(b" " * (65 * 1024 * 1024) + JPEG)
    letters = base64.b64encode(packed)
    for find in (lambda: list(packed_in(memoryview(PROGRAM + packed), BUDGET)), lambda: list(runs_in(letters, BUDGET))):
        with pytest.raises(UnscreenableError, match="more is packed"):
            find()


@pytest.mark.parametrize("length", [200, 255, 256, 4_097])
def test_a_dump_is_read_back_whole(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    for command in (["xxd"], ["xxd", "-c", "7"], ["hexdump", "-vC"], ["od", "-v"], ["od", "-vtx1"], ["od", "-vb"]):
        if shutil.which(command[0]) is not None:
            text = subprocess.run(command, input=data, capture_output=True, check=True).stdout
            # What stands alone in the last line is no line of a dump.
            assert any(data[: length - 16] in found for found in dumped(text)), command


def test_uuencode_is_read_back_whole() -> None:
    found = [(name, from_uu(lines)) for name, lines in uuencoded(uu(b"one" * 99, "a") + b"words\n\n" + uu(b"two" * 99))]
    assert found == [("a", b"one" * 99), ("k.jpg", b"two" * 99)]


ORDINARY = {
    "a sheet of numbers": b"\n".join(b"%d, %d, %d" % (n % 256, n * 7 % 256, n * 31 % 256) for n in range(2_000)),
    "a log with addresses": b"\n".join(b"GET /a%%20b/%d?q=%%3Cb%%3E 200" % n for n in range(2_000)),
    "settings": json.dumps({str(n): n % 7 for n in range(2_000)}).encode(),
    "a list of words": b"\n".join(b"word%d" % n for n in range(3_000)),
    "a mail about uuencode": b"write\n\nbegin 644 name\n\nand lines, then\n\nend\n" * 20,
    "prose about data": b"The data: a/b, c and d. Data: this, that and the other. " * 200,
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_like_these_and_ordinary_passes(kind: str) -> None:
    assert outcome(zip_of({"a": ORDINARY[kind]}), profile=Profile.FILES) == "allow"
