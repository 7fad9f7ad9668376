"""Writes abci_pb2.py and abci_pb2.pyi, the messages between CometBFT and the host, from abci.proto.

    python tools/protobufs.py             write both anew
    python tools/protobufs.py --check     write nothing; fail where a file would change

Both are in the repository: who runs Wattpact has protobuf, and no compiler for it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HOST = Path(__file__).resolve().parent.parent / "host"
SOURCE = "wattpact/consensus/abci.proto"
NAMES = ("abci_pb2.py", "abci_pb2.pyi")


def written() -> dict[Path, str]:
    """Each generated file's path in the checkout -> its text."""
    with tempfile.TemporaryDirectory() as folder:
        typed = ["protoc", f"-I{HOST}", f"--python_out={folder}", f"--pyi_out={folder}", SOURCE]
        if protoc.main(typed) != 0:
            sys.exit(f"protoc could not compile {SOURCE}")
        parent = Path(SOURCE).parent
        return {HOST / parent / name: (Path(folder) / parent / name).read_text(encoding="utf-8") for name in NAMES}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the messages between CometBFT and the host.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file would change")
    check = parser.parse_args().check
    changed = []
    for path, text in written().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            changed.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    for name in changed:
        print(f"{name}: {'is not what tools/protobufs.py writes' if check else 'written'}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
