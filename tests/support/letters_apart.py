"""A whole file in letters that stand apart, as its readers join them."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping

from tests.support.looked import KNOWN
from tests.support.pictures import file_of

JPEG = file_of(KNOWN, "JPEG", quality=85)
BASE64 = base64.b64encode(JPEG).decode()


def apart(letters: str, between: str, every: int = 3) -> str:
    return between.join(letters[at : at + every] for at in range(0, len(letters), every))


def notebook(lines: Iterable[str] | str) -> str:
    return json.dumps({"cells": [{"outputs": [{"data": {"image/jpeg": lines}}], "cell_type": "code"}]}, indent=1)


def book(letters: str) -> str:
    binary = f'<binary id="a.jpg" content-type="image/jpeg">{letters}</binary>'
    return f'<?xml version="1.0"?><FictionBook><body><p>see</p></body>{binary}</FictionBook>'


def rich_text(between: str, every: int = 1) -> str:
    return "{\\rtf1 see {\\pict\\jpegblip\\picw240\\pich180 " + apart(JPEG.hex(), between, every) + "} there}"


def card(fold: str) -> str:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nPHOTO;ENCODING=b;TYPE=JPEG:{apart(BASE64, fold)}\r\nEND:VCARD\r\n"


def binhex(data: bytes, runs: Mapping[bytes, bytes] = {}) -> str:
    """BinHex 4.0 (RFC 1741) with those runs in its short form; what looks like the mark of one is escaped."""
    letters = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"

    def checked(part: bytes) -> bytes:
        return part + binascii.crc_hqx(part, 0).to_bytes(2)

    head = b"\x05a.jpg\x00JPEG????\x00\x00" + len(data).to_bytes(4) + bytes(4)
    short = {**runs, b"\x90": b"\x90\x00"}
    longest_first = b"|".join(map(re.escape, sorted(short, key=len, reverse=True)))
    whole = re.sub(longest_first, lambda found: short[found.group()], checked(head) + checked(data) + checked(b""))
    bits = "".join(f"{byte:08b}" for byte in whole)
    bits += "0" * (-len(bits) % 6)
    coded = ":" + "".join(letters[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6)) + ":"
    return "(This file must be converted with BinHex 4.0)\n\n" + "\n".join(re.findall(".{1,64}", coded)) + "\n"


APART = {
    "digits of RTF by lines": rich_text("\n"),
    "digits of RTF by blanks": rich_text(" "),
    "digits of RTF by groups": rich_text("{\\*\\zz}", 3),
    "digits of RTF by groups in groups": rich_text("{\\zz{\\yy a}b}", 5),
    "digits of RTF by controls": rich_text("\\ ", 1),
    "digits of RTF by words": rich_text("\\zz12 ", 3),
    "blanks in a book": book(apart(BASE64, " ", 1)),
    "comments in a book": book(apart(BASE64, "<!-- a -->", 4)),
    "sections in a book": book(apart(BASE64, "<![CDATA[]]>", 4)),
    "instructions in a book": book(apart(BASE64, "<?a b?>", 4)),
    "lines of all lengths": book(
        " ".join(apart(BASE64, "\n", 7).split("\n"))[:0] + apart(apart(BASE64, "\t", 11), "\n", 5)
    ),
    "a list of short strings": notebook(re.findall(".{1,3}", BASE64)),
    "a list of strings with ends of lines": notebook([f"{line}\n" for line in re.findall(".{1,9}", BASE64)]),
    "ends of lines in a string": notebook(apart(BASE64, "\n", 1)),
    "blanks in a string": notebook(apart(BASE64, " ", 2)),
    "folded lines": card("\r\n "),
    "lines folded by tabs": card("\n\t"),
    "hexadecimal by blanks": "see\n\n" + apart(JPEG.hex(), " ", 3) + "\n",
    "BinHex": binhex(JPEG),
}
