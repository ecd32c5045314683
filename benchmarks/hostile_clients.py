"""Clients that mean harm, in a process of their own: `python -m benchmarks.hostile_clients KIND PORT KEY [FILE]`.

Contents are small and costly, and drawn here; whoever sends them does so without end, until the process is ended.
"""

import contextlib
import http.client
import io
import json
import os
import random
import socket
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image, ImageDraw

CLIENTS = 8
STANDING = 160
CONNECTIONS = 3_000


def dots() -> bytes:
    """A GIF of frames that change one pixel each of a large picture."""
    first = Image.new("P", (1200, 1200))
    first.putpalette([value for grey in range(256) for value in (grey, grey, grey)])
    frames = []
    for number in range(300):
        frame = first.copy()
        frame.putpixel((number, number % 1200), 1 + number % 255)
        frames.append(frame)
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=40, disposal=1)
    return file.getvalue()


def drawing() -> bytes:
    """A PDF of two kilobytes whose page draws a form that draws a form ten times, and so on."""
    depth, spread = 7, 10
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"]
    resources = b"/Resources<</XObject<</F %d 0 R>>>>"
    objects.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]" + resources % 5 + b"/Contents 4 0 R>>")
    objects.append(_stream(b"", b"/F Do"))
    for level in range(depth):
        ink = b"0.9 0 0 0.9 %d 7 cm /F Do\n" % level * spread if level < depth - 1 else b"0 0 300 300 re f"
        form = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]" + (resources % (6 + level) if level < depth - 1 else b"")
        objects.append(_stream(form, ink))
    file, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(file))
    return file + head + table + tail


def _stream(entries: bytes, content: bytes) -> bytes:
    packed = zlib.compress(content)
    return b"<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (entries, len(packed), packed)


def album() -> bytes:
    """A ZIP of 400 different drawings of a megapixel and a half, a few kilobytes each."""
    file, dice = io.BytesIO(), random.Random(7)
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(400):
            picture = Image.new("P", (1500, 1000), 7)
            pen = ImageDraw.Draw(picture)
            for _ in range(12):
                corner = dice.randrange(1400), dice.randrange(900)
                pen.ellipse((*corner, corner[0] + 300, corner[1] + 300), fill=dice.randrange(256))
            drawn = io.BytesIO()
            picture.save(drawn, "PNG")
            archive.writestr(f"{number}.png", drawn.getvalue())
    return file.getvalue()


def bomb() -> bytes:
    """A ZIP in a ZIP of a quarter of a gigabyte of zeros."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros.png", "w") as zeros:
        for _ in range(256):
            zeros.write(bytes(1 << 20))
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", inner.getvalue())
    return outer.getvalue()


CONTENTS: Mapping[str, Callable[[], bytes]] = {
    "a GIF of dots": dots,
    "a small PDF that draws without end": drawing,
    "an archive of many drawings": album,
    "a bomb": bomb,
}


def send(port: int, key: str, content: bytes, name: Callable[[], str]) -> None:
    """One client: the content again and again, each time under a name."""
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            context = json.dumps({"details": {"uploader": name()}})
            headers = {"Authorization": f"Bearer {key}", "Tutela-Context": context}
            connection.request("POST", "/v1/screen", content, headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            if answer.status == 503:
                time.sleep(0.1)


def stand(port: int, head: bytes, many: int) -> None:
    """So many connections that begin a request and do not go on; whoever is sent away comes back."""
    held: list[socket.socket] = []
    while True:
        while len(held) < many:
            with contextlib.suppress(OSError):
                one = socket.create_connection(("127.0.0.1", port), 5)
                one.sendall(head)
                one.setblocking(False)
                held.append(one)
        time.sleep(0.5)
        held = [one for one in held if _is_open(one)]


def _is_open(one: socket.socket) -> bool:
    try:
        if one.recv(4096):
            return True
    except BlockingIOError:
        return True
    except OSError:
        pass
    one.close()
    return False


def main() -> None:
    """Be hostile in the way of the first argument."""
    kind, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.nice(10)  # as if they were elsewhere
    threading.stack_size(256 * 1024)
    if kind == "bodies":
        stand(port, b"POST /v1/screen HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 9999\r\n\r\nx"
              % key.encode(), STANDING)  # fmt: skip
    elif kind == "connections":
        stand(port, b"GET / HTTP/1.1\r\n", CONNECTIONS)
    else:
        content, number = Path(sys.argv[4]).read_bytes(), iter(range(1 << 62))
        name = (lambda: f"another-{next(number)}") if kind == "names" else (lambda: "hostile")
        for _ in range(CLIENTS - 1):
            threading.Thread(target=send, args=(port, key, content, name), daemon=True).start()
        send(port, key, content, name)


if __name__ == "__main__":
    main()
