"""E-mail and MHTML: every body and attachment (RFC 5322, RFC 2045, RFC 2557)."""

import binascii
import string
from collections.abc import Iterator
from email.feedparser import BytesFeedParser
from email.message import Message
from itertools import chain

from tutela._native import has_row
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import files_in, runs_in
from tutela.content.media.confined.loose_parts import loose_parts
from tutela.content.media.confined.parts import InnerFile, Part, Unread, unreadable
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.plain import is_text
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_NOT_IN_BODY = bytes(chr(n) not in string.ascii_letters + string.digits + "+/=\r\n" for n in range(256))
_LONGEST_SIGNATURE = 64 * 1024


class Mail:
    """The parts of a message, and of messages within it."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        raw = bytes(content.data)
        message = _read(raw)
        decoded: list[bytes] = []
        seen: list[bytes] = []
        """Bodies as they stand."""
        read: list[bytes] = []
        """Those of them that were read as base64."""
        for number, part in enumerate(message.walk(), start=1):
            budget.check_time()
            name = f"part {number}"
            if part.get_content_type() == "message/partial":
                yield Unread(name, UnscreenableError(Shortcoming.PARTLY_SCREENED, "it is one piece of a longer mail"))
            if part.is_multipart():
                for text in (part.preamble, part.epilogue):  # what no mail program shows, and every editor
                    if text and text.strip():
                        yield InnerFile(name, text.encode("utf-8", "surrogateescape"))
                continue
            try:
                name = part.get_filename() or name
                letters = _letters(part)
                whole = _whole(letters) if letters is not None else None
                payload = part.get_payload(decode=True) if whole is None else whole
            except Exception as error:  # headers and encodings may be anything
                yield Unread(name, unreadable("the part", error))
                continue
            (seen if letters is None else read).append(_as_it_stands(part))
            if isinstance(payload, bytes) and payload:
                budget.spend_bytes(len(payload))
                if letters is not None and (whole is not None or _is_clean(letters)) and sniff(payload) is not None:
                    decoded.append(letters)
                yield InnerFile(name, payload, may_be_unknown=_is_signature(part.get_content_type(), payload))
        # Programs differ in where a part ends and what its encoding is: what stands in letters anywhere counts, too.
        if not is_text(raw):
            yield from carve(memoryview(raw), budget)
        embedded = chain(
            (data for _, data in files_in(raw, budget)),
            runs_in(raw, budget, decoded),
            loose_parts(raw, seen, read, budget),
        )
        for number, data in enumerate(embedded, start=1):
            budget.spend_bytes(len(data))
            yield InnerFile(f"embedded {number}", data, speculative=True)


def _read(raw: bytes) -> Message:
    """In one piece, which is faster than the pieces of 8 KiB in which `email.message_from_bytes` reads it."""
    parser = BytesFeedParser()
    parser.feed(raw)
    return parser.close()


def _as_it_stands(part: Message) -> bytes:
    text = part.get_payload()
    return text.encode("utf-8", "surrogateescape").strip() if isinstance(text, str) else b""


def _letters(part: Message) -> bytes | None:
    """The text of a body in base64, as it stands in the mail. None of any other body."""
    text = part.get_payload()
    encoding = str(part.get("content-transfer-encoding", "")).lower()
    if encoding != "base64" or not isinstance(text, str) or not text.isascii():
        return None
    return text.encode("ascii").strip()


def _whole(letters: bytes) -> bytes | None:
    """What such a body stands for, where it is whole and clean: then every reader decodes the same, and this in half
    the time."""
    try:
        return binascii.a2b_base64(letters.replace(b"\n", b"").replace(b"\r", b""), strict_mode=True)
    except binascii.Error:
        return None


def _is_clean(letters: bytes) -> bool:
    """Whether nothing is between the lines of such a body: whoever reads it at all reads the same."""
    return not has_row(letters, _NOT_IN_BODY, 1)


def _is_signature(claimed: str, payload: bytes) -> bool:
    """What is called a signature and begins like one (RFC 8551: a SEQUENCE in DER): no mail program shows it."""
    return claimed in _SIGNATURES and payload[:1] == b"\x30" and len(payload) <= _LONGEST_SIGNATURE
