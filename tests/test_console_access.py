"""Attacks on the console over HTTP: sign-in, sessions, roles, cross-site requests, hostile text, guessing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.console import ORIGIN, Desk
from tutela.console.options import ConsoleSettings
from tutela.console.roles import Permission, Role, permissions
from tutela.errors import InputError

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
    "POST /cases/next": Permission.DECIDE,
    "GET /cases/{case_id}": Permission.SEE_CASES,
    "POST /cases/{case_id}/context": Permission.SEE_CASES,
    "POST /cases/{case_id}/claim": Permission.DECIDE,
    "POST /cases/{case_id}/release": Permission.DECIDE,
    "POST /cases/{case_id}/decide": Permission.DECIDE,
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
    "GET /": None,
    "GET /settings": None,
    "POST /settings": None,
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
    somebody = desk.signed_in(Role.REVIEWER)
    assert somebody.get("/cases").status_code == 200
    desk.console.people.set_roles(somebody.person.id, ["auditor"])
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
            assert somebody.get(address(path)).status_code in (404, 405)


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
    for path in ("/cases", "/people", "/settings", "/team", "/statistics", "/second-looks", "/sign-in"):
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
    many = {"csrf": somebody.csrf} | {f"f{number}": "" for number in range(2000)}
    assert somebody.post("/settings", data=many).status_code in (400, 413)
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
    page = admin.post("/people", data={"csrf": admin.csrf, "name": name, "role": "reviewer"})
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
    with pytest.raises(ValueError, match=r"origin|safe"):
        ConsoleSettings(origin=origin)


# --- the identity provider


@contextmanager
def provider(**options) -> Iterator[str]:
    from oidc_provider_mock import run_server_in_thread

    with run_server_in_thread(**options) as server:
        yield f"http://localhost:{server.server_port}"


def oidc_settings(issuer: str) -> dict[str, object]:
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": "tutela",
        "oidc_client_secret": "secret",
        "oidc_roles": {"csam-review": ["reviewer"], "csam-lead": ["lead", "reporter"]},
    }


def go_through(client: httpx.Client, issuer: str, subject: str, **claims: object) -> httpx.Response:
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
        assert (person.name, person.roles, person.by_oidc) == ("Rae", {Role.REVIEWER}, True)
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
        desk.console.people.set_disabled(rae.id, True)
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
