"""What the platform said is normalised in reports, or goes to their remarks in its own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.incidents import US, InMemory, decided_case
from tutela.casework.reports.details import AS_GIVEN, moment_of, normalised
from tutela.casework.reports.incident import KNOWN_DETAILS, incident_of
from tutela.casework.reports.ncmec import preview

NOON = "2026-03-01T12:00:00+00:00"
READ = [
    ("ip_address", " 192.0.2.7 ", {"ip_address": "192.0.2.7"}),
    ("ip_address", "192.0.2.7:50123", {"ip_address": "192.0.2.7", "ip_port": "50123"}),
    ("ip_address", "[2001:DB8::1]:443", {"ip_address": "2001:db8::1", "ip_port": "443"}),
    ("ip_address", "2001:0db8:0:0::0001", {"ip_address": "2001:db8::1"}),
    ("ip_address", "::ffff:192.0.2.7", {"ip_address": "192.0.2.7"}),
    ("ip_address", "fe80::1%eth0", {"ip_address": "fe80::1"}),
    ("ip_port", "050123", None),
    ("ip_port", "0443", {"ip_port": "443"}),
    ("uploaded_at", "2026-03-01T13:00:00+01:00", {"uploaded_at": NOON}),
    ("uploaded_at", "2026-03-01 12:00", {"uploaded_at": NOON}),
    ("uploaded_at", "2026-03-01T12:00:00Z", {"uploaded_at": NOON}),
    ("uploaded_at", "1772366400", {"uploaded_at": NOON}),
    ("uploaded_at", "1772366400000", {"uploaded_at": NOON}),
    ("uploaded_at", "1772366400000000", {"uploaded_at": NOON}),
    ("uploaded_at", "Sun, 01 Mar 2026 12:00:00 +0000", {"uploaded_at": NOON}),
    ("email", "Somebody <Some.Body@EXAMPLE.org>", {"email": "Some.Body@example.org"}),
    ("email", "mailto:a@example.org", {"email": "a@example.org"}),
    ("email_verified", "YES", {"email_verified": "true"}),
    ("public", "0", {"public": "false"}),
    ("country", "gb", {"country": "GB"}),
    ("date_of_birth", "2001-02-03", {"date_of_birth": "2001-02-03"}),
]
UNREAD = [
    *(("ip_address", text) for text in ("not known", "300.1.1.1", "192.0.2", "01.02.03.04", "host.example.org")),
    *(("ip_port", text) for text in ("0", "65536", "-1", "https", "99999999999999999999", "²")),
    *(("uploaded_at", text) for text in ("yesterday", "2026-13-01", "99999999999999999999999", "1.2.3")),
    *(("disabled_at", text) for text in ("no", "")),
    *(("email", text) for text in ("nobody", "a@b@c", "@example.org", "two words@example.org")),
    ("date_of_birth", "01/02/2003"),
    ("email_verified", "perhaps"),
    ("public", "perhaps"),
    ("country", "Great Britain"),
]


@pytest.mark.parametrize(("name", "text", "wanted"), READ)
def test_what_can_be_read_is_in_the_form_of_reports(name, text, wanted):
    assert normalised({name: text}) == (wanted or {f"{name}{AS_GIVEN}": text})


@pytest.mark.parametrize(("name", "text"), UNREAD)
def test_what_cannot_be_read_is_a_remark_in_its_own_words(name, text):
    assert normalised({name: text}) == ({f"{name}{AS_GIVEN}": text} if text else {})
    evidence = InMemory()
    incident = incident_of(decided_case(evidence, details={"uploader": "user-1", name: text}), evidence)
    report = preview(incident, US).report
    remarks = report.person_or_user_reported[0].additional_info
    assert remarks == (f"{name}{AS_GIVEN}: {text}" if text else None)


def test_a_chain_of_proxies_is_a_remark_and_its_first_the_address():
    chain = "192.0.2.7, 198.51.100.4"
    assert normalised({"ip_address": chain}) == {"ip_address": "192.0.2.7", f"ip_address{AS_GIVEN}": chain}


def test_a_port_that_is_said_stays():
    said = normalised({"ip_address": "192.0.2.7:1000", "ip_port": "2000"})
    assert said == {"ip_address": "192.0.2.7", "ip_port": "2000"}


def test_a_country_that_the_schema_lacks_is_a_remark():
    evidence = InMemory()
    incident = incident_of(decided_case(evidence, details={"uploader": "user-1", "country": "QQ"}), evidence)
    (account,) = preview(incident, US).report.person_or_user_reported
    assert (account.estimated_location, account.additional_info) == (None, f"country{AS_GIVEN}: QQ")


@given(st.dictionaries(st.sampled_from(sorted(KNOWN_DETAILS)), st.text(max_size=60)))
def test_nothing_that_is_said_is_lost(details):
    said = normalised(details)
    for name, text in details.items():
        if text.strip():
            assert name in said or said[f"{name}{AS_GIVEN}"] == text.strip()
    assert normalised(said) == said
    if "uploaded_at" in said:
        assert moment_of(said, "uploaded_at") is not None
