"""The CyberTipline's calls against the strict stand-in, which is checked itself: it refuses every wrong request with
the right code, and takes what an independent implementation makes."""

import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from tests.support.incidents import NOON
from tests.support.standins.cybertipline import DAY_S, HOUR_S, HTTP_STATUS, Account, CyberTiplineStandIn
from tests.support.tipline_reports import smallest_report
from tests.support.waiting import PATIENCE_S
from tutela.casework.reports.cybertipline.answers import TiplineRefusedError, UncertainError, read_answer
from tutela.casework.reports.cybertipline.client import CyberTipline
from tutela.casework.reports.cybertipline.environment import ADDRESSES, Environment
from tutela.casework.reports.cybertipline.report import FileDetails
from tutela.casework.reports.cybertipline.vocabulary import FileClassification, FileRelevance, IncidentType
from tutela.errors import InputError

NPM_PACKAGE = "cybertipline-tools@0.2.3"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ncmec(cybertipline: tuple[CyberTiplineStandIn, str], clock: Clock) -> CyberTiplineStandIn:
    cybertipline[0].reset(clock)
    return cybertipline[0]


@pytest.fixture
def address(cybertipline: tuple[CyberTiplineStandIn, str], ncmec: CyberTiplineStandIn) -> str:
    return cybertipline[1]


@pytest.fixture
def tipline(address: str) -> Iterator[CyberTipline]:
    tipline = CyberTipline("esp", "secret", address=address)
    yield tipline
    tipline.close()


def opened(tipline: CyberTipline) -> int:
    number = tipline.submit(smallest_report()).report_id
    assert number is not None
    return number


# --- the calls


def test_a_report_is_opened_filled_described_and_finished(tipline, ncmec):
    assert tipline.status().code == 0
    number = opened(tipline)
    uploaded = tipline.upload(number, 'a "b"\\ü\n.jpg', io.BytesIO(b"benign"))
    assert uploaded.md5 == hashlib.md5(b"benign").hexdigest()
    assert uploaded.file_id is not None
    tipline.fileinfo(FileDetails(file_name="a.jpg", file_viewed_by_esp=False).of(number, uploaded.file_id))
    done = tipline.finish(number)
    assert done.report_id == number
    assert done.file_ids == (uploaded.file_id,)
    (report,) = ncmec.finished()
    assert report.files[0].details is not None
    assert report.files[0].details.findtext("fileViewedByEsp") == "false"


def test_the_code_counts_whatever_the_http_status_is(tipline, ncmec):
    ncmec.always_200 = True
    with pytest.raises(TiplineRefusedError) as refused:
        tipline.finish(7)
    assert refused.value.response_code == 5001
    assert "Request-ID request-" in str(refused.value)


def test_the_client_fetches_the_schema(tipline):
    assert tipline.schema().problems(smallest_report().xml()) == []


@pytest.mark.parametrize(
    ("code", "passing"), [(1000, True), (1111, True), (1300, True), (2000, False), (4100, False), (5002, False)]
)
def test_a_refusal_says_whether_it_may_pass(tipline, ncmec, code, passing):
    ncmec.failures.append(("submit", code))
    with pytest.raises(TiplineRefusedError) as refused:
        tipline.submit(smallest_report())
    assert refused.value.response_code == code
    assert refused.value.passing is passing


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad Gateway</html>", b"<reportResponse/>", b"<reportResponse><responseCode>x</responseCode>"
     b"</reportResponse>", b"{}", b"<!DOCTYPE a><reportResponse><responseCode>0</responseCode></reportResponse>"],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_no_success(body):
    with pytest.raises(UncertainError):
        read_answer(body)


def test_a_server_that_is_not_there_is_uncertain():
    tipline = CyberTipline("a", "b", address="http://127.0.0.1:9")
    with pytest.raises(UncertainError):
        tipline.status()


@pytest.mark.parametrize("address", ["http://report.cybertip.org/ispws", "ftp://127.0.0.1", "report.cybertip.org", ""])
def test_credentials_and_reports_go_nowhere_in_clear(address):
    with pytest.raises(InputError, match="https"):
        CyberTipline("a", "b", address=address or "x")


