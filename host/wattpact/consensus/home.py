"""The folder that a host's CometBFT runs in: its settings, its keys, and the chain's first page.

    config/config.toml                what differs from CometBFT's defaults
    config/genesis.json               the chain: id, begin, first validators, first state
    config/priv_validator_key.json    the host's key, which its votes are signed with
    config/node_key.json              a key of this folder's, by which other hosts know whom they are connected to
    data/priv_validator_state.json    what was signed last: CometBFT never signs two votes for one place

What always holds: only the host's user can read it; keys, genesis and what was signed are written once and never
overwritten; settings appear whole or not at all.
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wattpact.consensus import rpc
from wattpact.keys import Signer
from wattpact.store.files import replacing

ABCI_SOCKET = "abci.sock"
RPC_SOCKET = "rpc.sock"
MAX_CHAIN_ID = 50
MAX_BLOCK_BYTES = 1_000_000

_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}")
_NODE_ID = re.compile(r"[0-9a-f]{40}")
_PUBLIC, _PRIVATE = "tendermint/PubKeyEd25519", "tendermint/PrivKeyEd25519"
_NOTHING_SIGNED = {"height": "0", "round": 0, "step": 0}


class HomeError(ValueError):
    """A folder that cannot be CometBFT's, or settings that cannot be; the text says what to do."""


