"""A referral to an authority: the same sections as JSON for machines, and as HTML and PDF to be read and printed.

No picture is in any of them; the evidence lies beside them in the bundle, by the numbers that the sections give.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tutela._version import __version__
from tutela.casework.reports.bundle import file_path
from tutela.casework.reports.cybertipline.elements import writable
from tutela.casework.reports.details import moment_of, truth_of
from tutela.casework.reports.incident import Incident, IncidentFile, neutral_name
from tutela.casework.reports.options import Organisation
from tutela.casework.reports.pages import page
from tutela.screening.sentences import listed_by, sentence


@dataclass(frozen=True, slots=True)
class Authority:
    """To whom a referral goes, and on what ground."""

    name: str
    ground: str


NCA = Authority("National Crime Agency (UK)", "Online Safety Act 2023 (UK), section 66, and SI 2026/268")
IWF = Authority("Internet Watch Foundation (UK)", "referral by agreement with the IWF")
POLICE = Authority("Law enforcement", "referral by the service, or an answer to its request")
AUTHORITIES = {"nca": NCA, "iwf": IWF, "police": POLICE}


@dataclass(frozen=True, slots=True)
class Section:
    """A title and its rows of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Referral:
    """What is said to an authority."""

    authority: Authority
    organisation: Organisation
    incident: Incident
    made_at: datetime
    urgent: str = ""
    """Why a child may be in danger now; empty where nothing says so."""

    def sections(self) -> tuple[Section, ...]:
        """Everything that the referral says, in the order in which it is read."""
        return tuple(_sections(self))

    def json(self) -> bytes:
        """The referral for machines."""
        document = {
            "referral": 1,
            "made_by": f"Tutela {__version__}",
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "authority": self.authority.name,
            "ground": self.authority.ground,
            "urgent": self.urgent or None,
            "organisation": {name: getattr(self.organisation, name) for name in self.organisation.__slots__},
            "case": self.incident.case_id,
            "happened_at": self.incident.at.isoformat(),
            "account": dict(self.incident.details),
            "files": [_file_document(number, file) for number, file in enumerate(self.incident.files, 1)],
        }
        return json.dumps(document, indent=1).encode()

    def html(self) -> bytes:
        """The referral as a page without anything that is loaded from elsewhere."""
        return page("referral.html", referral=self, sections=self.sections()).encode()

    def pdf(self) -> bytes:
        """The referral to be printed."""
        return _pdf(f"Referral to {self.authority.name}", self.sections(), self.made_at)


def _sections(referral: Referral) -> Iterator[Section]:
    incident, us = referral.incident, referral.organisation
    yield Section(
        "Referral",
        _rows(
            ("To", referral.authority.name),
            ("Ground", referral.authority.ground),
            ("Made", _shown(referral.made_at)),
            ("Urgent", referral.urgent or "nothing known says that a child is in danger now"),
            ("Case", incident.case_id),
            ("Happened", _shown(incident.at)),
            ("Files", str(len(incident.files))),
        ),
    )
    yield Section(
        "Who refers",
        _rows(
            ("Company", us.name),
            ("Service", us.service),
            ("Contact", " ".join(filter(None, (us.contact_first_name, us.contact_last_name)))),
            ("E-mail", us.contact_email),
            ("Phone", us.contact_phone),
            ("For legal process", us.legal_url),
            ("Country", us.country),
        ),
    )
    yield Section("The account, as the platform gave it", _rows(*sorted(incident.details.items())))
    for number, file in enumerate(incident.files, 1):
        yield Section(f"File {number}", tuple(_file_rows(number, file)))


def _file_rows(number: int, file: IncidentFile) -> Iterator[tuple[str, str]]:
    public = truth_of(file.details, "public")
    yield from _rows(
        ("In the bundle", file_path(number, neutral_name(file))),
        ("Name given by the uploader", file.details.get("file_name")),
        ("Uploaded", _shown(moment_of(file.details, "uploaded_at") or file.at)),
        ("From address", file.details.get("ip_address")),
        ("Where it was", file.details.get("url")),
        ("Was public", None if public is None else "yes" if public else "no"),
        ("Type and size", f"{file.media_type or 'unknown type'}, {file.length:,} bytes"),
        ("Class", file.label),
        ("Seen by a person of the company", "yes" if file.viewed else "no"),
        ("MD5", file.md5),
        ("SHA-1", file.sha1),
        ("SHA-256", file.sha256),
    )
    for match in file.matches[:20]:
        where = f" in {match.part}" if match.part else ""
        yield ("Found by", f"{sentence(match)}{where} ({match.signal}); listed by {listed_by(match)}")


def _file_document(number: int, file: IncidentFile) -> dict[str, object]:
    return {
        "number": number,
        "path": file_path(number, neutral_name(file)),
        "item": file.item,
        "uploaded_at": (moment_of(file.details, "uploaded_at") or file.at).isoformat(),
        "media_type": file.media_type,
        "bytes": file.length,
        "label": file.label,
        "viewed_by_company": file.viewed,
        "md5": file.md5,
        "sha1": file.sha1,
        "sha256": file.sha256,
        "matches": [
            {
                "signal": match.signal,
                "distance": match.distance,
                "threshold": match.threshold,
                "sentence": sentence(match),
                "value": match.value,
                "list": match.bank,
                "entry": match.entry_id,
                "listed_by": match.source,
                "reference": match.reference,
                "label": match.label,
                "part": match.part,
            }
            for match in file.matches
        ],
        "details": dict(file.details),
    }


def _rows(*rows: tuple[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((name, writable(value)) for name, value in rows if value)


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _pdf(title: str, sections: Sequence[Section], made_at: datetime) -> bytes:
    import matplotlib
    from fpdf import FPDF
    from fpdf.enums import XPos, YPos
    from fpdf.fonts import FontFace, TTFFont

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.set_creator(f"Tutela {__version__}")
    pdf.set_creation_date(made_at)
    pdf.add_font("DejaVu", "", fonts / "DejaVuSans.ttf")
    pdf.add_font("DejaVu", "B", fonts / "DejaVuSans-Bold.ttf")
    font = pdf.fonts["dejavu"]
    assert isinstance(font, TTFFont)
    known = frozenset(font.cmap)
    pdf.set_margin(18)
    pdf.add_page()
    pdf.set_font("DejaVu", "B", 15)
    pdf.multi_cell(0, 8, title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    for section in sections:
        pdf.ln(4)
        pdf.set_font("DejaVu", "B", 11)
        pdf.multi_cell(0, 7, section.title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        pdf.set_font("DejaVu", "", 8.5)
        with pdf.table(
            col_widths=(32, 68),
            first_row_as_headings=False,
            headings_style=FontFace(emphasis="BOLD"),
            line_height=4.6,
            padding=0.8,
            text_align="LEFT",
        ) as table:
            for name, value in section.rows or (("", "nothing was given"),):
                row = table.row()
                row.cell(_printable(name, known))
                row.cell(_printable(value, known))
    pdf.ln(4)
    pdf.set_font("DejaVu", "", 7.5)
    pdf.multi_cell(0, 4, _FOOTNOTE)
    return bytes(pdf.output())


_FOOTNOTE = (
    "Characters that this document's font lacks are written as \\u and their number; referral.html and referral.json"
    " have them as they are."
)


def _printable(text: str, known: Collection[int]) -> str:
    """The text with every character that the font cannot show written as an escape: none vanishes in print."""
    return "".join(
        character if ord(character) in known or character in "\n\t" else f"\\u{ord(character):04x}"
        for character in text
    )
