"""The database's tables, as the steps that made them: a database of version n has had the first n steps.

A step is never edited once released; a change is a new step at the end. docs/spec/ingest.md explains the tables.
"""

import sqlite3

STEPS = (
    """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE entries (
    cursor INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    author BLOB NOT NULL,
    kind INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    order_id BLOB,
    unix_s INTEGER,
    received_s INTEGER NOT NULL,
    raw BLOB NOT NULL,
    void_reason TEXT
);
-- A chained author has one entry a place, a person one entry an order id.
CREATE UNIQUE INDEX entries_by_place ON entries (author, generation, sequence) WHERE order_id IS NULL;
CREATE UNIQUE INDEX entries_by_order ON entries (author, order_id) WHERE order_id IS NOT NULL;
-- Readings (kind 2) are most of all entries and are never looked up by id.
CREATE UNIQUE INDEX entries_by_id ON entries (id) WHERE kind <> 2;
CREATE INDEX entries_by_kind ON entries (kind) WHERE kind <> 2;

CREATE TABLE certificates (
    cursor INTEGER PRIMARY KEY REFERENCES entries (cursor),
    id BLOB NOT NULL UNIQUE,
    kid BLOB NOT NULL,
    version INTEGER NOT NULL,
    role INTEGER NOT NULL,
    label TEXT NOT NULL,
    UNIQUE (kid, version)
);

CREATE TABLE points (
    meter BLOB NOT NULL,
    generation INTEGER NOT NULL,
    unix_s INTEGER NOT NULL,
    import_wh INTEGER NOT NULL,
    export_wh INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (meter, generation, unix_s)
) WITHOUT ROWID;

-- The last good registers of a meter; `energy` and `instantaneous` are JSON maps of register id to value.
CREATE TABLE registers (
    meter BLOB PRIMARY KEY,
    generation INTEGER NOT NULL,
    end_s INTEGER NOT NULL,
    received_s INTEGER NOT NULL,
    energy TEXT NOT NULL,
    instantaneous TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE evidence (
    author BLOB NOT NULL,
    generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    held BLOB NOT NULL,
    other BLOB NOT NULL,
    seen_s INTEGER NOT NULL,
    PRIMARY KEY (author, generation, sequence)
) WITHOUT ROWID;

CREATE TABLE pending (
    public_key BLOB PRIMARY KEY,
    proof BLOB NOT NULL,
    source TEXT NOT NULL,
    first_s INTEGER NOT NULL,
    last_s INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE rejections (
    reason TEXT NOT NULL,
    author BLOB NOT NULL,
    source TEXT NOT NULL,
    times INTEGER NOT NULL,
    first_s INTEGER NOT NULL,
    last_s INTEGER NOT NULL,
    PRIMARY KEY (reason, author, source)
) WITHOUT ROWID;

-- What each meter is to hear, in the order of `position`, which is the cursor of the wire.
CREATE TABLE inbox (
    position INTEGER PRIMARY KEY,
    meter BLOB NOT NULL,
    entry INTEGER NOT NULL REFERENCES entries (cursor),
    UNIQUE (meter, entry)
);
CREATE INDEX inbox_by_meter ON inbox (meter, position);
""",
    """
-- Which KEY_EPOCH gives the secret of an epoch; of two of one number the later, until the next one, counts.
CREATE TABLE epochs (
    meter BLOB NOT NULL,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    cursor INTEGER NOT NULL REFERENCES entries (cursor),
    PRIMARY KEY (meter, number, generation, sequence)
) WITHOUT ROWID;

-- What a KEY_OPEN said of a key; of two of one number the first counts.
CREATE TABLE key_periods (
    meter BLOB NOT NULL,
    generation INTEGER NOT NULL,
    key_no INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    commitment BLOB NOT NULL,
    PRIMARY KEY (meter, generation, key_no)
) WITHOUT ROWID;

-- Meters that seal: from which entry on, and how many readings could not be opened with the keys of those `tried`.
CREATE TABLE sealing (
    meter BLOB PRIMARY KEY,
    since INTEGER NOT NULL REFERENCES entries (cursor),
    unopened INTEGER NOT NULL,
    tried BLOB NOT NULL
) WITHOUT ROWID;
""",
    """
-- Links that open the page. A code is here as its SHA-256 alone; `person` is a key id, NULL for the operator.
CREATE TABLE access (
    digest BLOB PRIMARY KEY,
    person BLOB,
    label TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    last_used_s INTEGER
) WITHOUT ROWID;
""",
)


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open database up to date, inside a transaction of the caller's."""
    for number in range(version(connection), len(STEPS)):
        for statement in STEPS[number].split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