def write_home(home: Path, signer: Signer, genesis: bytes, listen: str, peers: Sequence[str]) -> None:
    """Make the folder, or bring it up to date. `listen` is HOST:PORT for other hosts, and each of `peers` is
    NODE-ID@HOST:PORT of one of them. Raises HomeError, OSError."""
    settings = _settings(signer, listen, peers)
    for folder in (home, home / "config", home / "data"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    _write_genesis(home / "config" / "genesis.json", genesis)
    _write_voting_key(home / "config" / "priv_validator_key.json", signer)
    _write_node_key(_node_key(home))
    _write_once(home / "data" / "priv_validator_state.json", _json(_NOTHING_SIGNED))
    _write(home / "config" / "config.toml", settings.encode())


def has_blocks(home: Path) -> bool:
    """Whether a chain began in this folder."""
    return (home / "data" / "blockstore.db").exists()


def node_id(home: Path) -> str:
    """By which other hosts know this one; raises HomeError."""
    try:
        secret = base64.b64decode(json.loads(_node_key(home).read_bytes())["priv_key"]["value"], validate=True)
    except FileNotFoundError:
        raise HomeError(f"{home} has no node key yet") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(f"{_node_key(home)} is damaged; restore it from a backup, or delete it: {error}") from None
    return _address(secret[32:]).hex()


def genesis(
    chain_id: str, time_s: int, app_state: dict[str, Any], app_hash: bytes, validators: Sequence[tuple[bytes, int, str]]
) -> bytes:
    """The chain's first page, the same bytes on every host. A validator is its public key, power and name. Raises
    HomeError."""
    if not 0 < len(chain_id) <= MAX_CHAIN_ID:
        raise HomeError(f"a chain's id has 1 to {MAX_CHAIN_ID} characters")
    return _json({
        "app_hash": app_hash.hex().upper(),
        "app_state": app_state,
        "chain_id": chain_id,
        "consensus_params": {
            "block": {"max_bytes": str(MAX_BLOCK_BYTES), "max_gas": "-1"},
            # CometBFT's own, but for max_bytes, which may not be more than a block's.
            "evidence": {
                "max_age_num_blocks": "100000", "max_age_duration": str(48 * 3600 * 10**9), "max_bytes": "100000",
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": "0"},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "genesis_time": datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "initial_height": "1",
        "validators": [
            {"address": _address(key).hex().upper(), "pub_key": _key(_PUBLIC, key), "power": str(power), "name": name}
            for key, power, name in sorted(validators)
        ],
    })  # fmt: skip


def _settings(signer: Signer, listen: str, peers: Sequence[str]) -> str:
    """Addresses are checked: they are written into a file that has a syntax."""
    if not _ADDRESS.fullmatch(listen):
        raise HomeError(f"{listen!r} is no address to listen at; give HOST:PORT")
    for peer in peers:
        known_as, _, address = peer.partition("@")
        if not (_NODE_ID.fullmatch(known_as) and _ADDRESS.fullmatch(address)):
            raise HomeError(f"{peer!r} is no other host's address; give NODE-ID@HOST:PORT")
    return _TEMPLATE.format(
        moniker=signer.kid.hex(), abci=ABCI_SOCKET, rpc=RPC_SOCKET, listen=listen, peers=",".join(peers),
        ids=",".join(peer.partition("@")[0] for peer in peers),
        batch=rpc.MAX_BATCH, body=rpc.MAX_BODY_BYTES, transaction=rpc.MAX_TRANSACTION_BYTES,
    )  # fmt: skip


_TEMPLATE = """\
# Written by Wattpact whenever its node starts. What is not here is CometBFT's default.

# Paths of sockets are relative to this folder, which CometBFT is started in.
proxy_app = "unix://{abci}"
moniker = "{moniker}"
log_level = "error"
log_format = "plain"

[rpc]
laddr = "unix://{rpc}"
grpc_laddr = ""
max_request_batch_size = {batch}
max_body_bytes = {body}

[p2p]
laddr = "tcp://{listen}"
persistent_peers = "{peers}"
# They find room here, however many others there are.
unconditional_peer_ids = "{ids}"
# However long another host was away, it is looked for this often.
persistent_peers_max_dial_period = "30s"
pex = true
# How long small messages wait for more, by default 100ms; and below, how often a host looks for what another one lacks.
# Four hosts order a transaction in 0.1 s instead of 0.4 s, and need hardly more of a processor.
flush_throttle_timeout = "10ms"
# Hosts of one community may be in one private network, behind one address.
addr_book_strict = false
allow_duplicate_ip = true

[mempool]
size = 5000
max_tx_bytes = {transaction}
recheck = true

[consensus]
create_empty_blocks = false
timeout_propose = "1s"
timeout_propose_delta = "500ms"
timeout_prevote = "500ms"
timeout_precommit = "500ms"
timeout_commit = "200ms"
peer_gossip_sleep_duration = "20ms"
# Else a host that restarts within so many blocks would not start. That it signs nothing twice is what
# data/priv_validator_state.json is for.
double_sign_check_height = 0

[storage]
discard_abci_responses = true

[tx_index]
indexer = "null"

[instrumentation]
prometheus = false
"""


def _write_genesis(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() != content:
        raise HomeError(f"{path} begins another chain; move {path.parent.parent} away to follow this one")
    _write_once(path, content)


def _write_voting_key(path: Path, signer: Signer) -> None:
    if path.exists():
        try:
            known = base64.b64decode(json.loads(path.read_bytes())["pub_key"]["value"])
        except (ValueError, KeyError, TypeError):
            raise HomeError(f"{path} is damaged; delete it, and it is made again") from None
        if known != signer.public_key:
            raise HomeError(f"{path} is another host's; move {path.parent.parent} away")
        return
    _write_once(path, _json({
        "address": _address(signer.public_key).hex().upper(),
        "pub_key": _key(_PUBLIC, signer.public_key),
        "priv_key": _key(_PRIVATE, signer.secret_for_votes()),
    }))  # fmt: skip


def _write_node_key(path: Path) -> None:
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        secret = made.private_bytes_raw() + made.public_key().public_bytes_raw()
        _write_once(path, _json({"priv_key": _key(_PRIVATE, secret)}))


def _write_once(path: Path, content: bytes) -> None:
    if not path.exists():
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def _node_key(home: Path) -> Path:
    return home / "config" / "node_key.json"


def _address(public_key: bytes) -> bytes:
    return hashlib.sha256(public_key).digest()[:20]


def _key(kind: str, value: bytes) -> dict[str, str]:
    return {"type": kind, "value": base64.b64encode(value).decode()}


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
