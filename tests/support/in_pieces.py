"""A picture in pieces, and what carries them."""

import base64
import json
import random
from collections.abc import Sequence
from email.message import EmailMessage

from PIL import Image

from tests.support.containers import zip_of
from tests.support.looked import KNOWN

LARGE = KNOWN.resize((720, 540), Image.Resampling.BICUBIC)


def pieces(across: int, down: int, picture: Image.Image = LARGE) -> list[Image.Image]:
    """In an order of their own. Where the sides are no multiples, the last ones are smaller."""
    width, height = -(-picture.width // across), -(-picture.height // down)
    boxes = [(x, y) for y in range(0, picture.height, height) for x in range(0, picture.width, width)]
    random.Random(across).shuffle(boxes)
    return [picture.crop((x, y, min(x + width, picture.width), min(y + height, picture.height))) for x, y in boxes]


def put_in_disorder(across: int, down: int) -> Image.Image:
    """One picture of all the pieces, as a page has it that moves each to its place."""
    some = pieces(across, down)
    whole = Image.new("RGB", LARGE.size)
    for number, piece in enumerate(some):
        whole.paste(piece, (number % across * piece.width, number // across * piece.height))
    return whole


def archive(files: Sequence[bytes]) -> bytes:
    return zip_of({"index.html": b"<p>see", **{f"{number}.bin": file for number, file in enumerate(files)}})


def presentation(files: Sequence[bytes]) -> bytes:
    parts = {f"ppt/media/image{number}.png": file for number, file in enumerate(files)}
    return zip_of({"[Content_Types].xml": b"<Types/>", "ppt/slides/slide1.xml": b"<p:sld/>", **parts})


def message(files: Sequence[bytes]) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "pieces"
    mail.set_content("see")
    for number, file in enumerate(files):
        mail.add_attachment(file, "image", "png", cid=f"<{number}@example.org>")
    return mail.as_bytes()


def page(files: Sequence[bytes]) -> bytes:
    shown = "".join(
        f'<img style="offset-path:path(\'M{number} 0\')" src="data:image/png;base64,{base64.b64encode(file).decode()}">'
        for number, file in enumerate(files)
    )
    return f"<!doctype html><html><body>{shown}</body></html>".encode()


def notebook(files: Sequence[bytes]) -> bytes:
    return json.dumps({f"{n}": base64.b64encode(file).decode() for n, file in enumerate(files)}).encode()


CARRIERS = {carry.__name__: carry for carry in (archive, presentation, message, page, notebook)}
