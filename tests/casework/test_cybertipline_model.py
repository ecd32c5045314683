"""The CyberTipline model: everything that it can produce, the published schema takes; and the whole schema is in it."""

import dataclasses
import functools
import json
import types
import typing
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.support.effort import effort
from tests.support.incidents import NOON
from tests.support.standins.cybertipline import SCHEMA_FILE
from tests.support.tipline_reports import smallest_report
from tutela.casework.reports.cybertipline import incidents, people, report
from tutela.casework.reports.cybertipline.elements import Element, camel_case, lexical, writable
from tutela.casework.reports.cybertipline.incidents import InternetDetails, WebPageIncident
from tutela.casework.reports.cybertipline.people import Address, EstimatedLocation, Phone, TiplinePerson
from tutela.casework.reports.cybertipline.report import (
    FileDetails,
    IncidentSummary,
    LegalProcessAbroad,
    Metadata,
    Report,
)
from tutela.casework.reports.cybertipline.schema import Schema, problems
from tutela.casework.reports.cybertipline.vocabulary import (
    COUNTRIES,
    STATES,
    FileAnnotation,
    FileClassification,
    FileRelevance,
    IncidentType,
)
from tutela.casework.reports.draft import Draft, DraftFile
from tutela.errors import InputError, TutelaError

EXAMPLES = effort(40, 2_000)
"""How many reports the property tests make."""
XS = "{http://www.w3.org/2001/XMLSchema}"


# --- everything that the model can produce

_TEXT = st.text(max_size=12)
_ATOMS: dict[object, st.SearchStrategy[object]] = {
    str: _TEXT,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    date: st.dates(),
    datetime: st.datetimes(
        datetime(2, 1, 1),
        datetime(9998, 1, 1),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30, seconds=7))]),
    ),
}
_BY_NAME: dict[str, st.SearchStrategy[object]] = {
    "country": st.sampled_from(sorted(COUNTRIES)),
    "country_code": st.sampled_from(sorted(COUNTRIES)),
    "flea_country": st.sampled_from(sorted(COUNTRIES)),
    "state": st.sampled_from(sorted(STATES)),
    "country_calling_code": st.from_regex(r"\A\+[0-9]{1,3}\Z"),
    "extension": st.from_regex(r"\A[0-9]+\Z"),
}


def values(kind: object, name: str, bits: int) -> st.SearchStrategy[object]:
    """Any value of a field of the model."""
    if isinstance(kind, types.UnionType):
        inner = [one for one in typing.get_args(kind) if one is not type(None)]
        return st.none() | st.one_of(*[values(one, name, bits) for one in inner])
    if typing.get_origin(kind) is tuple:
        least = 1 if name == "name_value_pair" else 0
        return st.lists(values(typing.get_args(kind)[0], name, bits), min_size=least, max_size=2).map(tuple)
    if typing.get_origin(kind) is frozenset:
        return st.frozensets(st.sampled_from(typing.get_args(kind)[0]))
    if name in _BY_NAME:
        return _BY_NAME[name]
    if kind is int:
        return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if kind in _ATOMS:
        return _ATOMS[kind]
    assert isinstance(kind, type)
    if issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    assert issubclass(kind, Element)
    return elements(kind)


@st.composite
def elements(draw: st.DrawFn, kind: type[Element]) -> Element:
    """Any element of that type that the model lets be made."""
    fields = dict(fields_of(kind))  # type: ignore[arg-type]  # mypy takes Element, which defines __eq__ by its fields, as unhashable
    if kind is InternetDetails:
        name = draw(st.sampled_from(sorted(fields)))
        detail: Any = flat(hints_of(kind)[name])[0]
        details: dict[str, Any] = {name: draw(elements(detail))}
        return InternetDetails(**details)
    if kind is FileDetails:
        left_out = draw(st.sampled_from(["potential_meme", "file_annotations"]))
        fields.pop(left_out)
    return kind(**{name: draw(found) for name, found in fields.items()})


@functools.cache
def fields_of(kind: type[Element]) -> dict[str, st.SearchStrategy[object]]:
    """Any value of each field of an element, made once: hypothesis examines every strategy that is new to it."""
    hints = hints_of(kind)  # type: ignore[arg-type]
    return {
        field.name: values(hints[field.name], field.name, field.metadata.get("bits", 64))
        for field in dataclasses.fields(kind)
    }


