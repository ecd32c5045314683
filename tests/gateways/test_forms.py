"""What bodies carry, by the strict grammar: nothing that an application might find is overlooked."""

import base64
import contextlib
import gzip
import json
import time
import zlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.gateways import COPY, OTHER
from tutela.gateways.forms import FormError, as_mail, pieces
from tutela.gateways.texts import CarriedText

FORM = "multipart/form-data; boundary=xyz"
PICTURE = b'Content-Disposition: form-data; name="f"; filename="a.jpg"\r\nContent-Type: image/jpeg'


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"xyz", end: bytes = b"--\r\n") -> bytes:
    lines = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
    return lines + b"--" + boundary + end


def read(body: bytes, media_type: str, coding: str = "") -> list[bytes]:
    """The files that a body carries."""
    return [
        bytes(piece) for piece in pieces(memoryview(body), media_type, coding) if not isinstance(piece, CarriedText)
    ]


def words(body: bytes, media_type: str) -> list[bytes]:
    """The texts that are searched like files."""
    return [piece.content for piece in pieces(memoryview(body), media_type) if isinstance(piece, CarriedText)]


def test_each_file_of_a_form_is_a_piece_and_a_field_of_words_is_none():
    body = form((b'Content-Disposition: form-data; name="title"', b"words"), (PICTURE, COPY), (PICTURE, OTHER))
    assert read(body, FORM) == [COPY, OTHER]
    assert read(body, 'Multipart/Form-Data; Boundary="xyz"') == [COPY, OTHER]
    assert read(body, "") == [COPY, OTHER], "a form that does not say it is one"
    assert read(b"--xyz--\r\n", FORM) == []


def test_a_file_is_one_whatever_its_part_is_called():
    for head in (
        b'Content-Disposition: form-data; name="f"',
        b"Content-Disposition: form-data",
        b"X-Other: 1",
        b"content-disposition: attachment; filename*=UTF-8''a.jpg",
    ):
        assert read(form((head, COPY)), FORM) == [COPY], head
    assert read(b"--xyz\r\n\r\n" + COPY + b"\r\n--xyz--", FORM) == [COPY], "a part without a head"


@given(st.lists(st.binary(max_size=400), max_size=6))
def test_whatever_a_form_carries_comes_out_as_it_is(contents):
    contents = [content for content in contents if b"--xyz" not in content]
    body = form(*((PICTURE, content) for content in contents))
    assert read(body, FORM) == [content for content in contents if content]


def test_what_two_programs_could_read_differently_cannot_be_read():
    whole = form((PICTURE, COPY))
    for media_type, body in (
        ("multipart/form-data", whole),
        ("multipart/form-data; boundary=", whole),
        ("multipart/form-data; boundary=xyz; boundary=abc", whole),
        ("multipart/form-data; boundary*=utf-8''xyz", whole),
        (FORM, whole[:-4]),
        (FORM, whole + b"more"),
        (FORM, whole + form((PICTURE, OTHER))),
        (FORM, b"preamble\r\n" + whole),
        (FORM, whole.replace(b"\r\n", b"\n")),
        (FORM, form((PICTURE + b"\r\nContent-Type: text/plain", COPY))),
        (FORM, form((PICTURE + b"\r\nContent-Transfer-Encoding: base64", base64.b64encode(COPY)))),
        (FORM, form((PICTURE + b"\r\n folded: 1", COPY))),
        (FORM, form((b"Content-Type: multipart/mixed; boundary=abc", form((PICTURE, COPY), boundary=b"abc")))),
        (FORM, form((b"X: " + b"a" * 20_000, COPY))),
        (FORM, form((PICTURE, b"--xyzzy\r\nmore\r\n--xyzq"))),
        (FORM, form((PICTURE, b"words\n--xyz\n" + PICTURE + b"\n\n" + COPY))),
        (FORM, form((PICTURE, b"words\r--xyz\r" + PICTURE + b"\r\r" + COPY))),
        (FORM, form((PICTURE, b"words--xyz\r\n" + PICTURE + b"\r\n\r\n" + COPY))),
        (FORM, b"--xyz\r\n--xyz--\r\n"),
        ("multipart/form-data; xboundary=abc; boundary=xyz", whole),
        ('multipart/form-data; a="boundary=abc"; boundary=xyz', whole),
        ('multipart/form-data; boundary="xyz,abc"', form((PICTURE, COPY), boundary=b"xyz,abc")),
        ('multipart/form-data; boundary="xyz abc"', form((PICTURE, COPY), boundary=b"xyz abc")),
        ('multipart/form-data; boundary="a boundary=xyz"', form((PICTURE, COPY), boundary=b"a boundary=xyz")),
        ("multipart/form-data; boundary=boundary=xyz", form((PICTURE, COPY), boundary=b"boundary=xyz")),
        (FORM, form(*[(PICTURE, b"x")] * 1001)),
        ("application/json", b"{"),
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff\xfe{\x00}\x00"),
        ("image/jpeg\r\nx: y", COPY),
    ):
        with pytest.raises(FormError):
            read(body, media_type)


