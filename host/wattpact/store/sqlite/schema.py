"""The database's tables: one script, and the version that a database made by it has.

What always holds: a database of another version is not opened, since nothing here knows what its rows mean.
docs/spec/ingest.md explains the tables.
"""

import sqlite3

VERSION = 5

SCRIPT = """
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
    void_reason TEXT,
    ahead INTEGER NOT NULL DEFAULT 0
);
-- Entries that came with a block, and which the logs here do not reach yet.
CREATE INDEX entries_ahead ON entries (author, generation, sequence) WHERE ahead;
-- A chained author has one entry a place, a person one entry an order id.
CREATE UNIQUE INDEX entries_by_place ON entries (author, generation, sequence) WHERE order_id IS NULL AND NOT ahead;
CREATE UNIQUE INDEX entries_by_order ON entries (author, order_id) WHERE order_id IS NOT NULL AND NOT ahead;
-- Readings (kind 2) are most of all entries and are never looked up by id.
CREATE UNIQUE INDEX entries_by_id ON entries (id) WHERE kind <> 2;
CREATE INDEX entries_by_kind ON entries (kind) WHERE kind <> 2;
CREATE INDEX entries_by_author ON entries (author) WHERE kind <> 2;
CREATE INDEX entries_void ON entries (void_reason) WHERE void_reason IS NOT NULL;

CREATE TABLE certificates (
    cursor INTEGER PRIMARY KEY REFERENCES entries (cursor),
    id BLOB NOT NULL UNIQUE,
    kid BLOB NOT NULL,
    version INTEGER NOT NULL,
    role INTEGER NOT NULL,
    label TEXT NOT NULL,
    UNIQUE (kid, version)
);

CREATE TABLE forks (
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

-- What each meter is to receive, in the order of `position`, which is the cursor of the wire.
CREATE TABLE inbox (
    position INTEGER PRIMARY KEY,
    meter BLOB NOT NULL,
    entry INTEGER NOT NULL REFERENCES entries (cursor),
    UNIQUE (meter, entry)
);
CREATE INDEX inbox_by_meter ON inbox (meter, position);

-- Which KEY_EPOCH gives the secret of an epoch; of two of one number the later, until the next one, counts.
CREATE TABLE epochs (
    meter BLOB NOT NULL,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    cursor INTEGER NOT NULL REFERENCES entries (cursor),
    PRIMARY KEY (meter, number, generation, sequence)
) WITHOUT ROWID;

-- What a KEY_OPEN published of a key; of two of one number the first counts.
CREATE TABLE key_periods (
    meter BLOB NOT NULL,
    generation INTEGER NOT NULL,
    key_no INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    commitment BLOB NOT NULL,
    PRIMARY KEY (meter, generation, key_no)
) WITHOUT ROWID;

-- Meters that seal, and how many of their readings could not be unsealed with the keys of those `tried`.
CREATE TABLE sealing (meter BLOB PRIMARY KEY, unread INTEGER NOT NULL, tried BLOB NOT NULL) WITHOUT ROWID;

-- Links that open the page. A code is here as its SHA-256 alone; `person` is a key id, NULL for the operator.
CREATE TABLE access (
    digest BLOB PRIMARY KEY,
    person BLOB,
    label TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    last_used_s INTEGER
) WITHOUT ROWID;

-- Load profiles: both registers at each time that a meter measured, running on through register generations.
-- `measured_wh` sums up what was known exactly, slot by slot, until then.
CREATE TABLE points (
    meter BLOB NOT NULL,
    unix_s INTEGER NOT NULL,
    import_wh INTEGER NOT NULL,
    export_wh INTEGER NOT NULL,
    measured_wh INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (meter, unix_s)
) WITHOUT ROWID;

-- The last good registers of a meter; `energy` and `instantaneous` are JSON maps of register id to value, `profile` is
-- what its next reading continues.
CREATE TABLE registers (
    meter BLOB PRIMARY KEY,
    generation INTEGER NOT NULL,
    end_s INTEGER NOT NULL,
    received_s INTEGER NOT NULL,
    energy TEXT NOT NULL,
    instantaneous TEXT NOT NULL,
    profile TEXT NOT NULL
) WITHOUT ROWID;

-- What each meter last reported of its relay.
CREATE TABLE relays (
    meter BLOB PRIMARY KEY,
    is_closed INTEGER NOT NULL,
    reason TEXT NOT NULL,
    since_s INTEGER,
    contract BLOB,
    wait_until_s INTEGER
) WITHOUT ROWID;

-- What each meter last reported of the ledger, by the code of the event.
CREATE TABLE reported (
    meter BLOB NOT NULL,
    code INTEGER NOT NULL,
    detail INTEGER NOT NULL,
    text TEXT NOT NULL,
    unix_s INTEGER,
    PRIMARY KEY (meter, code)
) WITHOUT ROWID;

-- Every contract as the ledger has it; `number` is what `fills` call it. From carried_wh on: what settlement made of it
-- so far.
CREATE TABLE contracts (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    offer BLOB NOT NULL,
    acceptance BLOB NOT NULL,
    supplier BLOB NOT NULL,
    consumer BLOB NOT NULL,
    wh INTEGER NOT NULL,
    max_w INTEGER NOT NULL,
    price_micro_per_kwh INTEGER NOT NULL,
    start_s INTEGER NOT NULL,
    end_s INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    start_by_s INTEGER NOT NULL,
    matched_s INTEGER,
    grant_number INTEGER,
    used_from_s INTEGER,
    terminated_s INTEGER,
    terminated_by TEXT,
    attributed_wh INTEGER NOT NULL,
    end_reason INTEGER,
    ended_s INTEGER,
    carried_wh INTEGER NOT NULL DEFAULT 0,
    short_wh INTEGER NOT NULL DEFAULT 0,
    spare_wh INTEGER NOT NULL DEFAULT 0,
    closed_s INTEGER,
    unused_wh INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX contracts_ungranted ON contracts (end_s) WHERE grant_number IS NULL;
CREATE INDEX contracts_by_supplier ON contracts (supplier, end_s);
CREATE INDEX contracts_by_consumer ON contracts (consumer, end_s);
CREATE INDEX contracts_by_start ON contracts (start_s);
CREATE INDEX contracts_by_end ON contracts (end_s);
CREATE INDEX contracts_by_ended ON contracts (ended_s) WHERE ended_s IS NOT NULL;

-- The entries of a contract's life that the ledger ordered: offer, acceptance, contract, grant, starts and ends.
CREATE TABLE steps (
    contract INTEGER NOT NULL REFERENCES contracts (number),
    cursor INTEGER NOT NULL REFERENCES entries (cursor),
    PRIMARY KEY (contract, cursor)
) WITHOUT ROWID;

-- What a contract carried, was short of and could have had besides, summed up to the end of each slot with any of it.
CREATE TABLE fills (
    contract INTEGER NOT NULL REFERENCES contracts (number),
    start_s INTEGER NOT NULL,
    carried_wh INTEGER NOT NULL,
    short_wh INTEGER NOT NULL,
    spare_wh INTEGER NOT NULL,
    PRIMARY KEY (contract, start_s)
) WITHOUT ROWID;

-- Where settlement is: slots before `frontier_s` were looked at, as of `now_s`; from `changed_s` on contracts changed.
CREATE TABLE settled (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    frontier_s INTEGER NOT NULL,
    now_s INTEGER NOT NULL,
    changed_s INTEGER
);
INSERT INTO settled VALUES (1, 0, 0, NULL);

-- Meters that settlement waits for (1: for their own points) or went on without (2): from which slot on, and the time
-- of their last point then.
CREATE TABLE waiting (
    meter BLOB NOT NULL,
    what INTEGER NOT NULL,
    slot_s INTEGER NOT NULL,
    known_s INTEGER NOT NULL,
    PRIMARY KEY (meter, what)
) WITHOUT ROWID;

-- The ledger: its blocks, and where each entry that binds others was ordered, or why it was not.
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    time_s INTEGER NOT NULL,
    header BLOB NOT NULL,
    anchors BLOB NOT NULL
);
CREATE TABLE ordered (
    cursor INTEGER PRIMARY KEY REFERENCES entries (cursor),
    height INTEGER REFERENCES blocks (height),
    position INTEGER,
    reason TEXT
);
CREATE UNIQUE INDEX ordered_by_height ON ordered (height, position) WHERE height IS NOT NULL;

-- The state after the last block, the nodes of its map (`path`: depth and prefix), and those of the tree over blocks.
CREATE TABLE ledger_state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE ledger_map (path BLOB PRIMARY KEY, node BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE ledger_tree (level INTEGER, number INTEGER, node BLOB NOT NULL, PRIMARY KEY (level, number)) WITHOUT ROWID;

-- Who cosigns the ledger's head, and the heads that were cosigned, with their signatures in the text.
CREATE TABLE witnesses (
    name TEXT PRIMARY KEY,
    public_key BLOB NOT NULL,
    url TEXT NOT NULL,
    added_s INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    tried_s INTEGER,
    problem TEXT,
    conflict TEXT
) WITHOUT ROWID;
CREATE TABLE cosigned_heads (blocks INTEGER PRIMARY KEY, head TEXT NOT NULL);
"""


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create(connection: sqlite3.Connection) -> None:
    """Make the tables, inside a transaction of the caller's."""
    for statement in SCRIPT.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
