"""The tables of the engine, described once for any metadata."""

from dataclasses import dataclass

import sqlalchemy as sa

EPOCH = "epoch"
Big = sa.BigInteger()


def uuid() -> sa.types.TypeEngine[str]:
    """Return the column type of an id made by a phone: native where there is such a type."""
    return sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


@dataclass(frozen=True)
class SyncTables:
    """The engine's own tables."""

    meta: sa.Table
    device: sa.Table
    scope: sa.Table
    feed: sa.Table
    ledger: sa.Table
    parked: sa.Table
    age: sa.Table
    erasure: sa.Table
    wiped: sa.Table

    @classmethod
    def describe(cls, metadata: sa.MetaData) -> "SyncTables":
        """Add the tables to a metadata."""
        return cls(
            _meta(metadata), _device(metadata), _scope(metadata), _feed(metadata),
            _ledger(metadata), _parked(metadata), _age(metadata), _erasure(metadata),
            _wiped(metadata),
        )  # fmt: skip


def _meta(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "sync_meta", metadata,
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.String(200), nullable=False),
    )  # fmt: skip


def _device(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "sync_device", metadata,
        sa.Column("id", uuid(), primary_key=True),
        sa.Column("user_id", Big, nullable=False, index=True),
        sa.Column("enrolment", uuid(), nullable=True, index=True),
        sa.Column("last_n", Big, nullable=False, server_default="0"),
        sa.Column("last_id", uuid(), nullable=True),
        sa.Column("last_ms", Big, nullable=False, server_default="0"),
        sa.Column("app", sa.String(60), nullable=True),
        sa.Column("schema", sa.Integer, nullable=False, server_default="1"),
        sa.Column("made_ms", Big, nullable=False, server_default="0"),
    )  # fmt: skip


def _scope(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "sync_scope", metadata,
        sa.Column("scope", sa.String(60), primary_key=True),
        sa.Column("ver", Big, nullable=False),
        sa.Column("digest", Big, nullable=False),
        sa.Column("live", Big, nullable=False),
        sa.Column("floor", Big, nullable=False),
    )  # fmt: skip


def _feed(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "sync_feed", metadata,
        sa.Column("scope", sa.String(60), primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("record", uuid(), primary_key=True),
        sa.Column("ver", Big, nullable=False),
        sa.Column("rank", sa.SmallInteger, nullable=False),
        sa.Column("op", sa.String(5), nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Index("ix_sync_feed_scope_ver", "scope", "ver"),
    )  # fmt: skip


def _ledger(metadata: sa.MetaData) -> sa.Table:
    """One row per edit: its receipt, and with ``rec, rv`` the history of its record."""
    return sa.Table(
        "sync_ledger", metadata,
        sa.Column("edit", uuid(), primary_key=True),
        sa.Column("device", uuid(), nullable=False),
        sa.Column("n", Big, nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("op", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("rec", uuid(), nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("schema", Big, nullable=False),
        sa.Column("ms", Big, nullable=False),
        sa.Column("received_ms", Big, nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("device", "n"),
        sa.Index("ix_sync_ledger_rec_rv", "rec", "rv"),
    )  # fmt: skip


def _parked(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "sync_parked", metadata,
        sa.Column("edit", uuid(), primary_key=True),
        sa.Column("device", uuid(), nullable=False),
        sa.Column("user_id", Big, nullable=False, index=True),
        sa.Column("n", Big, nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("ms", Big, nullable=False),
        sa.Column("parked_ms", Big, nullable=False),
        sa.Column("waits_for", uuid(), nullable=False, index=True),
        sa.Column("scope", sa.String(60), nullable=True, index=True),
        sa.Column("rv", Big, nullable=False, server_default="0"),
        sa.Column("body", sa.Text, nullable=False),
    )  # fmt: skip


def _age(metadata: sa.MetaData) -> sa.Table:
    """At a moment, a scope had come to a version; one row a scope and week, no row a change."""
    return sa.Table(
        "sync_age", metadata,
        sa.Column("scope", sa.String(60), primary_key=True),
        sa.Column("ver", Big, primary_key=True),
        sa.Column("ms", Big, nullable=False),
    )  # fmt: skip


def _erasure(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "sync_erasure", metadata,
        sa.Column("kind", sa.String(60), primary_key=True),
        sa.Column("record", uuid(), primary_key=True),
        sa.Column("ms", Big, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("asked_by", Big, nullable=True),
    )  # fmt: skip


def _wiped(metadata: sa.MetaData) -> sa.Table:
    """Up to which version of a scope a phone has carried out all purges."""
    return sa.Table(
        "sync_wiped", metadata,
        sa.Column("device", uuid(), primary_key=True),
        sa.Column("scope", sa.String(60), primary_key=True),
        sa.Column("ver", Big, nullable=False),
        sa.Column("ms", Big, nullable=False),
    )  # fmt: skip
