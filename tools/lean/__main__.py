"""Which line of the source a line of a traceback is, in a package that is one module of a meter's image.

python -m tools.lean wattpact_protocol.log 312
"""

import argparse
import sys

from tools.lean.device import leaner


def place(package: str, line: int) -> "tuple[str, int] | None":
    """(module, line of its source); None where the package has no such line."""
    links = leaner(links=True).links
    for name in links.parts(package):
        lines = links.lines(name)
        if line <= lines:
            return name, line
        line -= lines
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Find the source of a line in a traceback of a meter.")
    parser.add_argument("package", help="as the traceback names the file")
    parser.add_argument("line", type=int)
    arguments = parser.parse_args()
    found = place(arguments.package, arguments.line)
    if found is None:
        packages = ", ".join(leaner(links=True).links.packages())
        print(f"{arguments.package} has no line {arguments.line}; packages are {packages}")
        return 1
    print(f"{found[0]}, line {found[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