def test_reports_go_to_the_test_server_unless_told_otherwise():
    assert CyberTipline("a", "b").address == ADDRESSES[Environment.TEST] == "https://exttest.cybertip.org/ispws"
    production = CyberTipline("a", "b", environment=Environment.PRODUCTION)
    assert production.address == "https://report.cybertip.org/ispws"


# --- the stand-in refuses what is wrong, with the right code

XML = {"Content-Type": "text/xml; charset=utf-8"}
GOOD = smallest_report().xml().decode()


def swapped(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


WRONG_REPORTS: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 4110),
    "no XML": (b"report", 4110),
    "XML cut short": (GOOD.encode()[:-9], 4110),
    "not UTF-8": (
        GOOD.encode().replace(b"<reportingPerson/>", b"<reportingPerson>\xff\xfe</reportingPerson>"), 4110),
    "an entity": (b'<!DOCTYPE r [<!ENTITY a "b">]>' + GOOD.encode().split(b"?>", 1)[1], 4110),
    "a bare ampersand": (swapped("</report>", "<additionalInfo>a & b</additionalInfo></report>"), 4110),
    "another root": (b"<fileDetails><reportId>1</reportId><fileId>1</fileId></fileDetails>", 4100),
    "no summary": (etree.tostring(etree.fromstring("<report><reporter><reportingPerson/></reporter></report>")), 4100),
    "no reporter": (GOOD.replace("<reporter><reportingPerson/></reporter>", "").encode(), 4100),
    "the wrong order": (
        GOOD.replace("<reporter><reportingPerson/></reporter>", "")
        .replace("<incidentSummary>", "<reporter><reportingPerson/></reporter><incidentSummary>")
        .encode(),
        4100,
    ),
    "an unknown incident": (swapped("Child Pornography (possession, manufacture, and distribution)", "Spam"), 4100),
    "a time that is none": (swapped("2026-03-01T12:00:00Z", "yesterday"), 4100),
    "an unknown element": (swapped("</report>", "<note/></report>"), 4100),
    "an unknown attribute": (swapped("<report>", '<report version="2">'), 4100),
    "an element of a namespace": (swapped("<report>", '<report xmlns="urn:x">'), 4100),
    "an unknown country": (
        swapped("<reportingPerson/>", "<reportingPerson><address><country>UK</country></address></reportingPerson>"),
        4100,
    ),
    "a calling code without a plus": (
        swapped("<reportingPerson/>", '<reportingPerson><phone countryCallingCode="1">5</phone></reportingPerson>'),
        4100,
    ),
    "an annotation that is false": (
        swapped("<incidentDateTime>", "<reportAnnotations><spam>false</spam></reportAnnotations><incidentDateTime>"),
        4100,
    ),
    "two incidents in one record": (
        swapped("<reporter>", "<internetDetails><webPageIncident/><emailIncident/></internetDetails><reporter>"),
        4100,
    ),
    "a record without an incident": (swapped("<reporter>", "<internetDetails/><reporter>"), 4100),
    "a text over 3,000 characters": (
        swapped("</report>", f"<additionalInfo>{'x' * 3001}</additionalInfo></report>"),
        4100,
    ),
    "a blank text": (swapped("</report>", "<additionalInfo> \n </additionalInfo></report>"), 4100),
    "a blank reason of urgency": (
        swapped("<incidentDateTime>", "<escalateToHighPriority> </escalateToHighPriority><incidentDateTime>"),
        4100,
    ),
    "a prior report that is no number": (
        swapped(
            "</report>", "<personOrUserReported><priorCTReports>x</priorCTReports></personOrUserReported></report>"
        ),
        4100,
    ),
    "a victim without a person": (swapped("</report>", "<victim><schoolName>x</schoolName></victim></report>"), 4100),
    "a batch without a reason": (swapped("<incidentSummary>", "<batchedReport/><incidentSummary>"), 4100),
    "an associated account without a type": (
        swapped("</report>", "<personOrUserReported><associatedAccount/></personOrUserReported></report>"),
        4100,
    ),
    "an address without a number": (
        swapped(
            "</report>",
            "<personOrUserReported><ipCaptureEvent><port>1</port></ipCaptureEvent></personOrUserReported></report>",
        ),
        4100,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_REPORTS)
