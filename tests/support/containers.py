"""Containers of benign pictures for the tests: archives, documents, mail, animations, compound files, short videos."""

import base64
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from email.message import EmailMessage
from typing import Any, Literal

import av
import numpy as np
import py7zr
import zstandard
from fpdf import FPDF
from PIL import Image

from tests.support.pictures import draw_scene, file_of

TarMode = Literal["w", "w:gz", "w:bz2", "w:xz"]


def zip_of(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tar_of(members: dict[str, bytes], mode: TarMode = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def seven_zip_of(members: dict[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return file.getvalue()


def rar_of(members: dict[str, bytes], flags: int = 0, *, volume: bool = False) -> bytes:
    """A RAR 4 archive whose members are not compressed (the format's technical note)."""

    def block(kind: int, flags: int, body: bytes) -> bytes:
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    archive = b"Rar!\x1a\x07\x00" + block(0x73, int(volume), bytes(6))
    for name, data in members.items():
        sizes = struct.pack("<IIBIIBBHI", len(data), len(data), 3, zlib.crc32(data), 0, 20, 0x30, len(name), 0o100644)
        archive += block(0x74, 0x8000 | flags, sizes + name.encode()) + data
    return archive + block(0x7B, 0, b"")


def rar5_of(members: dict[str, bytes], *, volume: bool = False) -> bytes:
    """A RAR 5 archive whose members are not compressed (the format's description, RAR 5.0)."""

    def number(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80]) + number(value >> 7) if value > 0x7F else bytes([value])

    def block(*fields: bytes) -> bytes:
        head = b"".join(fields)
        head = number(len(head)) + head
        return struct.pack("<I", zlib.crc32(head)) + head

    archive = b"Rar!\x1a\x07\x01\x00" + block(number(1), number(0), number(int(volume)))
    for name, data in members.items():
        sizes = (number(len(data)), number(4), number(len(data)), number(0o100644), struct.pack("<I", zlib.crc32(data)))
        archive += block(number(2), number(2), *sizes, number(0), number(1), number(len(name)), name.encode()) + data
    return archive + block(number(5), number(0), number(0))


def cabs_of(members: dict[str, bytes], count: int = 1) -> list[bytes]:
    """A cabinet, or a set of several that the last member runs through, whose members are not compressed ([MS-CAB]).

    Where one cabinet ends, a block is cut in two: its first part says that it holds nothing, the second has the whole.
    """
    stream = b"".join(members.values())
    parts = [[(block, len(block)) for block in _blocks(stream)]]
    while len(parts) < count:
        last = parts.pop()
        middle = len(last) // 2
        block, length = last[middle]
        parts += [[*last[:middle], (block[:99], 0)], [(block[99:], length), *last[middle + 1 :]]]
    cabinets, begin = [], 0
    for i, blocks in enumerate(parts):
        end = begin + sum(len(block) for block, _ in blocks)
        files, place = [], 0
        for name, data in members.items():
            if place < end and place + len(data) > begin:
                folder = {(0, 0): 0, (1, 0): 0xFFFD, (0, 1): 0xFFFE, (1, 1): 0xFFFF}
                fields = (len(data), place, folder[place < begin, place + len(data) > end], 0x5921, 0, 0x20)
                files.append(struct.pack("<IIHHHH", *fields) + name.encode() + b"\0")
            place += len(data)
        others = [i - 1] * (i > 0) + [i + 1] * (i < count - 1)
        names = b"".join(f"{number}.cab\0disk {number}\0".encode() for number in others)
        files_at = 36 + len(names) + 8
        data_at = files_at + len(b"".join(files))
        data = b"".join(struct.pack("<IHH", 0, len(block), length) + block for block, length in blocks)
        flags = 1 * (i > 0) | 2 * (i < count - 1)
        sizes = (data_at + len(data), 0, files_at, 0, 3, 1, 1, len(files), flags, 7, i)
        head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, *sizes) + names + struct.pack("<IHH", data_at, len(blocks), 0)
        cabinets.append(head + b"".join(files) + data)
        begin = end
    return cabinets


def _blocks(stream: bytes) -> list[bytes]:
    return [stream[at : at + 32768] for at in range(0, len(stream), 32768)]


def compound_of(streams: dict[str, bytes]) -> bytes:
    """An OLE compound file of version 3 whose streams are all long enough for sectors of their own ([MS-CFB])."""
    free, end, fat_mark = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    sectors: list[bytes] = []
    fat: list[int] = []
    entries = [("Root Entry", 5, end, 0)]
    for name, data in streams.items():
        data = data.ljust(4096, b"\0")
        entries.append((name, 2, len(sectors), len(data)))
        count = -(-len(data) // 512)
        fat += [*range(len(sectors) + 1, len(sectors) + count), end]
        sectors += [data[at : at + 512].ljust(512, b"\0") for at in range(0, len(data), 512)]
    directory = b"".join(
        struct.pack("<64sHBB3I16sIQQIQ", name.encode("utf-16-le"), 2 * len(name) + 2, kind, 1, free, free, free,
                    b"", 0, 0, 0, start, length)
        for name, kind, start, length in entries
    )  # fmt: skip
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    directory_at, count = len(sectors), len(directory) // 512
    fat += [*range(directory_at + 1, directory_at + count), end]
    sectors += [directory[at : at + 512] for at in range(0, len(directory), 512)]
    fat_at, count = len(sectors), -(-(len(sectors) + 8) // 128)
    fat += [fat_mark] * count
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(count * 512, b"\xff")
    sectors += [table[at : at + 512] for at in range(0, len(table), 512)]
    header = struct.pack("<8s16s6H10I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, 0,
                         0, 0, count, directory_at, 0, 4096, end, 0, end, 0)  # fmt: skip
    allocation = [*range(fat_at, fat_at + count)] + [free] * (109 - count)
    return header + struct.pack("<109I", *allocation) + b"".join(sectors)


def mail_of(attachment: bytes, *, forwarded: bool = False) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "holiday"
    message.set_content("words")
    message.add_alternative("<html><body>words</body></html>", subtype="html")
    message.add_attachment(attachment, maintype="image", subtype="jpeg", filename="beach.jpg")
    if not forwarded:
        return message.as_bytes()
    outer = EmailMessage()
    outer["Subject"] = "forwarded"
    outer.set_content("see below")
    outer.add_attachment(message)
    return outer.as_bytes()


def pdf_of(*pages: list[Image.Image], form: str = "JPEG") -> bytes:
    document = FPDF()
    for pictures in pages:
        document.add_page()
        document.set_font("helvetica", size=12)
        document.cell(text="words above the pictures")
        for number, picture in enumerate(pictures):
            document.image(io.BytesIO(file_of(picture, form)), x=20, y=30 + 110 * number, w=100)
    return bytes(document.output())


def video_of(form: str, codec: str, frames: int = 12) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=6)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(frames):
            picture = np.asarray(draw_scene(number // 4, (96, 64)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def every_container() -> dict[str, bytes]:
    """Small containers of every kind that is looked into, some in each other."""
    scenes = [draw_scene(seed, (96, 64)) for seed in range(4)]
    members = {f"{n}.jpg": file_of(scene, "JPEG", quality=80) for n, scene in enumerate(scenes)} | {"a.txt": b"words"}
    animation = {"save_all": True, "append_images": scenes[1:], "duration": 200}
    pdf = pdf_of(scenes[:1], scenes[1:3], form="PNG")
    picture = members["0.jpg"]
    return {
        "zip": zip_of(members),
        "zip-stored": zip_of(members | {"a.pdf": pdf}, zipfile.ZIP_STORED),
        "tar": tar_of(members),
        "tar.gz": tar_of(members, "w:gz"),
        "tar.zst": zstandard.compress(tar_of(members)),
        "xz": lzma.compress(picture),
        "7z": seven_zip_of(members),
        "rar": rar_of(members),
        "pdf": pdf,
        "pdf-jpeg": pdf_of(scenes[:2]),
        "mail": mail_of(picture, forwarded=True),
        "ole": compound_of({"Data": bytes(100) + picture, "WordDocument": bytes(5000)}),
        "html": b"<html><img src='data:image/png;base64," + base64.b64encode(file_of(scenes[0], "PNG")) + b"'></html>",
        "gif": file_of(scenes[0].quantize(64), "GIF", **animation),
        "webp": file_of(scenes[0], "WEBP", **animation),
        "apng": file_of(scenes[0], "PNG", **animation),
        "avif": file_of(scenes[0], "AVIF", **animation),
        "tiff": file_of(draw_scene(0, (96, 64)), "TIFF", save_all=True, append_images=[draw_scene(5, (96, 64))]),
        "heic": file_of(scenes[0], "HEIF", **animation),
        "polyglot": picture + zip_of({"b.jpg": members["1.jpg"]}),
        "mp4": video_of("mp4", "mpeg4"),
        "webm": video_of("webm", "libvpx"),
    }


def unpacked(zipped: bytes, password: str | None = None) -> dict[str, bytes]:
    import pyzipper

    with pyzipper.AESZipFile(io.BytesIO(zipped)) as archive:
        if password:
            archive.setpassword(password.encode())
        return {name: archive.read(name) for name in archive.namelist()}