def test_codings_are_undone_within_their_limit():
    whole = form((PICTURE, COPY))
    assert read(gzip.compress(whole), FORM, "gzip") == [COPY]
    assert read(gzip.compress(whole[:100]) + gzip.compress(whole[100:]), FORM, "GZIP") == [COPY]
    assert read(zlib.compress(whole), FORM, "deflate") == [COPY]
    assert read(whole, FORM, "identity") == [COPY]
    for coded, coding in (
        (gzip.compress(whole)[:-9], "gzip"),
        (gzip.compress(whole) + b"behind", "gzip"),
        (gzip.compress(gzip.compress(whole)), "gzip, gzip"),
        (whole, "gzip"),
        (whole, "br"),
        (gzip.compress(bytes(1024 * 1024)) * 300, "gzip"),
    ):
        with pytest.raises(FormError):
            read(coded, FORM, coding)


def test_pictures_in_texts_are_found():
    encoded = base64.b64encode(COPY).decode()
    address = f"data:image/jpeg;base64,{encoded}"
    for document in (address, encoded, {"a": [{"b": address}]}, {address: 1}, f'<p><img src="{address}"></p>'):
        assert read(json.dumps(document).encode(), "application/json") == [COPY]
    assert read(b'{"a": "%s", "a": "b"}' % address.encode(), "application/json") == [COPY], "a name that comes twice"
    assert read(f"title=x&file={quote(address, safe='')}".encode(), "application/x-www-form-urlencoded") == [COPY]
    assert read(form((b'Content-Disposition: form-data; name="f"', address.encode())), FORM) == [COPY]
    url_safe = encoded.replace("+", "-").replace("/", "_").rstrip("=")
    assert read(json.dumps(url_safe).encode(), "application/json") == [COPY]
    wrapped = "\r\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    assert read(json.dumps(wrapped).encode(), "application/vnd.api+json") == [COPY]
    token = base64.b64encode(bytes(range(200))).decode()
    assert read(json.dumps({"token": token, "words": "of no length"}).encode(), "application/json") == []
    with pytest.raises(FormError):
        read(b'"data:image/png;base64,%%%"', "application/json")
    assert read(
        json.dumps(f"data:x;base64 data:image/jpeg;{' ' * 300}base64,{encoded}").encode(), "application/json"
    ) == [COPY]


