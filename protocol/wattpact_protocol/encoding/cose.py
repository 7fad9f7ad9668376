"""COSE_Sign1 (RFC 9052, 4.2) as every Wattpact entry uses it: one shape, tag 18, Ed25519, a key id of 8 bytes.

    18([ << {1: -8, 4: kid} >>, {}, payload, signature ])

The signature covers the Sig_structure of RFC 9052, 4.4, with the community in its external_aad; the SHA-256 of the same
bytes is the entry's id, so an id names content and never a signature. docs/spec/cose.md has the bytes.
"""

import hashlib

from wattpact_protocol.encoding import cbor

EDDSA = -8
ED25519 = -19  # RFC 9864: the fully specified name of what EDDSA means here
KID_LENGTH = 8
SIGNATURE_LENGTH = 64
MAX_LENGTH = 1024

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Tag 18, an array of four, then the protected header up to the key id: {1: alg, 4: h'........'} in 13 bytes.
_ALGORITHM_OF_HEAD = {
    b"\xd2\x84\x4d\xa2\x01\x27\x04\x48": EDDSA,
    b"\xd2\x84\x4d\xa2\x01\x32\x04\x48": ED25519,
}
_EDDSA_HEADER = b"\xa2\x01\x27\x04\x48"


class DecodeError(cbor.DecodeError):
    """Bytes are not a COSE_Sign1 of the one shape."""


class EncodeError(cbor.EncodeError):
    """An entry of these parts would not be of the one shape."""


class Sign1:
    """The parts of an envelope; nothing is verified yet."""

    __slots__ = ("alg", "kid", "payload", "protected", "signature")

    def __init__(self, alg: int, kid: bytes, protected: bytes, payload: bytes, signature: bytes) -> None:
        self.alg = alg
        self.kid = kid
        self.protected = protected
        self.payload = payload
        self.signature = signature


def sign1(kid: bytes, payload: bytes, aad: bytes, signer: "Callable[[bytes], bytes]") -> bytes:
    """The envelope of the payload; `signer` makes 64 bytes of the Sig_structure. Raises EncodeError."""
    if len(kid) != KID_LENGTH:
        raise EncodeError("a kid is %d bytes" % KID_LENGTH)
    protected = _EDDSA_HEADER + kid
    signature = signer(sig_structure(protected, aad, payload))
    if len(signature) != SIGNATURE_LENGTH:
        raise EncodeError("a signature is %d bytes" % SIGNATURE_LENGTH)
    data = b"\xd2\x84\x4d" + protected + b"\xa0" + _bytes_item(payload) + b"\x58\x40" + signature
    if len(data) > MAX_LENGTH:
        raise EncodeError("longer than %d bytes" % MAX_LENGTH)
    return data


def decode1(data: "bytes | bytearray | memoryview") -> Sign1:
    """The parts of an envelope of at most 1024 bytes; raises DecodeError.

    The shape is fixed, so this reads it in place, and takes what the general decoder and the shape together would take.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DecodeError("not bytes")
    length = len(data)
    if length > MAX_LENGTH:
        raise DecodeError("longer than %d bytes" % MAX_LENGTH)
    data = bytes(data)
    alg = _ALGORITHM_OF_HEAD.get(data[:8])
    # The shortest envelope: 17 bytes with the unprotected header, an empty payload of 1, the signature of 66.
    if alg is None or length < 84 or data[16] != 0xA0:
        raise DecodeError("not tag 18 with an Ed25519 header of alg and kid")
    head = data[17]
    if 0x40 <= head < 0x58:
        start, size = 18, head - 0x40
    elif head == 0x58 and data[18] > 23:
        start, size = 19, data[18]
    elif head == 0x59 and data[18] > 0:
        start, size = 20, data[18] << 8 | data[19]
    else:
        raise DecodeError("payload is no byte string with the shortest head")
    end = start + size
    if end + 66 != length or data[end : end + 2] != b"\x58\x40":
        raise DecodeError("not a payload followed by 64 bytes of signature")
    return Sign1(alg, data[8:16], data[3:16], data[start:end], data[end + 2 :])


def sig_structure(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    """["Signature1", protected, external_aad, payload], what is signed and named (RFC 9052, 4.4)."""
    return b"\x84\x6aSignature1" + _bytes_item(protected) + _bytes_item(aad) + _bytes_item(payload)


def signed_part(data: bytes, aad: bytes) -> bytes:
    """The Sig_structure of an envelope that `decode1` takes: header and payload are there as the items they must be."""
    return b"\x84\x6aSignature1" + data[2:16] + _bytes_item(aad) + data[17:-66]


def entry_id(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    """The 32-byte name of an entry: SHA-256 of its Sig_structure."""
    return hashlib.sha256(sig_structure(protected, aad, payload)).digest()


def _bytes_item(data: bytes) -> bytes:
    """The byte string item (RFC 8949, 3.1) of at most 65535 bytes; raises EncodeError beyond."""
    length = len(data)
    if length < 24:
        return bytes((0x40 | length,)) + data
    if length < 256:
        return bytes((0x58, length)) + data
    if length < 65536:
        return bytes((0x59, length >> 8, length & 255)) + data
    raise EncodeError("longer than 65535 bytes")
