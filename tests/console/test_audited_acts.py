"""Every act of the console leaves exactly its rows in the audit log, once, and what is refused leaves none."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from tests.support.console import Desk
from tests.support.held_items import a_held_verdict
from tests.support.pictures import file_of, photos
from tutela.console.roles import Role
from tutela.foundation.store.console_tables import passkey


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(tmp_path_factory.mktemp("acts"), two_person=True) as desk:
        yield desk


def done(desk: Desk, somebody, method: str, path: str, status: int = 303, **fields: object) -> Counter[str]:
    """The rows that one request leaves."""
    before = desk.audit.head().size
    data = {"csrf": somebody.csrf} | fields if method == "POST" else None
    answer = somebody.request(method, path, data=data)
    assert answer.status_code == status, (path, answer.status_code, answer.text[-400:])
    return Counter(desk.audit.row(number).action for number in range(before, desk.audit.head().size))


def test_acts_about_people(desk):
    admin = desk.signed_in(Role.ADMIN)
    person = desk.console.people.add("Rae", ["reviewer"], by="test").id
    tokens = re.findall(r'name="once" value="([\w-]+)"', admin.get("/people").text)
    added = done(desk, admin, "POST", "/people", 200, name="Bo", role=["reviewer"], once=tokens[-1])
    assert added == {"console.person-added": 1, "console.invited": 1}
    assert done(desk, admin, "POST", "/people", name="Bo", role=["reviewer"], once=tokens[-1]) == {}, "sent before"
    again = f"/people/{person}/invitation"
    assert done(desk, admin, "POST", again, 200, once=tokens[0]) == {"console.invited": 1}
    assert done(desk, admin, "POST", again, once=tokens[0]) == {}, "sent before"
    assert done(desk, admin, "POST", f"/people/{person}/roles", role=["lead"]) == {"console.roles-changed": 1}
    assert done(desk, admin, "POST", f"/people/{person}/disabled", disabled="yes") == {"console.person-disabled": 1}
    assert done(desk, admin, "POST", f"/people/{person}/disabled") == {"console.person-enabled": 1}
    assert done(desk, admin, "POST", f"/people/{person}/roles", 422, role=["king"]) == {}
    assert done(desk, admin, "POST", "/people/nobody/disabled", 404) == {}
    last = [one for one in desk.console.people.all() if Role.ADMIN in one.roles]
    if len(last) == 1:
        assert done(desk, admin, "POST", f"/people/{last[0].id}/roles", 422, role=["lead"]) == {}
    assert done(desk, admin, "POST", "/sign-out") == {"console.sign-out": 1}


def test_acts_about_a_picture(desk):
    picture = file_of(photos()[0].resize((64, 64)), "JPEG")
    item = desk.custody.keep(picture, a_held_verdict("upload", "one"))
    reviewer, other = desk.signed_in(Role.REVIEWER), desk.signed_in(Role.REVIEWER)
    case, path = f"/cases/{item.case_id}", f"/cases/{item.case_id}/items/{item.id}"
    assert done(desk, reviewer, "GET", case, 200) == {"case.viewed": 1}
    assert done(desk, reviewer, "POST", f"{path}/reveal", 409) == {}, "not claimed"
    assert done(desk, reviewer, "POST", f"{case}/claim") == {"case.claimed": 1}
    assert done(desk, other, "POST", f"{case}/claim", 409) == {}
    assert done(desk, reviewer, "POST", f"{case}/context", 200) == {"evidence.opened": 1}
    assert done(desk, reviewer, "POST", f"{path}/reveal", 200) == {"evidence.reveal": 1, "evidence.opened": 1}
    assert done(desk, reviewer, "POST", f"{path}/second-look") == {"second-look.asked": 1}
    assert done(desk, reviewer, "POST", f"{path}/second-look") == {}, "asking twice is asking once"
    (question,) = desk.console.second_looks.open(other.person)
    answered = f"/second-looks/{question.id}"
    assert done(desk, reviewer, "POST", answered, 409, granted="yes") == {}, "one's own question"
    assert done(desk, other, "POST", answered, granted="yes") == {"second-look.granted": 1}
    assert done(desk, other, "POST", answered, 409, granted="no") == {}


def test_reading_the_log_is_in_it(desk):
    auditor = desk.signed_in(Role.AUDITOR)
    assert done(desk, auditor, "GET", "/audit", 200) == {"audit.read": 1}
    assert done(desk, auditor, "POST", "/audit/verify", 200) == {"audit.read": 1}


def test_acts_about_passkeys(desk):
    somebody = desk.signed_in(Role.REVIEWER)
    with desk.console.casework.store.write() as connection:
        for name in ("first", "second"):
            values = {
                "id": name,
                "credential_id": name.encode(),
                "person_id": somebody.person.id,
                "public_key": b"k",
                "sign_count": 0,
                "created_at": 1,
            }
            connection.execute(insert(passkey).values(**values, name=name))
    assert done(desk, somebody, "POST", "/settings/passkeys/first/remove") == {"console.passkey-removed": 1}
    assert done(desk, somebody, "POST", "/settings/passkeys/first/remove", 404) == {}
    assert done(desk, somebody, "POST", "/settings/passkeys/second/remove", 409) == {}, "the last way in"


def test_a_sign_in_that_fails_is_written_down_once(desk):
    before = desk.audit.head().size
    answer = desk.client().post("/sign-in/passkey", json={"id": "nobody"})
    assert answer.status_code == 422, answer.text
    rows = [desk.audit.row(number) for number in range(before, desk.audit.head().size)]
    assert [(row.actor, row.action) for row in rows] == [("nobody", "console.sign-in-failed")]


def test_signing_in_is_written_down_once(desk):
    person = desk.console.people.add("Ida", ["reviewer"], by="test")
    before = desk.audit.head().size
    desk.console.sessions.begin(person, "passkey")
    (row,) = (desk.audit.row(number) for number in range(before, desk.audit.head().size))
    assert (row.actor, row.action, row.subject, dict(row.detail)) == (
        person.actor, "console.sign-in", person.actor, {"method": "passkey"},
    )  # fmt: skip
