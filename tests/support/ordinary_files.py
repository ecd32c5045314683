"""Ordinary files of a chat or file service, benign: made here, or shipped by the packages that the tests stand on."""

import bz2
import gzip
import io
import json
import pickle
import plistlib
import random
import sqlite3
import struct
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.stream import Disposition
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from tests.support.containers import pdf_of, seven_zip_of, tar_of, video_of, zip_of
from tests.support.pictures import draw_scene, file_of

AUDIO = {
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "wav": ("wav", "pcm_s16le"),
    "opus": ("ogg", "libopus"),
    "m4a": ("ipod", "aac"),
    "aac": ("adts", "aac"),
    "aiff": ("aiff", "pcm_s16be"),
    "mka": ("matroska", "libopus"),
    "wma": ("asf", "wmav2"),
}
"""Container and codec by the usual ending."""
WITH_COVERS = ("mp3", "flac", "mka", "wma")
_TEXTS = (".py", ".txt", ".md", ".json", ".csv", ".toml", ".yaml", ".xml", ".js", ".css", ".c", ".h", ".rst")
_SUFFIXES = (*_TEXTS, ".so", ".pyc", ".ttf", ".otf", ".woff", ".woff2", ".mo", ".gz", ".npy")
_LARGEST = 500_000


def audio(ending: str, seconds: float = 0.5, cover: bytes | None = None) -> bytes:
    """A test tone in that form. A cover is kept as the form keeps one."""
    form, codec = AUDIO[ending]
    file = io.BytesIO()
    rate = 48_000
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "stereo"
        stream.bit_rate = 128_000
        picture = None
        if cover is not None:
            picture = container.add_stream("mjpeg")
            assert isinstance(picture, av.VideoStream)
            picture.width, picture.height, picture.pix_fmt = 16, 16, "yuvj420p"
            picture.disposition = Disposition.attached_pic
        tone = (np.sin(np.arange(int(rate * seconds)) / 20) * 8_000).astype(np.int16)
        frame = AudioFrame.from_ndarray(np.repeat(tone, 2)[np.newaxis], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        if picture is not None and cover is not None:
            packet = av.Packet(cover)
            packet.stream, packet.pts, packet.dts, packet.time_base = picture, 0, 0, Fraction(1, 90_000)
            packet.is_keyframe = True
            container.mux(packet)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def contact(number: int) -> bytes:
    """A vCard."""
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Person {number}\r\nEMAIL:p{number}@example.org\r\nEND:VCARD\r\n".encode()


def calendar(number: int) -> bytes:
    """An iCalendar."""
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", f"UID:{number}@example.org", "DTSTART:20261130T090000Z")
    return "\r\n".join((*lines, f"SUMMARY:Meeting {number}", "END:VEVENT", "END:VCALENDAR", "")).encode()


def subtitles(number: int) -> bytes:
    """SubRip."""
    times = ((n, n + 1) for n in range(number % 7 + 1))
    return "".join(f"{n + 1}\n00:00:0{n},000 --> 00:00:0{m},000\nLine {n}\n\n" for n, m in times).encode()


def table(number: int) -> bytes:
    """CSV, in UTF-8 or UTF-16."""
    text = "".join(f"{row};Größe {row * number};{row / 7:.3f}\r\n" for row in range(40))
    return text.encode("utf-16") if number % 4 == 0 else text.encode()


def database(number: int) -> bytes:
    """SQLite."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body TEXT)")
    connection.executemany("INSERT INTO message (body) VALUES (?)", [(f"Hello {n}",) for n in range(number % 50 + 1)])
    return connection.serialize()


@cache
def certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """One that is signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    import datetime

    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    built = builder.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=365))
    return built.sign(key, hashes.SHA256()), key


def signature(number: int) -> bytes:
    """A detached S/MIME signature; or a certificate, or a key in PEM."""
    found, key = certificate()
    if number % 3 == 1:
        return found.public_bytes(serialization.Encoding.DER)
    if number % 3 == 2:
        return found.public_bytes(serialization.Encoding.PEM)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(b"hello %d" % number).add_signer(found, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature])


