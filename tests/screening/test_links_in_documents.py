"""Links inside uploads: mails, web pages, Office documents and PDFs, found in the isolated worker and looked up."""

import email.message
import io
import zipfile

import pikepdf
import pytest
from fpdf import FPDF

from tutela.content.signals.registry import signal_type
from tutela.deployment.composition import Deployment
from tutela.lists.banks.model import Action, BankUse, NewEntry, Policy
from tutela.screening.decision import Decision
from tutela.screening.verdict import Verdict

LISTED = "http://gardens.example/roses?id=7"
FREE = "http://gardens.example/tulips"


def page(link: str) -> bytes:
    return f'<!doctype html><html><body><p>see <a href="{link}">this</a></p></body></html>'.encode()


def split_over_tags(link: str) -> bytes:
    middle = len(link) // 2
    text = f"<b>{link[:middle]}</b><i>{link[middle:]}</i>"
    return f"<!doctype html><html><body><p>see {text} there</p></body></html>".encode()


def in_references(link: str) -> bytes:
    return f"<!doctype html><p>see {''.join(f'&#{ord(letter)};' for letter in link)} there</p>".encode()


def mail(link: str) -> bytes:
    message = email.message.EmailMessage()
    message["Subject"] = "flowers"
    message.set_content(f"Look at {link.replace('http', 'hxxp')} soon ü", cte="quoted-printable")
    message.add_alternative(page(FREE).decode(), subtype="html", cte="base64")
    return message.as_bytes()


def document(link: str) -> bytes:
    """A Word document whose link is in its relations, as Word keeps it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", '<?xml version="1.0"?><Types/>')
        archive.writestr("word/document.xml", '<?xml version="1.0"?><w:document><w:t>see this</w:t></w:document>')
        relation = f'<Relationship Id="r1" Target="{link}" TargetMode="External"/>'
        archive.writestr(
            "word/_rels/document.xml.rels", f'<?xml version="1.0"?><Relationships>{relation}</Relationships>'
        )
    return made.getvalue()


def written_pdf(link: str) -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica")
    pdf.cell(text=f"see {link}")
    return bytes(pdf.output())


def clicked_pdf(link: str) -> bytes:
    """Its link is behind a word, in an object stream."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica")
    pdf.cell(text="see this", link=link)
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(bytes(pdf.output()))) as opened:
        opened.save(made, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    assert link.encode() not in made.getvalue()
    return made.getvalue()


def packed(link: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("letter.eml", mail(link))
    return made.getvalue()


FORMS = (page, split_over_tags, in_references, mail, document, written_pdf, clicked_pdf, packed)


@pytest.fixture(scope="module")
def knowing(tmp_path_factory):
    """A deployment that blocks one page, and that holds nothing for being text."""
    from tutela.content.media.limits import Limits
    from tutela.content.media.profile import Profile
    from tutela.deployment.composition import compose_deployment

    home = tmp_path_factory.mktemp("documents")
    with compose_deployment(home, decoders=1, limits=Limits(profile=Profile.FILES)) as deployment:
        deployment.banks.create("pages", policy=Policy(Action.BLOCK), actor="test")
        deployment.banks.create("names", policy=Policy(Action.BLOCK), uses={BankUse.DNS}, actor="test")
        entry = NewEntry("url", signal_type("url").parse(LISTED))
        deployment.banks.add("pages", [entry], actor="test")
        deployment.banks.add("names", [NewEntry("domain", signal_type("domain").parse("tulips.example"))], actor="test")
        deployment.refresh()
        yield deployment


def screened(deployment: Deployment, content: bytes) -> Verdict:
    return deployment.screener.screen(content)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_listed_page_is_found_wherever_a_document_links_to_it(knowing, form):
    verdict = screened(knowing, form(LISTED))
    assert verdict.decision is Decision.BLOCK
    assert {match.signal for match in verdict.matches} == {"url"}
    free = screened(knowing, form(FREE))
    assert free.decision is Decision.ALLOW, free.reasons


def test_a_list_for_resolvers_is_none_for_uploads(knowing):
    assert screened(knowing, page("http://tulips.example/")).decision is Decision.ALLOW


def test_the_part_says_where_the_link_lies(knowing):
    (match,) = screened(knowing, packed(LISTED)).matches
    assert match.part.startswith("letter.eml")


def test_more_links_than_are_read_are_held(knowing):
    many = "\n".join(f"http://host{number}.example/" for number in range(2_100))
    verdict = screened(knowing, f"<!doctype html><p>{many}</p>".encode())
    assert verdict.decision is Decision.HOLD
    assert any(reason.code == "partly-screened" for reason in verdict.reasons)
