"""Attacks on the console over HTTP: sign-in, sessions, roles, cross-site requests, hostile text, guessing."""

import hashlib
import io
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute
from PIL import Image

from tests.support.console import ORIGIN, Desk, Visitor
from tests.support.held_items import a_match
from tutela.casework.cases.model import CaseState
from tutela.console.options import ConsoleOptions, ExposurePolicy, OidcOptions
from tutela.console.roles import Permission, Role, permissions
from tutela.errors import InputError
from tutela.foundation.options import Secret
from tutela.lists.banks.model import BankUse, EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.banks.values import new_entry
from tutela.screening.decision import Decision
from tutela.screening.verdict import Context, Timings, Verdict, Versions

pytestmark = pytest.mark.slow

PUBLIC = {
    "/healthz",
    "/static/{name}",
    "/sign-in",
    "/sign-in/passkey",
    "/sign-in/passkey/options",
    "/sign-in/oidc",
    "/sign-in/oidc/return",
    "/enrol/{invitation}",
    "/enrol/{invitation}/options",
}
"""Everything that somebody who is not signed in may ask for."""

NEEDS = {
    "GET /cases": Permission.SEE_CASES,
    "POST /cases": Permission.DECIDE,
    "GET /cases/{case_id}": Permission.SEE_CASES,
    "POST /cases/{case_id}/context": Permission.SEE_CASES,
    "POST /cases/{case_id}/lines": Permission.REVEAL,
    "POST /cases/{case_id}/claim": Permission.DECIDE,
    "POST /cases/{case_id}/release": Permission.DECIDE,
    "POST /cases/{case_id}/decide": Permission.DECIDE,
    "POST /cases/{case_id}/undo": Permission.DECIDE,
    "POST /cases/{case_id}/reopen": Permission.LEAD,
    "GET /cases/{case_id}/similar": Permission.SEE_CASES,
    "POST /cases/{case_id}/similar": Permission.DECIDE,
    "POST /cases/{case_id}/items/{item_id}/reveal": Permission.REVEAL,
    "POST /cases/{case_id}/items/{item_id}/second-look": Permission.REVEAL,
    "POST /reveals/{token}/steps/{step}": Permission.REVEAL,
    "POST /reveals/{token}/end": Permission.REVEAL,
    "GET /second-looks": Permission.REVEAL,
    "POST /second-looks/{number}": Permission.REVEAL,
    "GET /people": Permission.PEOPLE,
    "POST /people": Permission.PEOPLE,
    "POST /people/{person_id}/invitation": Permission.PEOPLE,
    "POST /people/{person_id}/roles": Permission.PEOPLE,
    "POST /people/{person_id}/disabled": Permission.PEOPLE,
    "GET /team": Permission.LEAD,
    "GET /statistics": Permission.STATISTICS,
    "GET /statistics/{name}.svg": Permission.STATISTICS,
    "GET /audit": Permission.AUDIT,
    "POST /audit/verify": Permission.AUDIT,
    "GET /reports": Permission.SEE_REPORTS,
    "GET /reports/{case_id}": Permission.FILE,
    "POST /reports/{case_id}": Permission.FILE,
    "GET /filings/{filing_id}": Permission.SEE_REPORTS,
    "POST /filings/{filing_id}/retract": Permission.FILE,
    "POST /filings/{filing_id}/resume": Permission.FILE,
    "GET /streams": Permission.SEE_CASES,
    "GET /streams/{stream_id}": Permission.SEE_CASES,
    "POST /streams/{stream_id}/cut": Permission.DECIDE,
    "POST /streams/{stream_id}/release": Permission.DECIDE,
    "GET /appeals": Permission.DECIDE,
    "POST /appeals/{appeal_id}/suspend": Permission.DECIDE,
    "GET /notices": Permission.ANSWER,
    "POST /notices": Permission.ANSWER,
    "GET /notices/{notice_id}": Permission.ANSWER,
    "POST /notices/{notice_id}/answer": Permission.ANSWER,
    "POST /notices/{notice_id}/withdraw": Permission.ANSWER,
    "GET /intake": Permission.ANSWER,
    "POST /intake": Permission.ANSWER,
    "GET /": None,
    "GET /settings": None,
    "POST /settings": None,
    "POST /settings/passkeys/{passkey_id}/name": None,
    "POST /settings/passkeys/{passkey_id}/remove": None,
    "POST /sign-out": None,
}
"""What each address needs; None is to be signed in. Written out here, so that a change of it is seen."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


def routes(desk: Desk) -> list[tuple[str, str]]:
    """Every method and path, also those of routers that were included."""
    found: list[tuple[str, str]] = []
    waiting = list(desk.app.routes)
    while waiting:
        route = waiting.pop()
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
        if isinstance(route, APIRoute):
            found += [(method, route.path) for method in route.methods]
    assert len(found) > 30
    return sorted(found)


def address(path: str) -> str:
    """A path with something in its places."""
    return re.sub(r"\{(item_id|step|number)\}", "1", re.sub(r"\{(?!item_id|step|number)\w+\}", "0" * 32, path))


# --- who may do what


def test_every_address_is_public_or_needs_what_is_written_here(desk):
    found = {f"{method} {path}" for method, path in routes(desk) if path not in PUBLIC}
    assert found == set(NEEDS)


def test_nobody_who_is_not_signed_in_sees_or_does_anything(desk):
    nobody = desk.client()
    for method, path in routes(desk):
        if path in PUBLIC:
            continue
        answer = nobody.request(method, address(path), data={"csrf": "guessed"})
        assert answer.status_code == (303 if method == "GET" else 401), (method, path)
        assert method != "GET" or answer.headers["location"] == "/sign-in"


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_do_what_it_may_and_nothing_else(desk, role):
    somebody = desk.signed_in(role)
    for method, path in routes(desk):
        if path in PUBLIC or path == "/sign-out":
            continue
        needed = NEEDS[f"{method} {path}"]
        answer = somebody.request(method, address(path), data={"csrf": somebody.csrf})
        refused = needed is not None and needed not in permissions([role])
        assert (answer.status_code == 403) == refused, (method, path, answer.status_code)
        assert answer.status_code < 500, (method, path, answer.text)


def test_an_admin_sees_no_case_and_a_reporter_no_picture():
    assert permissions([Role.ADMIN]) == {Permission.PEOPLE}
    for role in (Role.REPORTER, Role.AUDITOR, Role.ADMIN):
        assert Permission.REVEAL not in permissions([role])


def test_a_session_of_a_person_whose_role_was_taken_loses_it_at_once(desk):
    desk.signed_in(Role.ADMIN)  # of whom one must stay
    somebody = desk.signed_in(Role.REVIEWER)
    assert somebody.get("/cases").status_code == 200
    desk.console.people.set_roles(somebody.person.id, ["auditor"], by="test")
    assert somebody.get("/cases").status_code == 403


# --- cross-site requests, headers


def test_no_form_counts_without_the_sessions_own_proof(desk):
    somebody, other = desk.signed_in(Role.ADMIN), desk.signed_in(Role.ADMIN)
    for csrf in (None, "", "guessed", other.csrf, somebody.csrf[:-1], "\u2014"):
        for method, path in routes(desk):
            if method == "POST" and path not in PUBLIC:
                answer = somebody.post(address(path), data={} if csrf is None else {"csrf": csrf})
                assert answer.status_code == 403, (path, csrf)
    assert somebody.get("/settings").status_code == 200, "not even the sign-out was done"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"{ORIGIN}.evil.example"},
        {"origin": ORIGIN.replace("https", "http")},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
        {"origin": ""},
    ],
)
def test_a_request_from_another_site_is_refused_even_with_the_proof(desk, headers):
    somebody = desk.signed_in(Role.REVIEWER)
    assert somebody.post("/settings", data={"csrf": somebody.csrf}, headers=headers).status_code == 403
    assert desk.client().post("/sign-in/passkey/options", headers=headers).status_code == 403


def test_a_request_that_does_not_say_where_it_comes_from_is_refused(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    del somebody.headers["origin"]
    assert somebody.post("/settings", data={"csrf": somebody.csrf}).status_code == 403


def test_no_get_changes_anything_and_no_other_method_is_there(desk):
    somebody = desk.signed_in(Role.LEAD)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        assert somebody.request(method, "/settings").status_code == 405
    for _, path in routes(desk):
        if path not in PUBLIC and f"GET {path}" not in NEEDS:
            answer = somebody.get(address(path))
            assert answer.status_code == (405 if path.startswith("/reveals/") else 303), path


def test_the_address_of_a_form_leads_to_its_page_when_it_is_opened(desk):
    somebody = desk.signed_in(*Role)
    known = routes(desk)
    pages = [re.sub(r"\{\w+\}", "[^/]+", path) for method, path in known if method == "GET"]
    forms = [path for method, path in known if method == "POST" and ("GET", path) not in known]
    assert len(forms) > 20
    for path in forms:
        answer = somebody.get(address(path))
        if path.startswith("/reveals/"):
            assert answer.status_code == 405, "a picture is on no page"
            continue
        to = answer.headers["location"]
        assert address(path).startswith(to) and any(re.fullmatch(page, to) for page in pages), (path, to)
    case_id = hold(desk, uploader=uuid.uuid4().hex)
    assert somebody.get(f"/cases/{case_id}/context").headers["location"] == f"/cases/{case_id}"
    assert somebody.get(f"/cases/{case_id}/context", headers={"accept": "application/json"}).status_code == 405


def test_the_title_of_an_error_says_what_its_heading_says(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    for answer in (
        somebody.get("/nothing"),
        somebody.get("/people"),
        somebody.post("/intake", data={"csrf": somebody.csrf}),
        somebody.post("/settings", data={"csrf": "guessed"}),
    ):
        heading = re.search("<h1>(.*?)</h1>", answer.text)
        assert answer.status_code >= 400 and heading is not None
        assert f"<title>{heading[1]} · Tutela</title>" in answer.text


# --- invitations


def once_of(page: str, action: str) -> str:
    """What makes a form count once."""
    found = re.search(rf'action="{action}".*?name="once" value="([\w-]+)"', page, re.DOTALL)
    assert found is not None
    return found[1]


def test_an_invitation_that_is_posted_again_makes_nothing_new(desk):
    somebody, other = desk.signed_in(Role.ADMIN), desk.signed_in(Role.ADMIN)
    form = {"csrf": somebody.csrf, "name": "Newcomer", "role": "reviewer"}
    once = once_of(somebody.get("/people").text, "/people")
    assert other.post("/people", data=form | {"csrf": other.csrf, "once": once}).status_code == 303, "not its own"
    made = somebody.post("/people", data=form | {"once": once})
    link = re.search(r"/enrol/[\w-]+", made.text)
    assert made.status_code == 200 and link is not None
    for sent in (once, "", "guessed"):
        answer = somebody.post("/people", data=form | {"once": sent})
        assert answer.headers["location"] == "/people?done=sent-before"
    assert [one.name for one in desk.console.people.all()].count("Newcomer") == 1
    assert desk.client().get(link[0]).status_code == 200, "the link that was shown still counts"
    page = somebody.get("/people?done=sent-before").text
    assert "nothing new was made" in page and "/enrol/" not in page
    newcomer = desk.console.people.named("Newcomer")
    again = {"csrf": somebody.csrf, "once": once_of(page, f"/people/{newcomer.id}/invitation")}
    second = re.search(r"/enrol/[\w-]+", somebody.post(f"/people/{newcomer.id}/invitation", data=again).text)
    assert second is not None and second[0] != link[0]
    assert somebody.post(f"/people/{newcomer.id}/invitation", data=again).status_code == 303
    assert desk.client().get(second[0]).status_code == 200


@pytest.mark.parametrize(("wrong", "says"), [({"role": []}, "at least one role"), ({"name": " "}, "printable name")])
def test_what_is_wrong_with_an_invitation_is_said_at_the_form_and_what_was_given_stays(desk, wrong, says):
    somebody = desk.signed_in(Role.ADMIN)
    once = once_of(somebody.get("/people").text, "/people")
    form = {"csrf": somebody.csrf, "name": "A visitor", "role": ["lead"], "once": once} | wrong
    answer = somebody.post("/people", data=form)
    assert answer.status_code == 422
    shown = answer.text[answer.text.index('id="invite"') :]
    error = re.search('<p class="error" role="alert" id="error" data-error>(.*?)</p>', shown)
    assert error is not None and says in error[1]
    assert ("A visitor" in shown) == ("name" not in wrong)
    assert bool(re.search('value="lead" checked', shown)) == ("role" not in wrong)
    once = once_of(answer.text, "/people")
    mended = somebody.post("/people", data=form | {"name": "Mended", "role": "lead", "once": once})
    assert mended.status_code == 200 and "/enrol/" in mended.text


def test_every_answer_is_kept_from_caches_frames_and_foreign_scripts(desk):
    somebody = desk.signed_in(Role.LEAD)
    for client, path in [
        (somebody, "/cases"),
        (somebody, "/nothing"),
        (somebody, "/people"),
        (somebody, "/static/console.css"),
        (desk.client(), "/sign-in"),
        (desk.client(), "/cases"),
        (desk.client(), "/healthz"),
    ]:
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "max-age" in headers["strict-transport-security"]


def test_pages_hold_no_inline_script_style_or_handler(desk):
    somebody = desk.signed_in(Role.LEAD, Role.ADMIN, Role.AUDITOR, Role.REPORTER)
    names = "cases people settings team statistics second-looks sign-in appeals notices intake audit reports"
    for path in (f"/{name}" for name in names.split()):
        text = somebody.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert not re.search(r"\s(style|on\w+)\s*=", text)
        assert not re.search(r"(href|src|action)=\"(?!/|#)", text), "everything comes from the console itself"


def test_another_host_name_is_not_served(desk):
    for host in ("evil.example", "console.test.evil.example", "console.test:81", ""):
        assert desk.client().get("/sign-in", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2fetc%2fpasswd",
        "/static/console.css%00",
        "/static/....//app.py",
        "/cases/..%2f..%2fetc",
        "/statistics/..%2f..%2fetc%2fpasswd.svg",
    ],
)
def test_no_path_leads_out(desk, path):
    answer = desk.signed_in(Role.LEAD).get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_bodies_have_a_limit_and_a_length(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    assert somebody.post("/settings", data={"csrf": somebody.csrf, "x": "y" * 300_000}).status_code == 413
    chunks = iter([b"csrf=", somebody.csrf.encode()])
    assert somebody.post("/settings", content=chunks).status_code == 413
    many = f"csrf={somebody.csrf}&theme=dark" + "&a" * 100_000
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = somebody.post("/settings", content=many, headers=form)
    assert answer.status_code == 400 and "more than 32768 fields; send less" in answer.text
    files = {"file": ("a", b"b")}
    assert somebody.post("/settings", data={"csrf": somebody.csrf}, files=files).status_code == 400


# --- sessions


def test_a_cookie_that_was_planted_before_is_worth_nothing_after(desk):
    planted = desk.client()
    planted.cookies.set("__Host-tutela", "planted")
    planted.cookies.set("__Host-tutela-sign-in", "planted")
    assert planted.get("/cases").status_code == 303
    desk.signed_in(Role.REVIEWER)
    assert planted.get("/cases").status_code == 303


def test_cookies_are_for_this_host_over_https_and_no_script(desk):
    answer = desk.client().post("/sign-in/passkey/options")
    assert re.fullmatch(
        r"__Host-tutela-sign-in=[\w-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600",
        answer.headers["set-cookie"],
    )
    somebody = desk.signed_in(Role.REVIEWER)
    out = somebody.post("/sign-out", data={"csrf": somebody.csrf})
    assert "HttpOnly; SameSite=Strict; Max-Age=0" in out.headers["set-cookie"]
    assert "cache" in out.headers["clear-site-data"]


def test_after_signing_out_the_cookie_is_worth_nothing(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    token = somebody.cookies["__Host-tutela"]
    somebody.post("/sign-out", data={"csrf": somebody.csrf})
    thief = desk.client()
    thief.cookies.set("__Host-tutela", token)
    assert thief.get("/cases").status_code == 303


# --- guessing


def test_guessing_invitations_and_passkeys_is_slowed_down(tmp_path):
    with Desk(tmp_path) as desk:
        guesser = desk.client()
        answers = [guesser.get(f"/enrol/guess-{number}").status_code for number in range(30)]
        assert answers[0] == 422
        assert answers[-1] == 429
        assert answers.count(422) <= 10
        assert guesser.post("/sign-in/passkey/options").status_code == 429


def test_a_wrong_passkey_is_answered_like_an_unknown_one(tmp_path):
    with Desk(tmp_path) as desk:
        client = desk.client()
        answers = set()
        for answer in ("", "{}", '{"id": "AAAA"}', "[" * 5000, "\x00"):
            client.post("/sign-in/passkey/options")
            answers.add(client.post("/sign-in/passkey", content=answer, headers={"accept": "application/json"}).text)
        assert answers == {'{"detail":"this passkey was not accepted"}'}


def test_an_answer_is_taken_for_its_challenge_once(desk):
    client = desk.client()
    client.post("/sign-in/passkey/options")
    cookie = client.cookies["__Host-tutela-sign-in"]
    assert client.post("/sign-in/passkey", content="{}").status_code == 422
    client.cookies.set("__Host-tutela-sign-in", cookie)
    again = client.post("/sign-in/passkey", content="{}")
    assert "expired" in again.text


# --- people


def test_hostile_names_are_text(desk):
    admin = desk.signed_in(Role.ADMIN)
    name = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
    once = once_of(admin.get("/people").text, "/people")
    page = admin.post("/people", data={"csrf": admin.csrf, "name": name, "role": "reviewer", "once": once})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "{{7*7}}" in page.text
    (link,) = re.findall(rf"{ORIGIN}/enrol/[\w-]+", page.text)
    shown = desk.client().get(urlsplit(link).path)
    assert "&lt;script&gt;" in shown.text
    assert "<script>alert" not in shown.text
    assert link not in admin.get("/people").text, "an invitation is shown once"


def test_a_disabled_person_is_out_at_once(desk):
    somebody, admin = desk.signed_in(Role.REVIEWER), desk.signed_in(Role.ADMIN)
    answer = admin.post(f"/people/{somebody.person.id}/disabled", data={"csrf": admin.csrf, "disabled": "yes"})
    assert answer.status_code == 303
    assert somebody.get("/cases").status_code == 303


# --- settings


@pytest.mark.parametrize(
    "origin", ["http://console.example", "ftp://localhost", "https://", "https://console.example/path", "localhost"]
)
def test_the_console_is_not_set_up_where_sessions_could_be_read(origin):
    with pytest.raises(InputError, match=r"^origin must be"):
        ConsoleOptions(origin=origin)


# --- the identity provider


@contextmanager
def provider(**options) -> Iterator[str]:
    from oidc_provider_mock import run_server_in_thread

    with run_server_in_thread(**options) as server:
        yield f"http://localhost:{server.server_port}"


def oidc_settings(issuer: str) -> dict[str, Any]:
    return {
        "oidc": OidcOptions(
            issuer,
            "tutela",
            Secret(text="secret"),
            {"csam-review": (Role.REVIEWER,), "csam-lead": (Role.LEAD, Role.REPORTER)},
        )
    }


def go_through(client: Visitor, issuer: str, subject: str, **claims: object):
    """Sign in at the provider; the console's answer to what comes back."""
    httpx.put(f"{issuer}/users/{subject}", json=claims).raise_for_status()
    at_provider = client.get("/sign-in/oidc").headers["location"]
    query = parse_qs(urlsplit(at_provider).query)
    assert query["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(query)
    back = httpx.post(at_provider, data={"sub": subject}).headers["location"]
    assert back.startswith(f"{ORIGIN}/sign-in/oidc/return?")
    return client.get(back)


def test_signing_in_through_the_provider_gives_the_roles_of_ones_groups(tmp_path):
    with provider() as issuer, Desk(tmp_path, **oidc_settings(issuer)) as desk:
        client = desk.client()
        answer = go_through(client, issuer, "rae", name="Rae", groups=["staff", "csam-review"])
        assert answer.status_code == 200
        assert client.get("/cases").status_code == 200
        (person,) = desk.console.people.all()
        assert (person.name, person.roles, person.by_oidc) == ("Rae", frozenset({Role.REVIEWER}), True)
        go_through(desk.client(), issuer, "rae", name="Rae", groups=["csam-lead"])
        (person,) = desk.console.people.all()
        assert person.roles == {Role.LEAD, Role.REPORTER}


def test_who_has_no_group_or_is_disabled_does_not_come_in(tmp_path):
    with provider() as issuer, Desk(tmp_path, **oidc_settings(issuer)) as desk:
        desk.signed_in(Role.ADMIN)
        for claims in ({}, {"groups": []}, {"groups": ["staff"]}, {"groups": {"csam-review": True}}):
            client = desk.client()
            assert go_through(client, issuer, "eve", name="Eve", **claims).status_code == 422
            assert client.get("/cases").status_code == 303
        go_through(desk.client(), issuer, "rae", name="Rae", groups=["csam-review"])
        (rae,) = [person for person in desk.console.people.all() if person.by_oidc]
        desk.console.people.set_disabled(rae.id, True, by="test")
        client = desk.client()
        assert go_through(client, issuer, "rae", name="Rae", groups=["csam-review"]).status_code == 422
        assert client.get("/cases").status_code == 303


def test_an_answer_of_the_provider_is_good_in_its_own_browser_once(tmp_path):
    with provider() as issuer, Desk(tmp_path, **oidc_settings(issuer)) as desk:
        httpx.put(f"{issuer}/users/rae", json={"groups": ["csam-review"]})
        victim, attacker = desk.client(), desk.client()
        at_provider = attacker.get("/sign-in/oidc").headers["location"]
        back = httpx.post(at_provider, data={"sub": "rae"}).headers["location"]
        victim.get("/sign-in/oidc")
        assert victim.get(back).status_code == 422, "an attacker's answer signs nobody else in"
        assert desk.client().get(back).status_code == 422
        assert attacker.get(back).status_code == 200
        assert attacker.get(back).status_code == 422


def test_a_provider_that_is_not_the_configured_one_is_not_believed(tmp_path):
    with provider() as issuer, Desk(tmp_path, **oidc_settings(issuer + "/")) as desk:
        with pytest.raises(InputError, match="another name"):
            desk.console.oidc.start()
        assert desk.client().get("/sign-in/oidc").status_code == 422


# --- cases: with real evidence, sealed


def hold(desk: Desk, content: bytes = b"", *, item: str = "photo.jpg", label: str = "A1", **details: str) -> str:
    """Something that was held, as the service keeps it; the case it is in."""
    sha256 = hashlib.sha256(content + item.encode()).hexdigest()
    verdict = Verdict(
        id=uuid.uuid4().hex,
        at=datetime.now(UTC),
        decision=Decision.BLOCK,
        reasons=(),
        matches=(a_match(7, label=label),),
        matches_omitted=0,
        hashes=(),
        hashes_omitted=0,
        media_type="image/png",
        width=300,
        height=200,
        byte_length=len(content),
        sha256=sha256,
        context=Context(item, details),
        timings=Timings(1, 1, 2),
        versions=Versions("test", {}),
    )
    return desk.custody.keep(content, verdict).case_id


def test_hostile_text_from_the_platform_is_text(desk):
    hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}{% raw %}\u202e"
    case_id = hold(desk, item=hostile, uploader=hostile, note=hostile, **{hostile[:60]: hostile})  # type: ignore[arg-type]
    somebody = desk.signed_in(Role.LEAD)
    somebody.post(f"/cases/{case_id}/claim", data={"csrf": somebody.csrf})
    decided = {"csrf": somebody.csrf, "outcome": "escalate", "reason": hostile}
    assert somebody.post(f"/cases/{case_id}/decide", data=decided).status_code == 303
    somebody.post(f"/cases/{case_id}/claim", data={"csrf": somebody.csrf})
    for page in (
        somebody.get(f"/cases/{case_id}"),
        somebody.post(f"/cases/{case_id}/context", data={"csrf": somebody.csrf}),
        somebody.get("/cases"),
        somebody.get(f"/cases/{case_id}/similar"),
    ):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    shown = somebody.post(f"/cases/{case_id}/context", data={"csrf": somebody.csrf}).text
    assert shown.count("&lt;script&gt;alert(1)") >= 4, "item, uploader, note and reason"
    assert "{{7*7}}" in shown


