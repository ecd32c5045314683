"""Containers of ordinary pictures: what unpacking and hashing every part of them costs, beside hashing the pictures."""

import io
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from email.message import EmailMessage

from PIL import Image

from benchmarks.pictures import SIZES, file_of, single
from benchmarks.report import Scale, Table, duration, in_turns
from tutela.content.media.limits import Limits
from tutela.content.views.view_set import ViewSet
from tutela.screening.inspection import examine

_PICTURES = {Scale.TINY: 2, Scale.USUAL: 12, Scale.FULL: 12}
_ROUNDS = {Scale.TINY: 1, Scale.USUAL: 5, Scale.FULL: 15}


def run(scale: Scale) -> Iterator[Table]:
    """One table: containers of the same pictures."""
    size = "0.3 MP" if scale is Scale.TINY else "1 MP"
    pictures = [single(SIZES[size], number) for number in range(_PICTURES[scale])]
    jpegs = [file_of(picture, "JPEG", quality=85) for picture in pictures]
    contents = containers_of(pictures, jpegs)
    functions = [lambda data=data: look(data) for data in contents.values()]
    taken = in_turns([lambda: [look(jpeg) for jpeg in jpegs], *functions], _ROUNDS[scale], time.process_time)
    table = Table(
        f"{len(jpegs)} photos of {size} in a container, opaque and without profiles, one core",
        ("container", "bytes", "processor time", "of the photos alone"),
        "Plain hashes; everything inside is unpacked, searched and hashed in this process.",
    )
    table.add("the photos alone, one by one", f"{sum(map(len, jpegs)):,}", duration(taken[0]), "")
    for (name, data), seconds in zip(contents.items(), taken[1:], strict=True):
        table.add(name, f"{len(data):,}", duration(seconds), f"{seconds / taken[0]:.2f}")
    yield table


def containers_of(pictures: list[Image.Image], jpegs: list[bytes]) -> Mapping[str, bytes]:
    """The pictures, in each container, by its name."""
    tar, document, animation, pages = (io.BytesIO() for _ in range(4))
    with tarfile.open(fileobj=tar, mode="w:gz") as packed:
        for number, jpeg in enumerate(jpegs):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(jpeg)
            packed.addfile(member, io.BytesIO(jpeg))
    pictures[0].save(document, "PDF", save_all=True, append_images=pictures[1:])
    small = [picture.resize((480, 320)) for picture in pictures]
    small[0].save(animation, "GIF", save_all=True, append_images=small[1:], duration=100)
    small[0].save(pages, "TIFF", save_all=True, append_images=small[1:])
    mail = EmailMessage()
    mail["Subject"] = "photos"
    mail.set_content("words")
    for number, jpeg in enumerate(jpegs):
        mail.add_attachment(jpeg, maintype="image", subtype="jpeg", filename=f"{number}.jpg")
    return {
        "ZIP": zip_of(jpegs),
        "TAR in gzip": tar.getvalue(),
        "mail": mail.as_bytes(),
        "PDF": document.getvalue(),
        "GIF of 480 × 320": animation.getvalue(),
        "TIFF of 480 × 320": pages.getvalue(),
    }


def zip_of(jpegs: list[bytes]) -> bytes:
    """The pictures in a ZIP archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for number, jpeg in enumerate(jpegs):
            zipped.writestr(f"{number}.jpg", jpeg)
    return archive.getvalue()


def look(data: bytes) -> int:
    """How many parts an examination answers in."""
    options = {"mode": "fast", "limits": asdict(Limits(views=ViewSet.PLAIN, timeout_s=600.0))}
    return sum(1 for _ in examine(memoryview(data), options))
