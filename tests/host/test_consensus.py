"""CometBFT's folder, its process and its answers, each against a stand-in: what is written, ended, bounded."""

import asyncio
import base64
import hashlib
import json
import logging
import os
import threading
import tomllib
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer

import case
import pytest
from wattpact.consensus import home, process, rpc
from wattpact.consensus.process import Process, ProgramError, find_program
from wattpact.keys import Signer

SIGNER, OTHER = Signer(bytes(32)), Signer(bytes([7]) * 32)
FIRST = home.genesis("sun-street", 1_700_000_000, {"b": 1, "a": [2]}, b"\xab", [(SIGNER.public_key, 10, "one")])
PEER = "ab" * 20 + "@192.168.1.7:26656"


def write(folder, signer=SIGNER, genesis=FIRST, listen="0.0.0.0:26656", peers=(PEER,)):
    home.write_home(folder, signer, genesis, listen, peers)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


# The folder


def test_the_files(tmp_path):
    found = write(tmp_path / "comet")
    assert sorted(found) == [
        "config/config.toml", "config/genesis.json", "config/node_key.json", "config/priv_validator_key.json",
        "data/priv_validator_state.json",
    ]  # fmt: skip
    for path in (tmp_path / "comet").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    settings = tomllib.loads(found["config/config.toml"].decode())
    assert settings["p2p"]["laddr"] == "tcp://0.0.0.0:26656"
    assert settings["p2p"]["persistent_peers"] == PEER
    assert settings["rpc"]["max_request_batch_size"] == rpc.MAX_BATCH
    voting = json.loads(found["config/priv_validator_key.json"])
    assert base64.b64decode(voting["pub_key"]["value"]) == SIGNER.public_key
    assert base64.b64decode(voting["priv_key"]["value"]) == bytes(32) + SIGNER.public_key
    assert voting["address"] == hashlib.sha256(SIGNER.public_key).hexdigest()[:40].upper()
    secret = base64.b64decode(json.loads(found["config/node_key.json"])["priv_key"]["value"])
    assert Signer(secret[:32]).public_key == secret[32:]
    assert home.node_id(tmp_path / "comet") == hashlib.sha256(secret[32:]).hexdigest()[:40]


def test_keys_and_what_was_signed_are_never_overwritten(tmp_path):
    before = write(tmp_path / "comet")
    state = tmp_path / "comet/data/priv_validator_state.json"
    state.write_bytes(b'{"height":"7","round":0,"step":3}')
    after = write(tmp_path / "comet", listen="[::]:1", peers=())
    assert after["data/priv_validator_state.json"] == state.read_bytes() != before["data/priv_validator_state.json"]
    assert tomllib.loads(after["config/config.toml"].decode())["p2p"]["laddr"] == "tcp://[::]:1"
    for name in ("config/node_key.json", "config/priv_validator_key.json", "config/genesis.json"):
        assert after[name] == before[name]


def test_a_folder_is_of_one_chain_and_one_host(tmp_path):
    before = write(tmp_path)
    case.raises(home.HomeError, write, tmp_path, OTHER)
    case.raises(home.HomeError, write, tmp_path, SIGNER, FIRST.replace(b"sun", b"sea"))
    for damage in (b"", b"{}", b'{"pub_key":7}'):
        (tmp_path / "config/priv_validator_key.json").write_bytes(damage)
        case.raises(home.HomeError, write, tmp_path)
    (tmp_path / "config/priv_validator_key.json").unlink()
    assert write(tmp_path) == before


def test_a_node_key_that_is_none(tmp_path):
    assert "no node key" in str(case.raises(home.HomeError, home.node_id, tmp_path))
    write(tmp_path)
    for damage in (b"", b"{}", b"[]", b'{"priv_key":{"value":"?"}}'):
        (tmp_path / "config/node_key.json").write_bytes(damage)
        assert "damaged" in str(case.raises(home.HomeError, home.node_id, tmp_path))


@pytest.mark.parametrize("address", ["", "26656", "host", 'a:1"', "a:1\n", "a b:1", "tcp://a:1", "a:123456"])
def test_addresses_are_written_only_where_they_are_some(tmp_path, address):
    case.raises(home.HomeError, write, tmp_path / "x", SIGNER, FIRST, address)
    for peer in (address, "ab" * 20 + "@" + address, "ab" * 20 + "@a:1," + address):
        case.raises(home.HomeError, write, tmp_path / "x", SIGNER, FIRST, "a:1", [peer])
    assert not (tmp_path / "x").exists()


def test_the_first_page_is_the_same_bytes_everywhere():
    two = [(SIGNER.public_key, 10, "one"), (OTHER.public_key, 5, "two")]
    made = home.genesis("c", 0, {"a": 1, "b": 2}, b"", two)
    assert made == home.genesis("c", 0, {"b": 2, "a": 1}, b"", two[::-1])
    assert json.loads(made)["genesis_time"] == "1970-01-01T00:00:00Z"
    assert json.loads(FIRST)["app_hash"] == "AB"
    for chain in ("", "x" * 51):
        case.raises(home.HomeError, home.genesis, chain, 0, {}, b"", two)