def test_what_the_platform_said_is_sealed_and_every_opening_is_written_down(desk):
    case_id = hold(desk, uploader="user-4711", ip_address="192.0.2.7")
    somebody = desk.signed_in(Role.REVIEWER)
    somebody.post(f"/cases/{case_id}/claim", data={"csrf": somebody.csrf})
    assert "192.0.2.7" not in somebody.get(f"/cases/{case_id}").text
    assert "192.0.2.7" in somebody.post(f"/cases/{case_id}/context", data={"csrf": somebody.csrf}).text
    opened = [row for row in desk.audit.rows(action="evidence.opened") if row.actor == somebody.person.actor]
    assert [row.detail["what"] for row in opened] == ["context"]


def test_what_is_known_of_items_is_told_to_who_has_the_case(desk):
    case_id = hold(desk, item="holiday-4711.jpg", uploader="user-4712", ip_address="192.0.2.8")
    one, other, reporter = (desk.signed_in(role) for role in (Role.REVIEWER, Role.REVIEWER, Role.REPORTER))

    def told(person) -> tuple[bool, bool]:
        page = person.get(f"/cases/{case_id}").text
        context = person.post(f"/cases/{case_id}/context", data={"csrf": person.csrf})
        assert context.status_code in (200, 409)
        return "holiday-4711.jpg" in page, "192.0.2.8" in context.text

    assert [told(person) for person in (one, other, reporter)] == [(False, False)] * 3
    one.post(f"/cases/{case_id}/claim", data={"csrf": one.csrf})
    assert [told(person) for person in (one, other, reporter)] == [(True, True), (False, False), (False, False)]
    decision = {"csrf": one.csrf, "outcome": "confirm", "label": "A1", "reason": "the match says so"}
    assert one.post(f"/cases/{case_id}/decide", data=decision).status_code == 303
    assert [told(person) for person in (one, other, reporter)] == [(True, True), (False, False), (True, True)]


