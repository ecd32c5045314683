"""What letters stand for: long runs are decoded whole only where their head or their end says that they are a file."""

import base64
import email
import re
from email.message import Message
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pictures import draw_scene, file_of
from tutela.content.media.confined import encodings
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers import mail
from tutela.content.media.confined.encodings import from_base64, runs_in
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import MediaType, sniff

BUDGET = Budget(Limits(timeout_s=3600.0), 0)
SCENE = draw_scene(8).resize((360, 300))
FILES = {
    MediaType.PNG: file_of(SCENE, "PNG", compress_level=0),
    MediaType.TGA: file_of(SCENE, "TGA"),
    MediaType.SVG: b"\n" * 3 + b"<!-- " + b"x" * 400_000 + b" --><svg xmlns='http://www.w3.org/2000/svg'/>",
    MediaType.ISO: bytes(32769) + b"CD001" + Random(1).randbytes(300_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_a_long_file_is_found_in_its_letters(kind):
    content = FILES[kind]
    assert len(content) > 300_000
    letters = base64.b64encode(content)
    for text in (content.hex(" ").encode(), letters, b"ab" + letters):
        assert kind in {sniff(found) for found in runs_in(b"words before it: " + text, BUDGET)}


@pytest.mark.parametrize("between", ["", "a", "ab", "\nabc\n", "=", "--", "\n", ", ", '"\n"', " and "])
def test_a_file_in_letters_does_not_hide_the_next(between):
    """A letter between two shifts the second, and a run was read from the first of its letters that gave something."""
    second = file_of(draw_scene(2).resize((200, 150)), "JPEG")
    for first in (file_of(draw_scene(1).resize((64, 64)), "JPEG") + bytes(more) for more in range(3)):
        for letters in (base64.b64encode(first), base64.b64encode(first).rstrip(b"=")):
            for put in (base64.b64encode, base64.encodebytes):
                text = b"words: " + letters + between.encode() + put(second)
                assert any(second[:-4] in found for found in runs_in(text, BUDGET))


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").map(str.encode))
def test_base64_is_read_from_each_of_the_first_four_letters(letters):
    assert list(encodings._from_each_letter(letters)) == [from_base64(letters[skipped:]) for skipped in range(4)]


def test_letters_that_stand_for_nothing_are_not_decoded_whole(monkeypatch):
    """A megabyte of random words in hexadecimal was decoded three times over."""
    decoded: list[int] = []
    decode = encodings._from_hexadecimal

    def counted(text):
        decoded.append(len(text))
        return decode(text)

    monkeypatch.setattr(encodings, "_from_hexadecimal", counted)
    text = Random(2).randbytes(400_000).hex(" ", 2).encode()
    assert list(runs_in(text, BUDGET)) == []
    assert sum(decoded) < len(text)


def test_what_a_mail_was_decoded_into_is_not_decoded_once_more():
    picture, other = (file_of(draw_scene(number), "JPEG") for number in (1, 2))
    body, more = base64.encodebytes(picture), base64.encodebytes(other)
    mail = b"name=x\n\n" + body + b"\n--==--\n\n" + more
    assert len(list(runs_in(mail, BUDGET))) == 2
    (found,) = runs_in(mail, BUDGET, [body.strip()])
    assert found.startswith(other)
    assert len(list(runs_in(mail, BUDGET, [body[:-40].strip()]))) == 2  # not the whole of it


@given(
    st.lists(
        st.sampled_from(
            [
                b"A",
                b"z0",
                b"-",
                b"_",
                b"/+",
                b"%2F",
                b"%2B",
                b"%2b",
                b"%2f",
                b"%0A",
                b"&#10;",
                b"' + '",
                b"\\n",
                b" ",
                b"\n",
                b"=",
                b'"',
                b"%",
            ]
        )
    )
)
def test_letters_of_base64_are_kept_and_what_stands_between_them_is_not(pieces):
    text = b"".join(pieces)
    plain = re.sub(rb"&#10;|%0A|\\n|' \+ '", b"", text)
    plain = re.sub(rb"%2f", b"/", re.sub(rb"%2b", b"+", plain, flags=re.IGNORECASE), flags=re.IGNORECASE)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", plain.replace(b"-", b"+").replace(b"_", b"/"))
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    assert encodings.from_base64(text) == base64.b64decode(letters + b"=" * (-len(letters) % 4))


@given(
    st.lists(
        st.sampled_from(["AAAA", "QUJD", "AA==", "AAA=", "A", "=", "\r\n", "\n", " ", "!", "é", "\x0b"]), max_size=9
    )
)
def test_a_body_in_base64_is_decoded_as_the_library_does(pieces):
    raw = f"Content-Transfer-Encoding: base64\r\n\r\n{''.join(pieces)}".encode()
    part = email.message_from_bytes(raw)
    letters = mail._letters(part)
    whole = mail._whole(letters) if letters is not None else None
    assert whole is None or whole == part.get_payload(decode=True)


def test_boundaries_of_equals_signs_are_no_quoted_printable():
    rows = b"".join(b"--===============%d==\n" % number for number in range(40))
    assert not list(encodings._unescaped(rows))
    assert list(encodings._unescaped(b"=FF=D8\n" * 48)) and list(encodings._unescaped(b"a=\n" * 96))


@given(
    st.lists(
        st.sampled_from(
            [
                *("Subject: words", "Content-Type: multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64"),
                *("\r\n", "\n", "\r", "\r\n\r\n", "--b", "--b--", "QUJD" * 30, "a " * 5000, "é", "\x00", " folded"),
            ]
        ),
        max_size=30,
    )
)
def test_a_mail_in_one_piece_is_read_as_the_library_reads_it_in_many(pieces):
    raw = "".join(pieces).encode()

    def parts(message: Message) -> list[object]:
        shown = [(part.items(), part.preamble, part.epilogue) for part in message.walk()]
        return [shown, [part.get_payload() for part in message.walk() if not part.is_multipart()]]

    assert parts(mail._read(raw)) == parts(email.message_from_bytes(raw))