@functools.cache
def hints_of(kind: type[Element]) -> dict[str, object]:
    return typing.get_type_hints(kind)


SLOWLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@SLOWLY
@given(elements(Report), elements(FileDetails))
def test_every_report_that_the_model_can_make_validates_and_is_read_back_as_it_was_written(schema, report, details):
    assert isinstance(report, Report)
    assert schema.problems(report.xml()) == []
    draft = Draft(report=report, files=(DraftFile(evidence="sealed", details=details),))
    assert Draft.read(draft.json()).xml() == draft.xml()
    assert Draft.read(draft.json()).json() == draft.json()


@SLOWLY
@given(elements(FileDetails))
def test_all_details_of_a_file_that_the_model_can_make_validate(schema, found):
    assert isinstance(found, FileDetails)
    assert schema.problems(found.xml()) == []


@given(st.text())
def test_any_text_is_carried_and_read_back_as_it_was_or_as_an_escape(text):
    node = dataclasses.replace(smallest_report(), additional_info=text)
    read = etree.fromstring(node.xml()).findtext("additionalInfo")
    assert read == writable(text)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"report": 1}', b'{"report": {"incident_summary": {}}}'])
def test_what_is_no_draft_is_refused_with_the_place(text):
    with pytest.raises(InputError, match="no draft"):
        Draft.read(text)


def test_a_draft_with_an_unknown_field_is_refused():
    text = json.loads(Draft(report=smallest_report()).json())
    text["report"]["additionalInfo"] = "a name of the XML, not ours"
    with pytest.raises(InputError, match="additionalInfo"):
        Draft.read(json.dumps(text))


def test_what_xml_cannot_carry_is_written_as_an_escape():
    assert writable("a\x00b\x0c\r\nc\ud800\ufffed\U0001f600") == "a\\x00b\\x0c\r\nc\\ud800\\ufffed\U0001f600"


# --- the whole schema is in the model


def model_tree(kind: type[Element]) -> dict[str, object]:
    """The names below an element of the model, in order, with what is below each."""
    tree: dict[str, object] = {}
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name = field.metadata.get("name") or camel_case(field.name)
        how = field.metadata.get("kind", "element")
        if how == "content":
            continue
        below = [one for one in flat(hints[field.name]) if isinstance(one, type)]
        child = next((one for one in below if issubclass(one, Element)), None)
        flags = next((one for one in below if issubclass(one, StrEnum)), None)
        if how == "attribute":
            tree[f"@{name}"] = {}
        elif typing.get_origin(hints[field.name]) is frozenset and flags:
            tree[name] = {flag.value: {} for flag in flags}
        else:
            tree[name] = model_tree(child) if child else {}
    return tree


def flat(kind: object) -> list[object]:
    return [kind] if not typing.get_args(kind) else [one for part in typing.get_args(kind) for one in flat(part)]


class SchemaTree:
    """The names below an element of the published schema, in the same form."""

    def __init__(self, path: Path) -> None:
        root = etree.parse(path).getroot()
        self.elements = {node.get("name"): node for node in root.findall(f"{XS}element")}
        self.types = {node.get("name"): node for node in root.findall(f"{XS}complexType")}

    def of(self, name: str) -> dict[str, object]:
        return self._below(self.elements[name])

    def _below(self, node: etree._Element) -> dict[str, object]:
        kind = node.get("type")
        if kind in self.types:
            node = self.types[kind]
        tree: dict[str, object] = {}
        for found in node.iter(f"{XS}element", f"{XS}attribute"):
            inside = [outer for outer in found.iterancestors(f"{XS}element") if outer is not node]
            if any(outer in node.iter() and outer is not node for outer in inside):
                continue
            if found is node:
                continue
            if found.tag == f"{XS}attribute":
                tree[f"@{found.get('name')}"] = {}
            elif found.get("ref"):
                tree[found.get("ref")] = self.of(found.get("ref"))
            else:
                tree[found.get("name")] = self._below(found)
        return tree


@pytest.mark.parametrize(("name", "kind"), [("report", Report), ("fileDetails", FileDetails)])
def test_every_element_and_attribute_of_the_schema_is_reachable(schema, name, kind):
    assert model_tree(kind) == SchemaTree(SCHEMA_FILE).of(name)