def picture() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((300, 200)).save(out, "PNG")
    return out.getvalue()


def test_a_reveal_needs_the_claim_and_its_token_is_its_owners(desk):
    case_id = hold(desk, picture(), item=uuid.uuid4().hex)
    owner, other, reporter = (desk.signed_in(role) for role in (Role.REVIEWER, Role.LEAD, Role.REPORTER))
    (item,) = desk.cases.get(case_id).items
    begin = f"/cases/{case_id}/items/{item.id}/reveal"
    json = {"accept": "application/json"}

    def post(client, path):
        return client.post(path, data={"csrf": client.csrf}, headers=json)

    assert post(owner, begin).status_code == 409, "nobody has claimed it"
    owner.post(f"/cases/{case_id}/claim", data={"csrf": owner.csrf})
    assert post(other, begin).status_code == 409
    assert post(reporter, begin).status_code == 403
    begun = post(owner, begin).json()
    assert begun["steps"] == 5
    for thief in (other, desk.signed_in(Role.REVIEWER)):
        assert post(thief, f"/reveals/{begun['token']}/steps/0").status_code == 404
        assert post(thief, f"/reveals/{begun['token']}/end").status_code == 404
    shown = post(owner, f"/reveals/{begun['token']}/steps/0")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert shown.headers["cache-control"] == "no-store"
    assert owner.get(f"/reveals/{begun['token']}/steps/0").status_code == 405
    assert post(owner, f"/reveals/{begun['token']}/steps/3").status_code == 422
    owner.post(f"/cases/{case_id}/release", data={"csrf": owner.csrf})
    assert post(owner, f"/reveals/{begun['token']}/steps/0").status_code == 404, "letting go covers it"
    rows = [row.action for row in desk.audit.rows() if row.actor == owner.person.actor]
    assert rows.index("evidence.reveal") < rows.index("evidence.opened")


