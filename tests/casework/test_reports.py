"""Reports made of a decided case: sensible defaults, everything said is kept, and the packages open with standard
tools."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.support.containers import unpacked
from tests.support.effort import effort
from tests.support.incidents import DETAILS, NOON, US, InMemory, decided_case
from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.seal import Recipients, ReviewKey, new_identity
from tutela.casework.reports.bundle import new_password
from tutela.casework.reports.case_uco import case_uco
from tutela.casework.reports.cybertipline.vocabulary import CaptureEvent, FileClassification, IncidentType
from tutela.casework.reports.details import moment_of
from tutela.casework.reports.incident import KNOWN_DETAILS, Incident, incident_of
from tutela.casework.reports.ncmec import preview
from tutela.casework.reports.package import referral_of, write_package
from tutela.casework.reports.seal import AgeSealing
from tutela.casework.reports.vics import vics
from tutela.errors import InputError, StoreError, TutelaError
from tutela.foundation.store.database import Store


@pytest.fixture
def evidence() -> InMemory:
    return InMemory()


@pytest.fixture
def incident(evidence: InMemory) -> Incident:
    return incident_of(decided_case(evidence), evidence)


# --- the CyberTipline draft


def test_a_case_becomes_a_report_with_its_defaults(incident, schema):
    draft = preview(incident, US)
    assert draft.problems(schema) == []
    summary, (account,) = draft.report.incident_summary, draft.report.person_or_user_reported
    assert summary.incident_type is IncidentType.CHILD_PORNOGRAPHY
    assert summary.incident_date_time == datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
    assert account.esp_identifier == "user-77"
    assert account.screen_name == "näme"
    assert account.person_or_user_reported_person.email[0].verified is True
    (event,) = account.ip_capture_event
    assert (event.ip_address, event.event_name, event.port) == ("192.0.2.7", CaptureEvent.UPLOAD, 50123)
    assert account.additional_info == "album: summer"
    first = draft.files[0]
    assert first.md5 == hashlib.md5(b"benign one").hexdigest()
    assert first.details.industry_classification is FileClassification.A1
    assert first.details.file_viewed_by_esp is False
    assert first.details.publicly_available is False
    assert first.details.original_file_name == "holiday <b>.jpg"
    assert {found.hash_type for found in first.details.original_file_hash} == {"MD5", "SHA1", "SHA256"}
    assert "Nobody of the company has viewed it" in draft.report.additional_info
    page = draft.report.internet_details[0].web_page_incident
    assert page.url == ("https://example.test/p/1",)
    assert draft.report.reporter.reporting_person.email[0].address == "safety@example.test"
    assert "reviewer:1" not in draft.json().decode(), "who reviewed it stays with us"


def test_a_file_that_a_person_saw_whole_is_said_to_be_viewed(evidence):
    case = decided_case(evidence)
    draft = preview(incident_of(case, evidence, viewed={case.items[1].evidence_id}), US)
    assert [file.details.file_viewed_by_esp for file in draft.files] == [False, True]


def test_a_report_on_a_match_alone_says_so(evidence):
    case = decided_case(evidence)
    draft = preview(incident_of(case, evidence, items=[case.items[0]]), US)
    assert len(draft.files) == 1
    assert draft.files[0].details.file_viewed_by_esp is False
    assert "on the match alone" in draft.report.additional_info


def test_nothing_to_report_is_an_error(evidence):
    with pytest.raises(InputError, match="no confirmed item"):
        incident_of(decided_case(evidence, outcome=Outcome.REJECT), evidence)
    case = decided_case(evidence)
    evidence.contents.clear()
    with pytest.raises(TutelaError, match="no evidence"):
        incident_of(case, evidence)


def test_a_platform_that_says_nothing_still_gets_a_report(evidence, schema):
    draft = preview(incident_of(decided_case(evidence, details={}), evidence), US)
    assert draft.problems(schema) == []
    assert draft.report.person_or_user_reported == ()
    assert draft.report.incident_summary.incident_date_time == NOON


@settings(max_examples=effort(40, 400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    details=st.dictionaries(
        st.sampled_from(sorted(KNOWN_DETAILS)) | st.text(max_size=20), st.text(max_size=1000), max_size=30
    )
)
def test_whatever_the_platform_says_the_report_is_taken(schema, details):
    evidence = InMemory()
    incident = incident_of(decided_case(evidence, [b"x"], details), evidence)
    assert preview(incident, US).problems(schema) == []


def test_long_remarks_are_cut_and_say_so(evidence):
    details = {f"remark {number}": "x" * 900 for number in range(9)}
    draft = preview(incident_of(decided_case(evidence, details=details), evidence), US)
    text = draft.report.person_or_user_reported[0].additional_info
    assert text.endswith("(cut)")
    assert len(text) <= 3000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00+00:00", NOON),
        ("2026-03-01 13:00:00+01:00", NOON),
        ("2026-03-01T12:00:00", NOON),
        ("1772366400", NOON),
        ("1772366400.0", NOON),
        ("yesterday", None),
        ("", None),
        ("9" * 40, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_of_the_platform_are_read_or_left_out(text, expected):
    assert moment_of({"at": text}, "at") == expected


# --- sealed drafts


def test_only_the_review_key_opens_a_draft(incident):
    private, public = new_identity()
    sealed = AgeSealing(Recipients([public])).seal(preview(incident, US).json())
    assert b"user-77" not in sealed
    assert b"user-77" in AgeSealing(None, ReviewKey(private)).unseal(sealed)
    for key in (None, ReviewKey(new_identity()[0])):
        with pytest.raises(TutelaError, match="review key"):
            AgeSealing(Recipients([public]), key).unseal(sealed)
    with pytest.raises(TutelaError, match="recipients"):
        AgeSealing(None).seal(b"x")


# --- packages


@pytest.fixture
def audit() -> Iterator[AuditLog]:
    store = Store.create("sqlite://")
    yield AuditLog(store)
    store.close()


def test_a_package_for_a_key_has_everything_with_its_hashes(incident, evidence, audit, tmp_path):
    import pyrage

    key = pyrage.x25519.Identity.generate()
    path = tmp_path / "referral.zip.age"
    made = write_package(
        path, referral_of(incident, US, "nca"), evidence, recipients=[str(key.to_public())], audit=audit, actor="me"
    )
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert b"benign" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    found = unpacked(pyrage.decrypt(path.read_bytes(), [key]))
    manifest = json.loads(found["manifest.json"])
    assert made.manifest_sha256 == hashlib.sha256(found["manifest.json"]).hexdigest()
    assert {entry["path"] for entry in manifest["files"]} == set(found) - {"manifest.json"}
    for entry in manifest["files"]:
        assert entry["sha256"] == hashlib.sha256(found[entry["path"]]).hexdigest()
        assert entry["bytes"] == len(found[entry["path"]])
    assert sorted(content for name, content in found.items() if name.startswith("files/")) == [
        b"benign one", b"benign two"
    ]  # fmt: skip
    assert set(found) > {"referral.json", "referral.html", "referral.pdf", "vics.json", "case.jsonld"}
    (row,) = audit.rows()
    assert (row.actor, row.action, row.subject) == ("me", "report.packaged", f"case:{incident.case_id}")
    assert row.detail == {"to": "nca", "sha256": made.sha256, "manifest": made.manifest_sha256, "files": made.files}


def test_a_package_of_which_the_log_cannot_be_told_is_not_written(incident, evidence, audit, tmp_path):
    class Full(AuditLog):
        def record(self, *row: object) -> int:
            raise StoreError("the database does not answer")

    with pytest.raises(StoreError):
        write_package(
            tmp_path / "p.zip", referral_of(incident, US, "nca"), evidence,
            password=new_password(), audit=Full(audit.store), actor="me",
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_package_with_a_password_is_an_aes_zip(incident, evidence, audit, tmp_path):
    password = new_password()
    path = tmp_path / "referral.zip"
    write_package(path, referral_of(incident, US, "police"), evidence, password=password, audit=audit, actor="me")
    assert b"user-77" not in path.read_bytes()
    found = unpacked(path.read_bytes(), password)
    assert json.loads(found["referral.json"])["account"]["uploader"] == "user-77"
    with pytest.raises(RuntimeError):
        unpacked(path.read_bytes(), "another password than that")
    with zipfile.ZipFile(path) as archive:
        assert not any("holiday" in name for name in archive.namelist()), "names are not encrypted in a zip"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"password": "short"}, {"recipients": ["age1x"]}, {"recipients": ["age1x"], "password": "x" * 20}]
)
def test_a_package_is_never_written_without_sound_encryption(incident, evidence, audit, tmp_path, options):
    with pytest.raises(InputError):
        write_package(
            tmp_path / "p.zip", referral_of(incident, US, "nca"), evidence, audit=audit, actor="me", **options
        )
    assert list(tmp_path.iterdir()) == []


def test_a_package_whose_evidence_is_gone_leaves_nothing(incident, evidence, audit, tmp_path):
    evidence.contents.popitem()
    with pytest.raises(TutelaError):
        write_package(
            tmp_path / "p.zip",
            referral_of(incident, US, "nca"),
            evidence,
            password=new_password(),
            audit=audit,
            actor="me",
        )
    assert list(tmp_path.iterdir()) == []


def test_evidence_that_changed_is_not_packed(incident, evidence, audit, tmp_path):
    evidence.contents[incident.files[0].evidence] = b"something else"
    with pytest.raises(TutelaError, match="changed"):
        write_package(
            tmp_path / "p.zip",
            referral_of(incident, US, "nca"),
            evidence,
            password=new_password(),
            audit=audit,
            actor="me",
        )


def test_an_unknown_authority_is_said(incident):
    with pytest.raises(InputError, match="nca, iwf, police"):
        referral_of(incident, US, "kgb")


def test_a_referral_is_the_same_in_its_three_forms(incident):
    import pypdfium2

    referral = referral_of(incident, US, "nca", urgent="a message says so")
    html = etree.HTML(referral.html().decode())
    cells = [cell.text for cell in html.iter("td")]
    document = pypdfium2.PdfDocument(referral.pdf())
    text = "".join(page.get_textpage().get_text_range() for page in document).replace("\r\n", "").replace("\n", "")
    for value in ("user-77", "192.0.2.7", "holiday <b>.jpg", "a message says so", "Example Ltd"):
        assert value in cells
        assert value in text
    assert hashlib.sha256(b"benign one").hexdigest() in cells
    assert "名前" in cells
    assert "\\u540d\\u524d" in text, "what the font lacks is written as an escape"
    machine = json.loads(referral.json())
    assert machine["files"][0]["md5"] == hashlib.md5(b"benign one").hexdigest()
    assert machine["ground"].startswith("Online Safety Act")


def test_every_report_names_the_list_the_source_the_reference_and_how_near_the_match_is(incident):
    """An authority asks these first: whose hash it is, and how sure."""
    import pypdfium2

    referral = referral_of(incident, US, "nca")
    pages = pypdfium2.PdfDocument(referral.pdf())
    printed = " ".join("".join(page.get_textpage().get_text_range() for page in pages).split())
    filed = b"".join(preview(incident, US).xml()).decode()
    for text in (filed, referral.html().decode(), printed):
        for said in ("known", "example-list", "ref-7", "distance 4 of 31"):
            assert said in text
    named = json.loads(referral.json())["files"][0]["matches"][0]
    wanted = {"list": "known", "listed_by": "example-list", "reference": "ref-7", "distance": 4, "threshold": 31}
    assert {name: named[name] for name in wanted} == wanted


def test_a_referral_escapes_what_an_uploader_wrote(evidence):
    hostile = {
        "uploader": "<script>alert(1)</script>",
        "screen_name": '"><img src=x onerror=alert(1)>',
        "note": "\x00\ud800",
    }
    referral = referral_of(incident_of(decided_case(evidence, details=hostile), evidence), US, "iwf")
    html = referral.html().decode()
    assert "<script>" not in html
    assert "<img" not in html
    assert referral.pdf().startswith(b"%PDF")
    assert json.loads(referral.json())["account"]["uploader"] == "<script>alert(1)</script>"


# --- forms of police tools


def test_the_vics_document_has_each_file_by_its_hashes(incident):
    document = json.loads(vics(incident, US))
    assert document["@odata.context"].endswith("2.0.xml/UK/$metadata#Cases")
    (case,) = document["value"]
    assert case["ContactOrganization"] == "Example Ltd"
    first = case["Media"][0]
    assert first["MD5"] == hashlib.md5(b"benign one").hexdigest().upper()
    assert first["SHA1"] == hashlib.sha1(b"benign one").hexdigest().upper()
    assert first["MediaSize"] == 10
    assert first["Category"] == 0, "an industry class is no British category; the police categorise it"
    assert first["RelativeFilePath"].startswith("files\\0001-")
    assert json.loads(vics(incident, US, region="US"))["value"][0]["Media"][0]["Category"] == 1
    assert case["CaseID"] == json.loads(vics(incident, US))["value"][0]["CaseID"]


@pytest.fixture(scope="module")
def conforms() -> Iterator[Callable[[bytes], bool]]:
    """What the command `case_validate` says of a graph, with the ontology read once; a warning of it is an error."""
    from case_utils import case_validate
    from case_utils.case_validate.validate_types import NonExistentCDOConceptWarning
    from case_utils.case_validate.validate_utils import get_ontology_graph

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(case_validate, "get_ontology_graph", cache(get_ontology_graph))

        def validated(graph: bytes) -> bool:
            path = Path(folder) / "case.jsonld"
            path.write_bytes(graph)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("error", NonExistentCDOConceptWarning)
                found = case_validate.validate([str(path)], allow_infos=False, allow_warnings=False, inference=None)
            assert ("Conforms: True" in found.text) is found.conforms
            return bool(found.conforms)

        yield validated


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"ip_address": "2001:db8::1", "uploader": "", "file_name": 'a\nb"c'}],
)
def test_the_case_graph_conforms_to_the_ontology(evidence, conforms, changes):
    incident = incident_of(decided_case(evidence, details=DETAILS | changes), evidence)
    assert conforms(case_uco(incident, US))


@pytest.mark.slow
def test_a_wrong_graph_does_not_conform(incident, conforms):
    graph = json.loads(case_uco(incident, US))
    for node in graph["@graph"]:
        if node["@type"] == "uco-observable:ObservableRelationship":
            node["uco-core:isDirectional"] = "perhaps"
    assert not conforms(json.dumps(graph).encode())
    graph = json.loads(case_uco(incident, US))
    graph["@graph"][0]["uco-core:nobodyKnowsThis"] = "x"
    with pytest.raises(Warning, match="nobodyKnowsThis"):
        conforms(json.dumps(graph).encode())


def test_a_deployment_needs_nothing_that_the_extra_of_reports_brings():
    script = (
        "import sys, tutela.deployment.composition; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "tutela" in loaded
    assert not {"lxml", "httpx", "pydantic", "jinja2", "fpdf", "pyzipper", "matplotlib", "pyrage"} & set(loaded)


def test_an_incident_of_many_files_keeps_their_order(evidence):
    contents = [f"benign {number}".encode() for number in range(30)]
    incident = incident_of(decided_case(evidence, contents), evidence)
    draft = preview(incident, US)
    assert [file.md5 for file in draft.files] == [hashlib.md5(content).hexdigest() for content in contents]
    assert len(dataclasses.asdict(draft.report)["person_or_user_reported"]) == 1