# The program and its process


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_the_program_that_is_found(tmp_path, monkeypatch):
    for name in ("given", "variable", "cometbft"):
        script(tmp_path / name, "echo 0.38.26\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("WATTPACT_COMETBFT", raising=False)
    assert find_program(None) == tmp_path / "cometbft"
    monkeypatch.setenv("WATTPACT_COMETBFT", str(tmp_path / "variable"))
    assert find_program(None) == tmp_path / "variable"
    assert find_program(str(tmp_path / "given")) == tmp_path / "given"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("echo 1.0.1\n", "not CometBFT 0.38 but 1.0.1"), ("exit 3\n", "something else"), (None, "cannot be run")],
)
def test_a_program_that_is_none(tmp_path, text, shown):
    if text is not None:
        script(tmp_path / "other", text)
    assert shown in str(case.raises(ProgramError, find_program, str(tmp_path / "other")))


def test_no_program_at_all(tmp_path, monkeypatch):
    monkeypatch.delenv("WATTPACT_COMETBFT", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "tools/fetch_cometbft.sh" in str(case.raises(ProgramError, find_program, None))


async def holds(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_it_is_started_again_with_growing_pauses(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(process, "MAX_PAUSE_S", 0.04)
    program = script(
        tmp_path / "cometbft", 'echo "$CMT_MONIKER"; echo fine; echo "panic: no"; echo at line 7; exit 5\n'
    )
    monkeypatch.setenv("CMT_MONIKER", "leaked")

    async def live():
        run = Process(program, tmp_path, first_pause_s=0.01)
        await run.start()
        await holds(lambda: run.starts >= 5)
        await run.stop()
        assert run.pid is None

    asyncio.run(live())
    pauses = [record.args[1] for record in caplog.records if record.name == "wattpact.consensus"]
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.04]
    assert "CometBFT ended with status 5; it is started again in 0.01 s. Its last errors:\n  panic: no" in caplog.text
    assert "fine" not in caplog.text
    assert "leaked" not in (tmp_path / "cometbft.log").read_text()


def test_what_cannot_be_started_is_tried_again(tmp_path, caplog):
    async def live():
        run = Process(tmp_path / "cometbft", tmp_path, first_pause_s=0.01)
        await run.start()
        await holds(lambda: run.starts >= 2)
        script(tmp_path / "cometbft", "exec sleep 60\n")
        await holds(lambda: run.pid is not None)
        await run.stop()

    asyncio.run(live())
    assert "could not be started" in caplog.text


def test_one_that_does_not_end_is_killed(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(process, "END_S", 0.1)
    program = script(tmp_path / "cometbft", "trap '' TERM\necho ready\nwhile :; do sleep 0.05; done\n")

    async def live():
        run = Process(program, tmp_path)
        await run.start()
        await holds(lambda: (tmp_path / "cometbft.log").exists())
        pid = run.pid
        await run.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(live())
    assert "was killed" in caplog.text


def test_one_that_orders_nothing_any_more_is_ended_and_started_again(tmp_path, caplog):
    program = script(tmp_path / "cometbft", "echo 'E[now] CONSENSUS FAILURE!!! err=why'\nexec sleep 60\n")

    async def live():
        run = Process(program, tmp_path, first_pause_s=0.01)
        await run.start()
        await holds(lambda: run.starts >= 2)
        await run.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(live())
    assert "CONSENSUS FAILURE!!! err=why" in caplog.text


def test_its_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 10_000)
    program = script(tmp_path / "cometbft", "yes 'a line' | head -c 300000\nexec sleep 60\n")

    async def live():
        run = Process(program, tmp_path)
        await run.start()
        written = []
        while sum(written) < 290_000 and len(written) < 1000:  # some of it was thrown away by now
            await asyncio.sleep(0.01)
            written = [path.stat().st_size for path in tmp_path.glob("cometbft.log*")]
            if len(written) == 2:
                break
        await asyncio.sleep(0.1)
        await run.stop()

    asyncio.run(live())
    sizes = [path.stat().st_size for path in tmp_path.glob("cometbft.log*")]
    assert len(sizes) == 2 and max(sizes) <= max(10_000, 1 << 16)


# Requests to it


class StandIn(ThreadingUnixStreamServer):
    """Answers each request for JSON-RPC with what a function makes of it, and closes after `served` requests."""

    daemon_threads = True

    def __init__(self, path, answer):
        self.answer, self.bodies, self.closes = answer, [], False
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "here"

    def log_message(self, *_):
        pass

    def do_POST(self):
        calls = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(calls)
        found = self.server.answer(calls)
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = self.server.closes


def outcomes(result):
    """An answerer: what `result` makes of each transaction, one bare object for one, as CometBFT has it."""

    def answer(calls):
        found = [{"id": one["id"], **result(base64.b64decode(one["params"]["tx"]))} for one in calls]
        return found[0] if len(found) == 1 else found[::-1]

    return answer


def error(data):
    return {"error": {"code": -32603, "message": "Internal error", "data": data}}


def taken(transaction):
    if transaction.startswith(b"no"):
        return {"result": {"code": 1, "log": transaction.decode()}}
    if transaction == b"known":
        return error("tx already exists in cache")
    if transaction == b"full":
        return error("mempool is full: number of txs 5000")
    return {"result": {"code": 0, "log": ""}}


def broadcast(path, *given):
    """The answer to each list of transactions, sent one after another by one client."""
    client = rpc.Client(path)
    try:
        return [asyncio.run(client.broadcast(transactions)) for transactions in given]
    finally:
        client.close()


def test_each_transaction_has_its_own_answer(tmp_path):
    with StandIn(tmp_path / "s", outcomes(taken)) as stand:
        given = [b"a", b"no 1", b"known", bytes(70_000), b"no 2"]
        assert broadcast(tmp_path / "s", given, [b"no 3"], []) == [
            [None, "no 1", None, "a transaction has at most 65536 bytes", "no 2"], ["no 3"], [],
        ]  # fmt: skip
        assert [len(body) for body in stand.bodies] == [4, 1]
        assert "mempool is full" in str(case.raises(rpc.RpcError, broadcast, tmp_path / "s", [b"a", b"full"]))


@pytest.mark.parametrize("size", [3, 30_000, 65_536])
def test_a_request_carries_as_much_as_cometbft_takes(tmp_path, size):
    given = [b"%d" % number + bytes(size - 3) for number in range(100, 400)]
    with StandIn(tmp_path / "s", outcomes(lambda one: {"result": {"code": 1, "log": one[:3].decode()}})) as stand:
        assert broadcast(tmp_path / "s", given) == [[str(number) for number in range(100, 400)]]
        assert len(stand.bodies) > 1
        for body in stand.bodies:
            assert len(body) <= rpc.MAX_BATCH and len(json.dumps(body)) <= rpc.MAX_BODY_BYTES


def test_a_connection_that_was_closed_meanwhile_is_made_anew(tmp_path):
    with StandIn(tmp_path / "s", outcomes(taken)) as stand:
        stand.closes = True
        assert broadcast(tmp_path / "s", [b"a"], [b"no"], [b"c"]) == [[None], ["no"], [None]]


def test_where_it_is(tmp_path):
    key = {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(SIGNER.public_key).decode()}
    state = {"latest_block_height": "7", "latest_block_time": "2026-11-30T20:45:54.562123456Z", "catching_up": True}
    results = {
        "status": {"sync_info": state}, "net_info": {"n_peers": "3"},
        "validators": {"validators": [{"pub_key": key, "voting_power": "10"}]},
    }  # fmt: skip
    with StandIn(tmp_path / "s", lambda calls: [{"id": one["id"], "result": results[one["method"]]} for one in calls]):
        client = rpc.Client(tmp_path / "s")
        assert asyncio.run(client.status()) == rpc.Status(7, 1_796_071_554, True, 3, [(SIGNER.public_key, 10)])
        state["latest_block_time"] = "0001-01-01T00:00:00Z"
        assert asyncio.run(client.status()).time_s == 0
        client.close()


@pytest.mark.parametrize(
    "found",
    [
        b"", b"{", b"7", b"[]", b"{}", b'[{"id":0}]', b'{"id":0,"result":7}', b'{"id":0,"result":{}}', b'[{"id":[]}]',
        b'{"id":0,"error":7}', b'{"id":null,"error":{"message":"Invalid Request","data":"batch request exceeds"}}',
        b'{"id":0,"result":{"code":0,"log":"' + bytes(5 << 20),
    ],
    ids=range(12),
)  # fmt: skip
def test_whatever_it_answers_is_an_answer_or_an_error(tmp_path, found):
    with StandIn(tmp_path / "s", lambda calls: found):
        case.raises(rpc.RpcError, broadcast, tmp_path / "s", [b"a"])
        with pytest.raises(rpc.RpcError):
            asyncio.run(rpc.Client(tmp_path / "s").status())


def test_nobody_answers(tmp_path, monkeypatch):
    assert "does not answer" in str(case.raises(rpc.RpcError, broadcast, tmp_path / "s", [b"a"]))
    monkeypatch.setattr(rpc, "TIMEOUT_S", 0.1)
    waits = threading.Event()
    with StandIn(tmp_path / "s", lambda calls: waits.wait(5)):
        assert "timed out" in str(case.raises(rpc.RpcError, broadcast, tmp_path / "s", [b"a"]))
        waits.set()