def test_an_item_of_another_case_is_not_reached_through_ones_own(desk):
    mine, theirs = (hold(desk, picture(), item=name, uploader=name) for name in (uuid.uuid4().hex, uuid.uuid4().hex))
    assert mine != theirs
    somebody = desk.signed_in(Role.REVIEWER)
    somebody.post(f"/cases/{mine}/claim", data={"csrf": somebody.csrf})
    (item,) = desk.cases.get(theirs).items
    for path in ("reveal", "second-look"):
        answer = somebody.post(f"/cases/{mine}/items/{item.id}/{path}", data={"csrf": somebody.csrf})
        assert answer.status_code == 404
    chosen = {"csrf": somebody.csrf, "outcome": "reject", "reason": "x", "item": str(item.id)}
    assert somebody.post(f"/cases/{mine}/decide", data=chosen).status_code in (404, 409, 422)
    assert desk.cases.get(theirs).undecided()


def test_a_reviewer_cannot_make_the_final_decision_of_a_lead(desk):
    case_id = hold(desk, item=uuid.uuid4().hex)
    reviewer = desk.signed_in(Role.REVIEWER)
    form = {"csrf": reviewer.csrf, "outcome": "escalate", "reason": "unsure", "senior": "yes"}
    answer = reviewer.post(f"/cases/{case_id}/decide", data=form)
    assert answer.headers["location"] == f"/cases/{case_id}?done=passed-on"
    assert desk.cases.get(case_id).state is CaseState.ESCALATED
    again = {"csrf": reviewer.csrf, "outcome": "reject", "reason": "mine", "senior": "true"}
    assert reviewer.post(f"/cases/{case_id}/decide", data=again).status_code == 409
    lead = desk.signed_in(Role.LEAD)
    done = {"csrf": lead.csrf, "outcome": "reject", "reason": "harmless"}
    assert lead.post(f"/cases/{case_id}/decide", data=done).status_code == 303
    assert desk.cases.get(case_id).state is CaseState.DECIDED


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": ""},
        {"outcome": "delete"},
        {"outcome": "confirm", "reason": "x"},
        {"outcome": "confirm", "reason": "x", "label": "Z9"},
        {"outcome": "reject", "reason": ""},
        {"outcome": "reject", "reason": "x" * 5000},
        {"outcome": "reject", "reason": "x", "item": "1 OR 1=1"},
        {"outcome": "reject", "reason": "x", "item": "9" * 30},
        {"outcome": "reject", "reason": "x", "item": "-1"},
    ],
)
def test_a_decision_that_is_wrong_is_an_answer_and_changes_nothing(desk, fields):
    case_id = hold(desk, item=uuid.uuid4().hex)
    somebody = desk.signed_in(Role.REVIEWER)
    assert somebody.post(f"/cases/{case_id}/decide", data={"csrf": somebody.csrf} | fields).status_code == 422
    assert desk.cases.get(case_id).undecided()


