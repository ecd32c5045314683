"""Parts of mails that programs find in different places: each of them is screened."""

import base64
import binascii

import pytest

from tests.support.pictures import file_of, photos
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.walk import Place, walk
from tutela.content.media.content import Mode, Shortcoming
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import MediaType

JPEG = file_of(photos()[0].resize((64, 64)), "JPEG")
DRAWN = b"P3\r\n12 12\r\n255\r\n" + b"255 0 0\r\n" * 144
LINES = base64.encodebytes(JPEG).split(b"\n")
STREWN = b"\r\n".join(b"!".join(line[at : at + 3] for at in range(0, len(line), 3)) for line in LINES)
"""Base64 as RFC 2045 has it read: what is no letter of it is passed over."""
HEAD = b"Received: by a\r\nMIME-Version: 1.0\r\n"


def places_in(mail: bytes) -> list[Place]:
    limits = Limits()
    return list(walk(OpenedContent(mail, Mode.FAST, limits), Budget(limits, len(mail))))


def types_in(mail: bytes) -> set[MediaType | None]:
    """The types of pictures that are found in a mail."""
    found = {place.content.media_type for place in places_in(mail) if place.path and place.content is not None}
    return found & {MediaType.JPEG, MediaType.PNM}


def mixed(*parts: bytes, said: bytes = b"Content-Type: multipart/mixed; boundary=AAAbbb") -> bytes:
    words = b"Content-Type: text/plain\r\n\r\nwords"
    body = b"".join(b"--AAAbbb\r\n%s\r\n" % part for part in (words, *parts))
    return HEAD + said + b"\r\n\r\n" + body + b"--AAAbbb--\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: base64 (of a picture)",
        b"Content-Transfer-Encoding: base64;",
        b'Content-Transfer-Encoding: "base64"',
        b"Content-Transfer-Encoding: =?utf-8?q?base64?=",
        b"Content-Transfer-Encoding: x-base64",
        b"Content-Transfer-Encoding:\r\n base64",
        b"Content-Transfer-Encoding : base64",
        b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64",
        b"no field\r\nContent-Transfer-Encoding: base64",
        b"",
    ],
)
def test_letters_of_base64_are_read_whatever_is_said_of_them(said):
    head = b"Content-Type: image/jpeg" + (b"\r\n" + said if said else b"")
    assert types_in(mixed(head + b"\r\n\r\n" + STREWN)) == {MediaType.JPEG}


@pytest.mark.parametrize(
    "said",
    [
        b"multipart/mixed; boundary=AAAbbb",
        b"multipart/mixed; boundary=zzz; boundary*0=AAA; boundary*1=bbb",
        b"multipart/mixed; boundary=zzz; boundary*=us-ascii''AAAbbb",
        b'multipart/mixed; boundary="AAA\\bbb"',
        b"multipart/mixed; boundary=AAAbbb (a comment)",
        b'multipart/mixed; boundary="AAAbbb ',
        b"text/plain\r\nContent-Type: multipart/mixed; boundary=AAAbbb",
        b"=?us-ascii?q?multipart/mixed?=; boundary=AAAbbb",
        b"multipart; boundary=AAAbbb",
    ],
)
def test_a_part_is_found_whichever_boundary_counts(said):
    plain = b"Content-Type: image/x-portable-pixmap\r\n\r\n" + DRAWN
    for part, found in ((plain, MediaType.PNM), (b"Content-Type: image/jpeg\r\n\r\n" + STREWN, MediaType.JPEG)):
        assert types_in(mixed(part, said=b"Content-Type: " + said)) == {found}
        assert types_in(mixed(part, said=b"Content-Type: " + said).replace(b"\r\n", b"\n")) == {found}


def test_a_piece_of_a_longer_mail_is_not_screened():
    for body in (b"Subject: x\r\n\r\nP", DRAWN[1:], binascii.b2a_base64(JPEG)[4:]):
        said = b'Content-Type: message/partial; id="x@y"; number=2; total=2\r\n\r\n'
        places = places_in(HEAD + said + body)
        assert Shortcoming.PARTLY_SCREENED in {place.error.reason for place in places if place.error is not None}
