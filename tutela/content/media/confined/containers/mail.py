"""E-mail and MHTML: every body and attachment (RFC 5322, RFC 2045, RFC 2557)."""

import email
import string
from collections.abc import Iterator
from email.message import Message

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import files_in, runs_in
from tutela.content.media.confined.parts import InnerFile, Part, Unread, unreadable
from tutela.content.media.content import Content
from tutela.content.media.plain import is_text
from tutela.content.media.sniff import sniff

_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_BODY = bytes(string.ascii_letters + string.digits, "ascii") + b"+/=\r\n"
_LONGEST_SIGNATURE = 64 * 1024


class Mail:
    """The parts of a message, and of messages within it."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        message = email.message_from_bytes(bytes(content.data))
        decoded: list[bytes] = []
        for number, part in enumerate(message.walk(), start=1):
            budget.check_time()
            name = f"part {number}"
            if part.is_multipart():
                for text in (part.preamble, part.epilogue):  # what no mail program shows, and every editor
                    if text and text.strip():
                        yield InnerFile(name, text.encode("utf-8", "surrogateescape"))
                continue
            try:
                name = part.get_filename() or name
                payload = part.get_payload(decode=True)
            except Exception as error:  # headers and encodings may be anything
                yield Unread(name, unreadable("the part", error))
                continue
            if isinstance(payload, bytes) and payload:
                budget.spend_bytes(len(payload))
                decoded += _letters(part, payload)
                yield InnerFile(name, payload, may_be_unknown=_is_signature(part.get_content_type(), payload))
        # Programs differ in where a part ends and what its encoding is: what stands in letters anywhere counts, too.
        raw = bytes(content.data)
        if not is_text(raw):
            yield from carve(memoryview(raw))
        for number, data in enumerate([*(data for _, data in files_in(raw)), *runs_in(raw, decoded)], start=1):
            budget.spend_bytes(len(data))
            yield InnerFile(f"embedded {number}", data, speculative=True)


def _letters(part: Message, payload: bytes) -> Iterator[bytes]:
    """The text of a body in base64 that is a file of a known type, as it stands in the mail."""
    text = part.get_payload()
    if part.get("content-transfer-encoding", "").strip().lower() == "base64" and isinstance(text, str):
        letters = text.encode("ascii", "surrogateescape").strip()
        # With nothing between its lines, so that whoever reads it at all reads the same.
        if not letters.translate(None, _BODY) and sniff(payload) is not None:
            yield letters


def _is_signature(claimed: str, payload: bytes) -> bool:
    """What is called a signature and begins like one (RFC 8551: a SEQUENCE in DER): no mail program shows it."""
    return claimed in _SIGNATURES and payload[:1] == b"\x30" and len(payload) <= _LONGEST_SIGNATURE