def test_a_break_is_enforced_over_http_and_says_until_when(tmp_path):
    with Desk(tmp_path, exposure=ExposurePolicy(items_before_break=1)) as desk:
        case_id = hold(desk, picture())
        somebody = desk.signed_in(Role.REVIEWER)
        somebody.post(f"/cases/{case_id}/claim", data={"csrf": somebody.csrf})
        (item,) = desk.cases.get(case_id).items
        path, headers = f"/cases/{case_id}/items/{item.id}/reveal", {"accept": "application/json"}
        assert somebody.post(path, data={"csrf": somebody.csrf}, headers=headers).status_code == 200
        refused = somebody.post(path, data={"csrf": somebody.csrf}, headers=headers)
        assert refused.status_code == 429
        assert {"detail", "until"} == set(refused.json())
        assert "break" in somebody.get(f"/cases/{case_id}").text
        assert "data-reveal" not in somebody.get(f"/cases/{case_id}").text


def test_one_decision_covers_nearly_identical_items_of_other_cases(desk):
    shared = hashlib.sha256(uuid.uuid4().bytes).hexdigest()[:16]
    first = hold(desk, picture(), item=shared, uploader="one")
    others = [hold(desk, picture(), item=shared, uploader=name) for name in ("two", "three")]
    assert len({first, *others}) == 3
    somebody, busy = desk.signed_in(Role.REVIEWER), desk.signed_in(Role.REVIEWER)
    page = somebody.get(f"/cases/{first}/similar")
    assert "<img" not in page.text
    items = re.findall(r'name="item" value="(\d+)"', page.text)
    assert len(items) == 2
    busy.post(f"/cases/{others[1]}/claim", data={"csrf": busy.csrf})
    form = {"csrf": somebody.csrf, "outcome": "confirm", "label": "B1", "reason": "as listed", "item": items}
    answer = somebody.post(f"/cases/{first}/similar", data=form)
    assert answer.headers["location"].endswith("some-left"), "one of them is with somebody else"
    assert desk.cases.get(others[0]).state is CaseState.DECIDED
    assert desk.cases.get(others[1]).undecided()