def test_a_wrong_report_is_refused(ncmec, address, name):
    body, code = WRONG_REPORTS[name]
    response = httpx.post(f"{address}/submit", content=body, headers=XML, auth=("esp", "secret"))
    assert (read_answer(response.content).code, response.status_code) == (code, HTTP_STATUS[code])
    assert ncmec.reports == {}


WrongCall = Callable[[CyberTipline, CyberTiplineStandIn, Clock], object]


def _with(account: Account) -> Callable[[CyberTiplineStandIn], None]:
    return lambda ncmec: ncmec.accounts.__setitem__("esp", account)


def _retracted(tipline: CyberTipline) -> int:
    number = opened(tipline)
    tipline.retract(number)
    return number


def _finished(tipline: CyberTipline) -> int:
    number = opened(tipline)
    tipline.finish(number)
    return number


def _expired(tipline: CyberTipline, clock: Clock) -> int:
    number = opened(tipline)
    clock.now += DAY_S + 1
    return number


def _file_of_another(tipline: CyberTipline) -> object:
    first, second = opened(tipline), opened(tipline)
    file_id = tipline.upload(first, "a", io.BytesIO(b"x")).file_id or ""
    return tipline.fileinfo(FileDetails().of(second, file_id))


def _classified_supplement(tipline: CyberTipline) -> object:
    number = opened(tipline)
    file_id = tipline.upload(number, "a", io.BytesIO(b"x")).file_id or ""
    details = FileDetails(file_relevance=FileRelevance.SUPPLEMENTAL, industry_classification=FileClassification.A1)
    return tipline.fileinfo(details.of(number, file_id))


def _as_another(tipline: CyberTipline, ncmec: CyberTiplineStandIn) -> object:
    number = opened(tipline)
    ncmec.accounts["other"] = Account("secret")
    return CyberTipline("other", "secret", address=tipline.address).finish(number)


def _acting(ncmec: CyberTiplineStandIn, account: Account, act: Callable[[], object]) -> object:
    ncmec.accounts["esp"] = account
    return act()


