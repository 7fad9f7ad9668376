"""CBOR, and the COSE envelopes made of it."""