# --- notices and intake


def test_a_notice_is_registered_answered_and_shown_as_text(desk):
    somebody = desk.signed_in(Role.REPORTER)
    form = {
        "csrf": somebody.csrf,
        "authority": "<b>Authority</b>",
        "reference": uuid.uuid4().hex,
        "clock": "1h",
        "kind": "url",
        "targets": "https://platform.example/a?x=<script>\nhttps://platform.example/b\n\n",
    }
    path = somebody.post("/notices", data=form).headers["location"].partition("?")[0]
    page = somebody.get(path).text
    assert "&lt;b&gt;Authority" in page
    assert "<script>" not in page
    assert 'href="https://platform' not in page, "addresses are not links"
    answer = {"csrf": somebody.csrf, "target-0": "removed", "target-1": "refused"}
    assert somebody.post(f"{path}/answer", data=answer).status_code == 422, "what stays up needs a reason"
    assert somebody.post(f"{path}/answer", data=answer | {"text": "not ours"}).status_code == 303
    assert "answered" in somebody.get(path).text
    assert somebody.post(f"{path}/answer", data=answer | {"text": "again"}).status_code == 409
    for bad in ({"clock": "soon"}, {"targets": ""}, {"kind": "file"}, {"targets": "javascript:alert(1)"}):
        assert somebody.post("/notices", data=form | {"reference": "x"} | bad).status_code == 422


