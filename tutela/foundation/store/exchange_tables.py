"""The tables of exchanges: what is pulled from where and how far, what lists say of their entries, what is published.

Times are microseconds since the epoch, UTC, but for `remote_at`, which is in seconds by the list's own clock.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tutela.foundation.store.tables import Id, metadata

exchange = Table(
    "exchange",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("bank_id", Id, ForeignKey("bank.id"), nullable=False),
    Column("options", JSON, nullable=False),
    Column("giving", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("interval_s", Integer, nullable=False),
    Column("stale_after_s", Integer, nullable=False),
    Column("checkpoint", Text),
    Column("version", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("sweeping", Boolean, nullable=False),
    Column("sweep_at", BigInteger),
    Column("listed", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
    Column("attempted_at", BigInteger),
    Column("pulled_at", BigInteger),
    Column("next_at", BigInteger, nullable=False),
    Column("shared_through", BigInteger, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    comment="version grows with every page and every new pull, so that of two pullers only the later one writes.",
)

remote_entry = Table(
    "remote_entry",
    metadata,
    Column("id", Id, primary_key=True),
    Column("exchange_id", Id, ForeignKey("exchange.id"), nullable=False),
    Column("key", String(255), nullable=False),
    Column("media", String(16), nullable=False),
    Column("labels", Text, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("remote_at", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("entries", Text, nullable=False),
    Column("unknown", Text),
    Column("upvotes", Integer, nullable=False),
    Column("downvotes", Integer, nullable=False),
    UniqueConstraint("exchange_id", "key"),
    comment="What a list says of one of its entries. entries: ids; unknown: fingerprints kept raw, as JSON.",
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
    comment="Who alone does a piece of work now.",
)

entry_flag = Table(
    "entry_flag",
    metadata,
    Column("id", Id, primary_key=True),
    Column("entry_id", Id, ForeignKey("entry.id"), nullable=False),
    Column("flag", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("cleared_at", BigInteger),
    Column("cleared_by", String(128)),
    UniqueConstraint("entry_id", "flag"),
)

entry_opinion = Table(
    "entry_opinion",
    metadata,
    Column("entry_id", Id, ForeignKey("entry.id"), primary_key=True),
    Column("decision", String(64), primary_key=True),
    Column("opinion", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    comment="What reviewers found of content that matched an entry; decision names the review.",
)

feed = Table(
    "feed",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("bank_id", Id, ForeignKey("bank.id"), nullable=False),
    Column("signing_key", String(255), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("through_entry", BigInteger, nullable=False),
    Column("through_event", BigInteger, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    comment="A bank that other Tutelas follow. signing_key: where the key is, not the key.",
)

feed_record = Table(
    "feed_record",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("document", Text, nullable=False),
    Column("chain", LargeBinary, nullable=False),
)

feed_member = Table(
    "feed_member",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("key_id", String(32), ForeignKey("api_key.id"), primary_key=True),
    Column("created_by", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

feed_return = Table(
    "feed_return",
    metadata,
    Column("id", Id, primary_key=True),
    Column("feed_id", Id, ForeignKey("feed.id"), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("idempotency", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("document", JSON, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("feed_id", "key_id", "idempotency"),
    Index(None, "feed_id", "id"),
    comment="What members gave back: feedback and entries of theirs.",
)
