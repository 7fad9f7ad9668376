"""`python -m wattpact.audit FILE --root KEY [--keys FILE]`: the audit, and around it the standard library alone."""

import argparse
import sys

from wattpact.audit import program


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m wattpact.audit", description="Verify a bill's bundle, offline.")
    parser.add_argument("file", help="the bundle that `wattpact bill --export` wrote")
    parser.add_argument("--root", required=True, help="the community's root key: 64 hex digits, or a file with them")
    parser.add_argument("--keys", action="append", default=[], metavar="FILE", help=program.KEYS_HELP)
    parser.add_argument("--witness", action="append", default=[], metavar="KEY", help=program.WITNESS_HELP)
    parser.add_argument("--cosigned", type=int, metavar="N", help=program.COSIGNED_HELP)
    parser.add_argument("--json", action="store_true", help="print JSON, for a program")
    given = parser.parse_args()
    return program.run(
        given.file, given.root, given.keys, given.json, sys.stdout, sys.stderr, given.witness, given.cosigned
    )


if __name__ == "__main__":
    sys.exit(main())
