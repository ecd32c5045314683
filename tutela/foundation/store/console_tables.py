"""Tables of the review console: people, their passkeys and sessions, and what each was exposed to.

Of every secret only a SHA-256 is kept: who reads the database can sign in as nobody.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table
from sqlalchemy import UniqueConstraint as Unique

from tutela.foundation.store.tables import Id, metadata

person = Table(
    "person",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("preferences", JSON, nullable=False),
    Column("oidc_issuer", String(255)),
    Column("oidc_subject", String(255)),
    Column("created_by", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Unique("oidc_issuer", "oidc_subject"),
)

passkey = Table(
    "passkey",
    metadata,
    Column("id", String(64), primary_key=True, comment="SHA-256 of the credential's id, in hexadecimal."),
    Column("person_id", String(32), ForeignKey("person.id"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(128)),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
)

invitation = Table(
    "invitation",
    metadata,
    Column("token_sha256", LargeBinary, primary_key=True),
    Column("person_id", String(32), ForeignKey("person.id"), nullable=False, index=True),
    Column("created_by", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

console_session = Table(
    "console_session",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person_id", String(32), ForeignKey("person.id"), nullable=False, index=True),
    Column("token_sha256", LargeBinary, nullable=False, unique=True),
    Column("previous_sha256", LargeBinary, index=True),
    Column("csrf", String(64), nullable=False),
    Column("method", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

ceremony = Table(
    "ceremony",
    metadata,
    Column("token_sha256", LargeBinary, primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("secrets", JSON, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    comment="A sign-in or enrolment under way. Taken out by the first answer to it, right or wrong.",
)

exposure = Table(
    "exposure",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person_id", String(32), ForeignKey("person.id"), nullable=False),
    Column("case_id", String(32), nullable=False),
    Column("item_id", String(64), nullable=False),
    Column("severe", Boolean, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("step", Integer, nullable=False),
    Column("whole", Boolean, nullable=False),
    Index(None, "person_id", "started_at"),
    Index(None, "started_at"),
    comment="One row a reveal. step: how clear the picture became, 0 the least; whole: seen whole and clearly.",
)

second_look = Table(
    "second_look",
    metadata,
    Column("id", Id, primary_key=True),
    Column("case_id", String(32), nullable=False),
    Column("item_id", String(64), nullable=False),
    Column("asked_by", String(32), ForeignKey("person.id"), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("answered_by", String(32), ForeignKey("person.id")),
    Column("answered_at", BigInteger),
    Column("granted", Boolean),
    Index(None, "case_id", "item_id"),
    comment="The two-person rule: a second person lets the first see an item of the severest labels clearly.",
)