@cache
def font() -> bytes:
    """A TrueType font of one box."""
    pen = TTGlyphPen(None)
    for place, point in enumerate(((0, 0), (500, 0), (500, 500), (0, 500))):
        (pen.lineTo if place else pen.moveTo)(point)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "A"])
    builder.setupCharacterMap({65: "A"})
    builder.setupGlyf({".notdef": pen.glyph(), "A": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "A": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Box", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def program(number: int) -> bytes:
    """The smallest Windows program that has its two headers, with some code."""
    head = b"MZ".ljust(60, b"\x90") + struct.pack("<I", 64)
    return head + b"PE\0\0" + random.Random(number).randbytes(2_000)


def mail(number: int) -> bytes:
    """A message with a text, a table and a signature."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", f"Report {number}"
    message.set_content("Hello,\n\nsee the table.\n")
    message.add_attachment(table(number), maintype="text", subtype="csv", filename="table.csv")
    message.add_attachment(signature(3), maintype="application", subtype="pkcs7-signature", filename="smime.p7s")
    return message.as_bytes()


def word(number: int) -> bytes:
    """A Word document of one paragraph, as its form asks for at least."""
    types = (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>'
    )
    body = f"<w:document><w:body><w:p><w:r><w:t>Page {number}</w:t></w:r></w:p></w:body></w:document>"
    return zip_of({"[Content_Types].xml": types.encode(), "word/document.xml": body.encode()})


def chat_export(number: int) -> bytes:
    """What messengers export: texts, a picture and a voice message."""
    said = json.dumps({"messages": [{"id": n, "text": f"hello {n}"} for n in range(number)]}).encode()
    return zip_of({"result.json": said, "photos/1.jpg": photo(number), "voice/1.ogg": audio("opus")})


def photo(number: int) -> bytes:
    """A drawn picture in one of the usual forms."""
    form = ("JPEG", "JPEG", "PNG", "WEBP", "GIF")[number % 5]
    return file_of(draw_scene(number, (160 + number % 3 * 40, 120)), form)


def plist(number: int) -> bytes:
    """What Apple's programs keep settings in, such as the edits of a photo."""
    form = plistlib.FMT_BINARY if number % 2 else plistlib.FMT_XML
    return plistlib.dumps({"adjustmentFormatVersion": "1.5", "number": number}, fmt=form)


_MADE: Sequence[tuple[int, Callable[[int], bytes]]] = (
    (250, photo),
    (40, contact),
    (40, calendar),
    (40, subtitles),
    (60, table),
    (30, database),
    (30, signature),
    (20, plist),
    (20, program),
    (30, mail),
    (30, word),
    (20, chat_export),
    (5, lambda _: font()),
    (20, lambda n: audio(list(AUDIO)[n % len(AUDIO)])),
    (20, lambda n: audio(WITH_COVERS[n % len(WITH_COVERS)], cover=file_of(draw_scene(n, (96, 96)), "JPEG"))),
    (10, lambda n: zip_of({f"{n}.mp3": audio("mp3"), "cover.jpg": photo(5 * n)})),
    (10, lambda n: pdf_of([draw_scene(n, (200, 150))])),
    (10, lambda n: tar_of({"a.txt": table(n), "b.vcf": contact(n)}, "w:gz" if n % 2 else "w")),
    (5, lambda n: seven_zip_of({"a.txt": table(n)})),
    (5, lambda n: bz2.compress(table(n))),
    (10, lambda n: gzip.compress(json.dumps({"v": "5.5.2", "layers": [n]}).encode())),
    (5, lambda n: pickle.dumps({"number": n, "words": ["a"] * 50})),
    (6, lambda n: video_of(*(("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4"))[n % 3])),
)


def ordinary_files(count: int) -> Iterator[tuple[str, bytes]]:
    """So many (name, content): what is made here, filled up with what Python and its packages ship."""
    left = count
    for number_of, make in _MADE:
        for number in range(min(number_of, left)):
            yield f"{getattr(make, '__name__', 'made')} {number}", make(number)
        left -= min(number_of, left)
    for path in shipped()[:left]:
        yield str(path), path.read_bytes()


@cache
def shipped() -> Sequence[Path]:
    """Files of the usual kinds that Python and its packages ship, in an order that does not change, kinds mixed."""
    roots = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
    found: dict[str, list[Path]] = {suffix: [] for suffix in _SUFFIXES}
    for path in sorted(path for root in roots for path in root.glob("*/*")):
        if path.suffix in found and path.is_file() and 0 < path.stat().st_size < _LARGEST:
            found[path.suffix].append(path)
    chosen = random.Random(1)
    for paths in found.values():
        chosen.shuffle(paths)
    longest = max(map(len, found.values()))
    return [paths[place] for place in range(longest) for paths in found.values() if place < len(paths)]


assert sys.version_info >= (3, 11), "sqlite3.Connection.serialize is of 3.11"
