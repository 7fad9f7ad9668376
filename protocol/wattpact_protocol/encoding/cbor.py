"""Deterministic CBOR (RFC 8949, 4.2.1), the small profile that Wattpact uses: one value, one encoding.

    encode(value) -> bytes                   raises EncodeError
    encode_steps(value, levels) -> bytes     as a generator that gives way
    decode(data, limit=1024) -> value        raises DecodeError
    decode_steps(data, levels) -> value      as a generator that gives way

Values are integers of 64 bits, bytes, text, lists, dicts with integer or text keys, False, True, None and Tag(18, ...).
Where cbor2 is installed it decodes the common case; verdicts and values are those of `_cbor_portable` everywhere.
"""

from wattpact_protocol.encoding._cbor_portable import DecodeError as DecodeError
from wattpact_protocol.encoding._cbor_portable import EncodeError as EncodeError
from wattpact_protocol.encoding._cbor_portable import Tag as Tag
from wattpact_protocol.encoding._cbor_portable import decode_steps as decode_steps
from wattpact_protocol.encoding._cbor_portable import encode as encode
from wattpact_protocol.encoding._cbor_portable import encode_steps as encode_steps

try:
    from wattpact_protocol.encoding._cbor_host import decode as decode
except ImportError:
    from wattpact_protocol.encoding._cbor_portable import decode as decode