def test_every_value_of_the_schemas_closed_sets_is_known(schema):
    root = etree.parse(SCHEMA_FILE).getroot()
    sets = {
        node.get("name"): {value.get("value") for value in node.iter(f"{XS}enumeration")} - {""}
        for node in root.findall(f"{XS}simpleType")
    }
    ours = {
        kind.__name__: {one.value for one in kind}
        for kind in vars(people).values()
        if isinstance(kind, type) and issubclass(kind, StrEnum)
    } | {
        kind.__name__: {one.value for one in kind}
        for kind in vars(report).values()
        if isinstance(kind, type) and issubclass(kind, StrEnum)
    }
    same = {
        "incidentType": "IncidentType",
        "addressType": "AddressType",
        "emailType": "EmailType",
        "phoneType": "PhoneType",
        "ipCaptureType": "CaptureEvent",
        "associatedAccountType": "AssociatedAccountType",
        "fileRelevance": "FileRelevance",
        "fileClassification": "FileClassification",
        "metadataTypes": "MetadataType",
        "batchedReportReason": "BatchReason",
    }
    for theirs, name in same.items():
        assert ours[name] == sets[theirs], theirs
    assert set(COUNTRIES) == sets["country"]
    assert set(STATES) == sets["state"]
    assert len(dataclasses.fields(incidents.InternetDetails)) == 8


# --- what the model refuses


@pytest.mark.parametrize(
    "make",
    [
        lambda: InternetDetails(),
        lambda: InternetDetails(
            web_page_incident=WebPageIncident(), email_incident=incidents.EmailIncident(content="x")
        ),
        lambda: Address(country="Germany"),
        lambda: Address(country="gb"),
        lambda: Address(state="XX"),
        lambda: EstimatedLocation(country_code="ZZ"),
        lambda: LegalProcessAbroad(served=True, flea_country="Atlantis"),
        lambda: Phone(number="1", country_calling_code="44"),
        lambda: Phone(number="1", country_calling_code="+1234"),
        lambda: Phone(number="1", extension="12a"),
        lambda: Phone(number="1", extension="١"),
        lambda: Metadata(name_value_pair=()),
        lambda: FileDetails(potential_meme=True, file_annotations=frozenset({FileAnnotation.VIRAL})),
        lambda: TiplinePerson(age=2**31),
        lambda: TiplinePerson(date_of_birth=NOON),
        lambda: FileDetails(report_id=2**63),
        lambda: people.IpCaptureEvent(ip_address="192.0.2.1", date_time=datetime(2026, 1, 1)),
        lambda: people.IpCaptureEvent(
            ip_address="192.0.2.1", date_time=datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
        ),
        lambda: incidents.CellPhoneIncident(latitude=float("nan")),
    ],
)
def test_what_the_schema_would_refuse_cannot_be_made(make):
    with pytest.raises(InputError):
        make()


def test_times_are_written_in_utc():
    assert lexical(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"additional_info": " \n"}, "blank"),
        ({"additional_info": "x" * 3001}, "3,001"),
        (
            {
                "incident_summary": IncidentSummary(
                    incident_type=IncidentType.CHILD_PORNOGRAPHY, incident_date_time=NOON, escalate_to_high_priority=""
                )
            },
            "blank",
        ),
        ({"person_or_user_reported": (report.PersonOrUserReported(additional_info="\t"),)}, "blank"),
    ],
)
def test_the_rules_beside_the_schema_are_said(changes, expected):
    (found,) = problems(dataclasses.replace(smallest_report(), **changes))
    assert expected in found


def test_only_a_reported_file_is_classified():
    details = FileDetails(
        file_relevance=FileRelevance.SUPPLEMENTAL, industry_classification=FileClassification.A1, file_name="a"
    )
    assert "only a file of relevance Reported" in problems(smallest_report(), (details,))[0]
    assert problems(smallest_report(), (dataclasses.replace(details, file_relevance=FileRelevance.REPORTED),)) == []


def test_a_sound_report_has_no_problems(schema):
    assert problems(smallest_report(), (FileDetails(file_name="a.jpg"),), schema) == []


def test_a_document_with_a_document_type_is_refused_unread(schema):
    bomb = b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><report>&a;</report>'
    assert "document type" in schema.problems(bomb)[0]


def test_a_file_that_is_no_schema_is_said(tmp_path):
    (tmp_path / "no.xsd").write_text("<report/>")
    with pytest.raises(TutelaError, match="not the CyberTipline schema"):
        Schema.read(tmp_path / "no.xsd")
    with pytest.raises(InputError, match="cannot be read"):
        Schema.read(tmp_path / "missing.xsd")