def test_an_appeal_is_read_suspended_and_decided_on_its_case(desk):
    appeals, banks = desk.console.casework.appeals, Banks(desk.store)
    banks.create("pages", uses={BankUse.PROXY}, actor="test")
    (entry,) = banks.add("pages", [new_entry("url", "example.org/page")], actor="test").entry_ids
    receipt = appeals.receive(appeals.references.of(entry), "a page about <b>gardens</b>", "somebody@example.org")
    somebody = desk.signed_in(Role.REVIEWER)
    page = somebody.get("/appeals").text
    assert appeals.references.of(entry) in page and "gardens" not in page
    path = f"/cases/{appeals.get(receipt.id).case_id}"
    assert somebody.post(f"/appeals/{receipt.id}/suspend", data={"csrf": somebody.csrf}).status_code == 303
    assert banks.entry(entry).state is EntryState.DISABLED and "suspended" in somebody.get("/appeals").text
    somebody.post(f"{path}/claim", data={"csrf": somebody.csrf})
    shown = somebody.get(path).text
    assert "a page about &lt;b&gt;gardens" in shown and "data-reveal" not in shown
    assert 'value="lift"' in shown and 'value="confirm"' not in shown
    item = desk.cases.get(path.rpartition("/")[2]).items[0].id
    decision = {"csrf": somebody.csrf, "outcome": "lift", "reason": "a page about gardens", "item": str(item)}
    assert somebody.post(f"{path}/decide", data=decision).status_code == 303
    assert appeals.get(receipt.id).state == "lifted"
    assert "listed in error" in somebody.get("/appeals").text


def test_a_report_of_the_public_opens_a_case_without_a_picture(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    link = "https://elsewhere.example/<script>"
    form = {"csrf": somebody.csrf, "category": "grooming", "links": link, "text": "a <b>caller</b>"}
    path = somebody.post("/intake", data=form).headers["location"].partition("?")[0]
    assert path.removeprefix("/cases/")[:8] in somebody.get("/intake").text
    assert link not in somebody.get(path).text
    assert somebody.post(f"{path}/claim", data={"csrf": somebody.csrf}).status_code == 303
    shown = somebody.post(f"{path}/context", data={"csrf": somebody.csrf}).text
    assert "&lt;b&gt;caller" in shown
    assert 'href="https://elsewhere' not in shown
    assert "data-reveal" not in shown
    for bad in ({"links": "javascript:alert(1)"}, {"links": "", "text": ""}, {"category": "x"}):
        assert somebody.post("/intake", data=form | bad).status_code == 422