WRONG_CALLS: dict[str, tuple[int, WrongCall]] = {
    "a wrong password": (2000, lambda t, n, c: CyberTipline("esp", "x", address=t.address).status()),
    "an unknown user": (2000, lambda t, n, c: opened(CyberTipline("x", "secret", address=t.address))),
    "a user who was shut out": (3000, lambda t, n, c: _acting(n, Account("secret", active=False), t.status)),
    "no right to submit": (
        3100, lambda t, n, c: _acting(n, Account("secret", may_submit=False), lambda: opened(t))),
    "no right to update": (
        3300, lambda t, n, c: _acting(n, Account("secret", may_update=False), lambda: t.finish(1))),
    "a file without content": (4200, lambda t, n, c: t.upload(opened(t), "a", io.BytesIO(b""))),
    "a file for no report": (5001, lambda t, n, c: t.upload(5, "a", io.BytesIO(b"x"))),
    "a file for a retracted report": (5101, lambda t, n, c: t.upload(_retracted(t), "a", io.BytesIO(b"x"))),
    "a file for a finished report": (5102, lambda t, n, c: t.upload(_finished(t), "a", io.BytesIO(b"x"))),
    "details in no report": (5001, lambda t, n, c: t.fileinfo(FileDetails().of(5, "x"))),
    "details of no file": (5002, lambda t, n, c: t.fileinfo(FileDetails().of(opened(t), "x"))),
    "details of another report's file": (5002, lambda t, n, c: _file_of_another(t)),
    "a classified supplement": (4100, lambda t, n, c: _classified_supplement(t)),
    "finishing no report": (5001, lambda t, n, c: t.finish(5)),
    "finishing twice": (5102, lambda t, n, c: t.finish(_finished(t))),
    "finishing what was retracted": (5101, lambda t, n, c: t.finish(_retracted(t))),
    "finishing what expired": (5001, lambda t, n, c: t.finish(_expired(t, c))),
    "finishing another's report": (5001, lambda t, n, c: _as_another(t, n)),
    "retracting twice": (5101, lambda t, n, c: t.retract(_retracted(t))),
    "retracting what was finished": (5102, lambda t, n, c: t.retract(_finished(t))),
    "retracting no report": (5001, lambda t, n, c: t.retract(5)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_is_refused(tipline, ncmec, clock, name):
    code, call = WRONG_CALLS[name]
    with pytest.raises(TiplineRefusedError) as refused:
        call(tipline, ncmec, clock)
    assert refused.value.response_code == code


WRONG_REQUESTS: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "no credentials": (2000, "GET", "status", {"auth": None}),
    "another scheme": (2000, "GET", "status", {"auth": None, "headers": {"Authorization": "Bearer x"}}),
    "credentials that are no base64": (2000, "GET", "status", {"auth": None, "headers": {"Authorization": "Basic é"}}),
    "reading where one writes": (4000, "GET", "submit", {}),
    "writing where one reads": (4000, "POST", "status", {}),
    "another media type": (4000, "POST", "submit", {"content": GOOD, "headers": {"Content-Type": "text/plain"}}),
    "another encoding": (
        4000, "POST", "submit", {"content": GOOD, "headers": {"Content-Type": "text/xml; charset=latin-1"}}),
    "no form": (4000, "POST", "finish", {"content": b"id=1"}),
    "a form without a number": (4000, "POST", "finish", {"data": {"number": "1"}}),
    "a number that is none": (4000, "POST", "retract", {"data": {"id": "-1"}}),
    "a form with two numbers": (4000, "POST", "finish", {"data": {"id": ["1", "2"]}}),
    "an address that is none": (1210, "POST", "close", {"data": {"id": "1"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_REQUESTS)
def test_a_wrong_request_is_refused(address, name):
    code, method, path, options = WRONG_REQUESTS[name]
    headers = {key: value.encode() for key, value in options.pop("headers", {}).items()} if "headers" in options else {}
    response = httpx.request(method, f"{address}/{path}", **({"auth": ("esp", "secret")} | options), headers=headers)
    assert (read_answer(response.content).code, response.status_code) == (code, HTTP_STATUS[code])


def test_an_upload_without_a_file_is_refused(tipline, address):
    number = opened(tipline)
    for data, code in (({"id": str(number)}, 4000), ({"id": str(number), "file": "text"}, 4200)):
        response = httpx.post(f"{address}/upload", auth=("esp", "secret"), data=data)
        assert read_answer(response.content).code == code


def test_more_than_thirty_kinds_of_wrong_ones_are_refused():
    assert len(WRONG_REPORTS) + len(WRONG_CALLS) + len(WRONG_REQUESTS) >= 60


def test_an_open_report_lives_a_day_or_an_hour_after_its_last_change(tipline, ncmec, clock):
    number = opened(tipline)
    clock.now += DAY_S - 1
    tipline.upload(number, "a", io.BytesIO(b"x"))
    clock.now += HOUR_S - 1
    tipline.status()
    assert list(ncmec.reports) == [number]
    clock.now += 2
    tipline.status()
    assert ncmec.reports == {}


# --- what an independent implementation makes

_SCRIPT = """
import * as tools from 'cybertipline-tools';
const address = process.argv[2];
const network = globalThis.fetch;
globalThis.fetch = (url, options = {}) => {
  const headers = { ...options.headers };
  if (typeof options.body === 'string') headers['Content-Type'] = 'text/xml; charset=utf-8';
  return network(url.replace('https://exttest.cybertip.org/ispws', address), { ...options, headers });
};
const client = new tools.Client({
  environment: tools.Environment.Testing, credentials: { username: 'esp', password: 'secret' },
});
const at = new Date('2026-03-01T12:00:00Z');
const outcome = {};
await client.getStatus();
const report = {
  incidentSummary: {
    incidentType: tools.IncidentType.ChildPornography, incidentDateTime: at,
    reportAnnotations: { spam: true, sextortion: true },
  },
  incidentDetails: { webPageIncidents: [{ url: ['https://example.test/a'], thirdPartyHostedContent: false }] },
  reporter: { reportingPerson: { firstName: 'Ada', email: [{ email: 'ada@example.test', type: 'Work' }] } },
  personOrUserReported: {
    espIdentifier: 'user-1', screenName: 'name', priorCTReports: [12, 13],
    ipCaptureEvent: [{ ipAddress: '192.0.2.1', eventName: 'Upload', dateTime: at, port: 443 }],
  },
  victim: [{ victimPerson: { age: 12 } }],
  additionalInfo: 'plain',
};
const submitted = await client.submitReport(report);
const id = submitted.data.reportId;
const uploaded = await client.uploadFile({ id, file: new File(['benign'], 'a.jpg') });
await client.submitFileDetails({
  reportId: id, fileId: uploaded.data.fileId, originalFileName: 'a.jpg', fileViewedByEsp: false,
  fileRelevance: 'Reported', fileAnnotations: { viral: true }, industryClassification: 'A1',
  originalFileHash: [{ value: 'abc', hashType: 'MD5' }],
});
outcome.finished = (await client.finishReport({ id })).data;
const second = await client.submitReport(report);
outcome.retracted = (await client.cancelReport({ id: second.data.reportId })).data;
outcome.refused = await client.finishReport({ id: 5 }).then(() => '', (error) => error.message);
const incidentType = tools.IncidentType.OnlineEnticement;
outcome.enticement = await client
  .submitReport({ ...report, incidentSummary: { ...report.incidentSummary, incidentType } })
  .then(() => 'accepted', (error) => error.message);
console.log(JSON.stringify(outcome));
"""


@pytest.fixture(scope="session")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm package, installed there for this session."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not there")
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", NPM_PACKAGE]
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, env=os.environ)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer")
    if result.returncode != 0:
        pytest.skip(f"npm cannot install {NPM_PACKAGE} here: {result.stderr.strip()[-200:]}")
    (folder / "peer.mjs").write_text(_SCRIPT)
    return folder


def test_the_stand_in_takes_what_an_independent_implementation_makes(node_project, ncmec, address):
    result = subprocess.run(
        ["node", "peer.mjs", address], cwd=node_project, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    (report,) = ncmec.finished()
    assert outcome["finished"]["reportId"] == report.number
    assert outcome["retracted"]["responseCode"] == 0
    assert "ReportDoesNotExist" in outcome["refused"]
    assert report.text("personOrUserReported/espIdentifier") == "user-1"
    assert report.xml.find("incidentSummary/reportAnnotations/sextortion") is not None
    assert report.files[0].details is not None
    assert report.files[0].details.findtext("industryClassification") == "A1"
    # Its constant for this incident lacks a letter of the schema's; ours is the schema's.
    assert "ValidationFailed" in outcome["enticement"]
    assert IncidentType.ONLINE_ENTICEMENT.value == "Online Enticement of Children for Sexual Acts"


def test_our_report_and_the_independent_one_say_the_same(node_project, ncmec, address, tipline):
    subprocess.run(["node", "peer.mjs", address], cwd=node_project, capture_output=True, check=True, timeout=PATIENCE_S)
    theirs = next(report for report in ncmec.reports.values() if report.state == "finished")
    ours = dataclasses.replace(smallest_report(), additional_info="plain")
    number = tipline.submit(ours).report_id
    mine = ncmec.reports[number or 0]
    for path in ("incidentSummary/incidentType", "additionalInfo"):
        assert mine.text(path) == theirs.text(path)
    assert mine.text("incidentSummary/incidentDateTime") == NOON.isoformat().replace("+00:00", "Z")