def test_texts_are_searched_as_one_unless_they_are_too_short_to_show_anything():
    long, field = "words, " * 100, b'Content-Disposition: form-data; name="f"'
    for body, media_type in (
        (json.dumps({"a": long, "b": [1, 2]}).encode(), "application/json"),
        (f"a={quote(long)}&b=1".encode(), "application/x-www-form-urlencoded"),
        (form((field, long.encode()), (field, b"1")), FORM),
    ):
        (found,) = words(body, media_type)
        assert long.encode() in found
        assert read(body, media_type) == []
    assert words(b'{"a": "few"}', "application/json") == words(b"a=few", "application/x-www-form-urlencoded") == []
    assert words(json.dumps([255, 216.0, 1.5, 1000, True]).encode() + b" " * 300, "application/json") == []
    numbers = json.dumps({"data": list(COPY), "other": 1e400}).encode()
    assert ", ".join(str(byte) for byte in COPY).encode() in words(numbers, "application/json")[0]


def test_a_text_that_is_a_file_is_one_of_its_own():
    mail = b"MIME-Version: 1.0\r\nContent-Type: image/jpeg\r\n\r\n" + b"words = words & words\r\n" * 20
    drawn = b"P3 10 10 255\n" + b"255 0 0\n" * 100
    field = b'Content-Disposition: form-data; name="f"'
    for file in (mail, drawn):
        assert words(file, "application/x-www-form-urlencoded")[0] == file, "a file that says it is a form"
        assert words(f"f={quote(file)}".encode(), "application/x-www-form-urlencoded")[0] == file
        assert words(form((field, file)), FORM) == [file]
        document = json.dumps({"a": file.decode()})
        assert words(document.encode(), "application/json") == [file]
        assert (
            words(document.encode(), "text/plain") == words(json.dumps(document).encode(), "application/json") == [file]
        )


def test_bytes_that_stand_for_themselves_are_a_file():
    assert read(b"f=" + quote(COPY).encode(), "application/x-www-form-urlencoded") == [COPY]
    assert read(json.dumps({"f": COPY.decode("latin-1")}).encode(), "application/json") == [COPY]
    assert read(json.dumps(COPY.decode("latin-1"), ensure_ascii=False).encode(), "application/json") == [COPY]


@pytest.mark.parametrize(
    "text",
    [
        b" " * 2**20 + b"!",
        b"A" * 2**20 + b"!",
        b"A" * 128 + b" " * 2**20 + b"!",
        b"data:" * 20 + b";" * 100 + b" " * 2**20,
    ],
)
def test_a_text_takes_time_by_its_length_alone(text):
    began = time.thread_time()
    assert read(form((b'Content-Disposition: form-data; name="f"', text)), FORM) == []
    assert time.thread_time() - began < 2, "by its square, it would be minutes or hours"


@pytest.mark.parametrize("media_type", [f"a/b{' ' * 64_000}x", f"a/b;c=d{' ' * 64_000}x", f"a/b{'; c=d ' * 10_000}x"])
def test_a_media_type_takes_time_by_its_length_alone(media_type):
    began = time.thread_time()
    with pytest.raises(FormError):
        read(b"words", media_type)
    assert as_mail(media_type) == b""
    assert time.thread_time() - began < 2, "by its square, it would be a minute"


@given(st.binary(max_size=300), st.sampled_from([FORM, "application/json", "application/x-www-form-urlencoded", ""]))
def test_any_bytes_are_read_or_refused(body, media_type):
    with contextlib.suppress(FormError):
        read(body, media_type)


def test_thousands_of_posts_are_one_text_and_thousands_of_files_are_too_many():
    posts = json.dumps([f"<p>{'words and ' * 40}{number}</p>" for number in range(5_000)]).encode()
    for media_type in ("application/json", "text/plain"):
        assert len(list(pieces(memoryview(posts), media_type))) == 1
    long = json.dumps([f"<p>{'words and ' * 2_000}</p>"]).encode()
    assert read(long, "application/json") == [] and len(list(pieces(memoryview(long), "application/json"))) == 1
    rows = "0 1 " * 64
    files = json.dumps([f"P1 16 8 {rows}{number}" for number in range(5_000)]).encode()
    with pytest.raises(FormError, match="too many files"):
        list(pieces(memoryview(files), "application/json"))
