"""The store: durable, whole or nothing, one writer's place at a time, and clear about what it cannot do."""

import ast
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import wattpact
from case import Bits, cases
from simulator.community import AT_ONCE, NEVER, START_S
from simulator.host import hosted, key
from wattpact.ingest.rejections import Rejections
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.publishing import publish
from wattpact.store.records import Accepted, StoreError
from wattpact.store.sqlite import schema
from wattpact.store.sqlite.reader import Reader
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import entry, kinds

HERE = os.path.dirname(__file__)
PATHS = os.pathsep.join(
    os.path.join(HERE, *steps) for steps in ((".",), ("..", "..", "host"), ("..", "..", "protocol"), ("..",))
)


def spawn(source, *arguments):
    """A Python of its own that has the community of these tests at hand."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PATHS}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_settings_that_durability_rests_on(tmp_path):
    with Store(tmp_path / "a.db", bytes(16)) as store:
        assert store.value("PRAGMA journal_mode") == "wal"
        assert store.value("PRAGMA synchronous") == 2  # FULL
        assert store.value("PRAGMA foreign_keys") == 1


def test_a_database_belongs_to_one_community(tmp_path):
    Store(tmp_path / "a.db", bytes(16)).close()
    with pytest.raises(StoreError, match="another community"):
        Store(tmp_path / "a.db", bytes(15) + b"x")
    with Store(tmp_path / "a.db") as store:
        assert store.community == bytes(16) and len(store.inbox_id) == 8


def test_no_database_appears_by_accident(tmp_path):
    for opening in (Store, Reader):
        with pytest.raises(StoreError, match="no database"):
            opening(tmp_path / "absent.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_rejected(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Store(path, bytes(16))


def test_a_damaged_database_is_named_and_reading_it_stops_there(tmp_path):
    community = hosted(tmp_path)
    meter = community.owned_meter("House 1")
    community.now_s = START_S + 86400
    community.sink.stored(*[meter.reading(START_S + 15 * n, [(1, 0)]) for n in range(1000)])
    community.sink.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    community.sink.close()
    path = community.sink.path
    data = bytearray(path.read_bytes())
    for place in range(4096 * 8, len(data), 4096):
        data[place : place + 64] = b"\xa5" * 64
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"), Store(path) as store:
        for row in store.stream():
            entry.decode(row.raw, store.community)


@pytest.mark.parametrize("version", [schema.VERSION - 1, schema.VERSION + 1, 99])
def test_a_database_of_another_version_is_rejected(tmp_path, version):
    path = tmp_path / "a.db"
    Store(path, bytes(16)).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {version}")
    raw.close()
    before = path.read_bytes()
    for opened in (Store, Reader):
        with pytest.raises(StoreError, match=f"another version of wattpact: its tables are version {version}"):
            opened(path)
    assert path.read_bytes() == before


def test_tables_are_made_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    monkeypatch.setattr(schema, "SCRIPT", schema.SCRIPT + ";\nINSERT INTO absent VALUES (7);\n")
    with pytest.raises(StoreError):
        Store(path, bytes(16))
    with sqlite3.connect(path) as raw:
        assert schema.version(raw) == 0 and raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    raw.close()


HOST = Path(wattpact.__file__).parent
SQL = re.compile(
    r"\b(SELECT .+ FROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX)|PRAGMA) ", re.S
)


def outside_sqlite(path: Path) -> list[str]:
    """What of SQL, of sqlite3 and of the implementation a module names."""
    tree = ast.parse(path.read_text())
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [
                name for name in names if name.split(".")[0] == "sqlite3" or name.startswith("wattpact.store.sqlite")
            ]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
            found.append(node.value)
        elif isinstance(node, ast.Attribute) and node.attr in ("execute", "executemany"):
            found.append(ast.unparse(node))
    return found


def test_sql_is_in_one_package_alone(tmp_path):
    modules = [path for path in HOST.rglob("*.py") if HOST / "store" / "sqlite" not in path.parents]
    assert len(modules) > 50 and HOST / "store" / "interface.py" in modules
    chooses = {path.relative_to(HOST).as_posix(): outside_sqlite(path) for path in modules if outside_sqlite(path)}
    assert chooses == {"store/__init__.py": ["wattpact.store.sqlite"]}
    for source in (
        'x = "SELECT a FROM b WHERE c"',
        "import sqlite3",
        "from wattpact.store.sqlite import store",
        "a.execute()",
    ):
        (tmp_path / "broken.py").write_text(source)
        assert outside_sqlite(tmp_path / "broken.py") != []


def test_a_batch_is_stored_whole_or_not_at_all(tmp_path):
    community = hosted(tmp_path)
    meter = community.owned_meter("House 1")
    one, two = meter.publish("event", {"code": 1}, START_S), meter.publish("event", {"code": 2}, START_S)
    before = community.sink.store.last_cursor()
    with pytest.raises(StoreError):
        community.sink.store.append([Accepted(one), Accepted(two), Accepted(one)], START_S)
    assert community.sink.store.last_cursor() == before
    assert community.sink.store.append([Accepted(one), Accepted(two)], START_S) == before + 2
    community.sink.close()


def test_a_locked_database_is_reported_as_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr("wattpact.store.sqlite.connection.BUSY_TIMEOUT_S", 0)
    community = hosted(tmp_path)
    with sqlite3.connect(community.sink.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program"):
            community.publish(community.issuer, "policy", {"version": 1})
        other.execute("ROLLBACK")
    other.close()
    community.publish(community.issuer, "policy", {"version": 1})
    community.sink.close()


def test_reading_goes_on_while_another_writes(tmp_path):
    community = hosted(tmp_path)
    count = len(community.sink.store.entries())
    with community.sink.store.transaction():
        community.publish(community.issuer, "policy", {"version": 1})
        seen = []
        thread = threading.Thread(target=lambda: seen.append(len(community.sink.store.reader().entries())))
        thread.start()
        thread.join()
    assert seen == [count]
    community.sink.close()


def test_a_reader_cannot_write(tmp_path):
    community = hosted(tmp_path)
    with Reader(community.sink.path) as reader, pytest.raises(StoreError):
        reader.rows("DELETE FROM entries")
    community.sink.close()


def test_publishing_needs_a_certificate(tmp_path):
    community = hosted(tmp_path)
    with pytest.raises(StoreError, match="no certificate"):
        publish(community.sink.store, key("stranger"), kinds.POLICY, {"version": 1}, START_S)
    with pytest.raises(entry.EntryError):
        publish(community.sink.store, key("issuer"), kinds.POLICY, {"version": -1}, START_S)
    community.sink.close()


SAY = """
    import sys
    from simulator.host import hosted, key
    from wattpact.store.publishing import publish
    from wattpact.store.sqlite.store import Store
    from wattpact_protocol.log import kinds
    from pathlib import Path
    with Store(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        for n in range(int(sys.argv[2])):
            publish(store, key("issuer"), kinds.POLICY, {"version": n}, 1_800_000_000)
"""


def test_two_processes_publishing_in_one_log_never_use_a_place_twice(tmp_path):
    community = hosted(tmp_path)
    sequence = community.sink.store.head(community.issuer.kid, 0)[0]
    talkers = [spawn(SAY, community.sink.path, 60) for _ in range(3)]
    for talker in talkers:
        _, errors = talker.communicate(timeout=60)
        assert talker.returncode == 0, errors
    head = None
    said = [entry.decode(row.raw, community.id) for row in community.sink.store.entries(author=community.issuer.kid)]
    for new in said:
        assert (new.sequence, new.previous) == ((0, new.previous) if head is None else (head.sequence + 1, head.id))
        head = new
    assert head.sequence == sequence + 180
    community.sink.pipeline.directory.refresh()
    assert community.sink.pipeline.directory.get(community.issuer.kid).head.next_sequence == head.sequence + 1
    community.sink.close()


COMMIT = """
    import sys
    from pathlib import Path
    from simulator.community import START_S
    from simulator.host import key
    from wattpact.ingest.pipeline import Ingest
    from wattpact.projections.follow import Projections
    from wattpact.projections.unsealing import Unsealer
    from wattpact.store.sqlite.store import Store
    store = Store(Path(sys.argv[1]))
    ingest = Ingest(store, key("root").public_key, lambda: START_S + 10**7)
    measuring = Projections(store, Unsealer(store, [key("issuer")]), ingest.rejections, lambda: START_S)
    measuring.catch_up()
    lines = Path(sys.argv[2]).read_text().split()
    start = int(sys.argv[3])
    for place in range(start, len(lines), 7):
        verdicts = ingest.ingest([bytes.fromhex(line) for line in lines[place : place + 7]])
        assert {verdict.reason for verdict in verdicts} <= {"stored", "duplicate"}, verdicts
        measuring.catch_up()
        print(verdicts[-1].entry.sequence, flush=True)
"""


DEATHS = cases(20, 3)


@pytest.mark.parametrize("seals", [True, False])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path, seals):
    """DEATHS at seeded moments, each in the midst of committing batches and measuring them."""
    community = hosted(tmp_path, seals=AT_ONCE if seals else NEVER)
    meter = community.owned_meter("House 1")
    first = meter.sequence
    entries = [meter.reading(START_S + 15 * n, [(5, 1)]) for n in range(350 * DEATHS)]
    (tmp_path / "entries").write_text("\n".join(new.raw.hex() for new in entries))
    community.sink.close()
    moments = random.Random(47800)
    acknowledged = -1
    for _ in range(DEATHS):
        writer = spawn(COMMIT, community.sink.path, tmp_path / "entries", acknowledged + 1)
        for _ in range(moments.randrange(1, 40)):
            line = writer.stdout.readline()
            assert line, writer.stderr.read()
            acknowledged = int(line) - first
        threading.Event().wait(moments.randrange(0, 4) / 1000)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate(timeout=30)
        acknowledged = max([acknowledged, *(int(line) - first for line in rest.split())])
        with Store(community.sink.path) as store:
            Projections(store, Unsealer(store, [community.issuer]), Rejections(), lambda: START_S).catch_up()
            held = store.entries(author=meter.kid, of_kinds=(kinds.READING,))
            assert len(held) > acknowledged
            assert [row.raw for row in held] == [new.raw for new in entries[: len(held)]]
            (registers,) = store.registers(meter.kid)
            assert (registers.energy, len(store.points(meter.kid))) == (
                {1: 5 * len(held), 2: len(held)}, len(held) + 1,
            )  # fmt: skip
            assert store.value("PRAGMA integrity_check") == "ok"
    assert acknowledged > 5 * DEATHS


def test_pending_requests_are_bounded_and_the_silent_go_first(tmp_path):
    bits = Bits("pending")
    with Store(tmp_path / "a.db", bytes(16)) as store:
        keys = [bits.bytes(32) for _ in range(300)]
        for n, public_key in enumerate(keys):
            store.keep_pending(public_key, bytes(32), "10.0.0.1", START_S + n)
        store.keep_pending(keys[100], b"p" * 32, "10.0.0.2", START_S + 400)
        kept = {row.public_key: row for row in store.pending()}
    assert set(kept) == set(keys[44:])
    assert kept[keys[100]][1:] == (b"p" * 32, "10.0.0.2", START_S + 100, START_S + 400)


def test_queries_find_what_they_name(tmp_path):
    community = hosted(tmp_path)
    meter = community.owned_meter("House 1")
    community.now_s = START_S + 100
    community.sink.stored(
        meter.publish("event", {"code": 1}, START_S),
        meter.reading(START_S, [(5, 0)]),
        meter.publish("event", {"code": 2}, START_S),
    )
    reader = community.sink.store.reader()
    rows = reader.entries(author=meter.kid)[2:]
    assert [row.kind for row in rows] == [kinds.EVENT, kinds.READING, kinds.EVENT]
    assert reader.entries(of_kinds=[kinds.EVENT], newest_first=True, limit=1) == [rows[2]]
    assert reader.entries(after=rows[0].cursor, before=rows[2].cursor) == [rows[1]]
    assert reader.entry_at(meter.kid, 0, 3) == rows[1]
    assert reader.entry_with_id(rows[2].id) == rows[2]
    assert reader.entry_with_id(bytes(32)) is None and reader.entry_at(meter.kid, 0, 5) is None
    assert list(reader.stream(rows[0].cursor - 1, chunk=2)) == rows
    assert {known.body["label"] for known in reader.certificates()} == {
        "root", "issuer", "host", "House 1", "owner of House 1",
    }  # fmt: skip
    community.sink.close()


def test_what_is_read_of_one_moment_does_not_change_while_others_write(tmp_path):
    community = hosted(tmp_path)
    meter = community.owned_meter("House 1")
    with Reader(community.sink.path) as reader:
        with reader.moment():
            before = reader.last_cursor()
            community.publish(meter, "event", {"code": 1})
            assert reader.last_cursor() == before
        assert reader.last_cursor() > before
        with pytest.raises(KeyError), reader.moment():
            raise KeyError
        assert reader.last_cursor() > before
    community.sink.close()
