"""The sources that a meter's image is made of, and whose line a line of a traceback is.

python -m tools.lean ARCH              the joined module
python -m tools.lean ARCH LINE         whose line that is; ARCH as in compile_device.py
"""

import argparse
import sys

from tools.lean.joined import LINKED, joined_files, where
from tools.lean.scopes import LinkError


def main() -> int:
    parser = argparse.ArgumentParser(description="Show what a meter's image is made of, or whose line a line of it is.")
    parser.add_argument("arch")
    parser.add_argument("line", type=int, nargs="?", help="of wattpact.py, as a traceback of a meter has it")
    arguments = parser.parse_args()
    try:
        print(where(arguments.arch, arguments.line) if arguments.line else joined_files(arguments.arch)[f"{LINKED}.py"])
    except LinkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
