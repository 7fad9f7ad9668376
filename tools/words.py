"""One word, one meaning: lists where a text of ours uses a word for which docs/glossary.md has another.

    python -m tools.words                    every hit, as file:line: word -> what to use; then a count for each folder
    python -m tools.words docs host/web      of these folders alone
    python -m tools.words --counts           the counts alone

Read are the Markdown files without their code; of Python files comments, docstrings and other strings, of tests the
names of functions and classes too, and for some words of all Python files every name that code gives; of the page
comments, strings and the text between tags. Exit status 0 where nothing was found.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDERS = ("docs", "protocol", "firmware", "host/wattpact", "host/web", "tools", "tests")
SUFFIXES = (".md", ".py", ".ts", ".tsx")
# This module and its test list the words themselves; the pages are written from strings that are read where they are.
# What writes vectors has their texts, which do not change.
UNREAD = (
    "tools/words.py", "tests/test_words.py", "tools/vectors", "docs/reference/cli.md", "docs/spec/bodies.md",
    "docs/spec/reasons.md",
)  # fmt: skip


class Forbidden(NamedTuple):
    """A pattern, matched as whole words in either case, and what to use. `right` covers the places where the word is
    right: the word in its phrase, as short as tells the two apart; `right_in` are files, by the start of their path;
    `named`: it is in no name of the code either."""

    pattern: str
    use: str
    right: str = ""
    right_in: tuple[str, ...] = ()
    named: bool = False


MACHINE_CODE = (
    "protocol/wattpact_protocol/crypto/", "tools/", "tests/device/test_machine_code", "tests/protocol/diagnostic",
    "tests/test_documents",
)  # fmt: skip
# The fields `evidence` and `evidence_root` of a statement, and what is about them.
STATEMENTS = (
    "docs/spec/bundle", "docs/spec/settlement", "docs/glossary.md", "protocol/wattpact_protocol/log/kind",
    "protocol/wattpact_protocol/settlement/statement", "host/wattpact/audit/", "host/wattpact/bundle/",
    "host/wattpact/billing/", "host/wattpact/simulation/conservation", "host/wattpact/views/sentences",
    "tests/host/test_audit", "tests/protocol/test_settlement", "tests/simulator/bodies",
    "host/wattpact/consensus/home",  # a section of CometBFT's settings
)  # fmt: skip
# What reads the vectors, whose verdicts are "refused".
VECTORS = (
    "tests/host/test_libsodium", "tests/host/test_sealing_oracle", "tests/host/test_wire_cddl",
    "tests/protocol/test_entry", "tests/protocol/test_x25519",
)  # fmt: skip
ASK = ("tests/host/test_cli.py",)  # of the command

FORBIDDEN = [
    Forbidden("says?|said|saying", "publish, report, state, show; or is", "(text|message|log|name|md) says"),
    Forbidden("tells?|told|telling", "report, notify, send, set, show", "tells?( the two| them)? apart"),
    Forbidden("hears?|heard|unheard|hearing", "receive; last contact"),
    Forbidden("speaks?|spoke|spoken|speaking|speakers?", "publish, send; author; use (a protocol)"),
    Forbidden("books?", "agreements (protocol, host), trader (meter)"),
    Forbidden("stretch(es)?", "key period; period"),
    Forbidden("chance", "randomness"),
    Forbidden("words?", "entry; order", r"words? of \d+ bits|\d+-bit words?", MACHINE_CODE),
    Forbidden("asks?|asked|asking|askers?", "request, demand, require; viewer (of the page)", "contract ask", ASK),
    Forbidden("questions?", "request, query", "", ("firmware/wattpact_meter/drivers/dns", "tests/firmware/test_dns")),
    Forbidden("(comes?|came|coming) to", "amount to, total; reach"),
    Forbidden("stands?|stood|standing", "is; remain", "stands? in|stand-ins?|stands? for|stands? still|stand 120"),
    Forbidden("(goes|go|going|gone|went) by", "follow; pass", "(go|goes|gone|went) by (ship|post)"),
    Forbidden("nobody known", "unknown author"),
    Forbidden("openers?", "unsealer"),
    Forbidden("unopened", "not unsealed, unreadable"),
    Forbidden("open(s|ed|ing)? (readings?|what (is|was) sealed|the sealed|sealed)", "unseal; plain (never sealed)"),
    Forbidden("shut", "closed; unreadable (sealed, and no key)", "shuts? down"),
    Forbidden("villages?|streets?|scenes?|towns?", "community, simulator; picture (of the page)", "Sun Street"),
    Forbidden("home of|(the|a|its|node's) home", "data directory", "(the|a|its) home (network|meter)"),
    Forbidden("facts?", "settlement inputs; history", "in fact"),
    Forbidden("mailbox(es)?", "inbox"),
    Forbidden("in vain", "short"),
    Forbidden("believes?|believed|believing", "accept, trust"),
    Forbidden("judges?|judged|judging", "check, verify"),
    Forbidden("pass(es|ed)? over", "ignore, skip"),
    Forbidden("lies?|lay", "is, are", "lies? (on|between)"),
    Forbidden("(takes?|took|taken|taking) in", "ingest, receive", r"taken in (the|this) order|taken in a (loop|tower)"),
    Forbidden("refus(e|es|ed|ing|als?)", "reject, rejection", "", VECTORS, named=True),
    Forbidden("evidence", "proof; forks", "", STATEMENTS),
    Forbidden("(takes?|took|taking) (an?|the|each|no|its) (entry|order|grant|offer|datagram|batch)", "receive, accept"),
]  # fmt: skip


Compiled = tuple[Forbidden, re.Pattern[str], re.Pattern[str] | None]


class Hit(NamedTuple):
    file: str
    line: int
    word: str
    use: str


def folder_of(file: str) -> str:
    return next((folder for folder in FOLDERS if file.startswith(folder + "/")), "docs")


def files() -> list[str]:
    """What is read, of what git tracks or would: the folders, and the documents beside them."""
    command = ["git", "-C", str(CHECKOUT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    ours = [file for file in listed if file.endswith(SUFFIXES) and not file.startswith(UNREAD)]
    ours = [file for file in ours if file.endswith(".md") or any(file.startswith(name + "/") for name in FOLDERS)]
    return sorted(file for file in set(ours) if (CHECKOUT / file).is_file())


def texts(file: str, source: str) -> Iterator[tuple[int, str]]:
    """What people read in a file, as pieces that begin at a line; of Markdown and Python without code spans."""
    if file.endswith(".md"):
        pieces: Iterator[tuple[int, str]] = iter([(1, _blank(_FENCE, _blank(_WRITTEN, source)))])
    elif file.endswith(".py"):
        pieces = chain(_of_python(source), _names(source) if file.startswith("tests/") else ())
    else:
        pieces = ((1 + source.count("\n", 0, match.start()), match.group()) for match in _PAGE.finditer(source))
    for line, text in pieces:
        yield line, text if file.endswith((".ts", ".tsx")) else _blank(_SPAN, text)


def hits(file: str, source: str, rows: list[Forbidden] = FORBIDDEN) -> list[Hit]:
    """Each place of a file that breaks a row, in order."""
    compiled = [entry for entry in _compile(rows) if not file.startswith(entry[0].right_in or ("\0",))]
    found = _find(file, texts(file, source), compiled)
    if file.endswith(".py"):
        given = _given(source) if file.startswith("tests/") else chain(_names(source), _given(source))
        found += _find(file, given, [entry for entry in compiled if entry[0].named])
    return sorted(found)


def all_hits() -> list[Hit]:
    return [hit for file in files() for hit in hits(file, (CHECKOUT / file).read_text(encoding="utf-8"))]


def counts(found: list[Hit]) -> dict[str, int]:
    counted = Counter(folder_of(hit.file) for hit in found)
    return {folder: counted[folder] for folder in FOLDERS}


_FENCE = re.compile(r"^([ \t]*)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
_PAGE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"[^"\n]*"|'[^'\n]*'|`[^`\n]*`|(?<=[^=]>)[^<>{}=;]*[A-Za-z][^<>{}=;]*(?=[<{])""", re.DOTALL
)
_WRITTEN = re.compile(r"<!-- \w+: tools/.*?<!-- end -->", re.DOTALL)
_SPAN = re.compile(r"``.+?``|`[^`\n]+`")


def _find(file: str, pieces: Iterator[tuple[int, str]], rows: list[Compiled]) -> list[Hit]:
    found = []
    anything = _any(tuple(row.pattern for row, _, _ in rows))
    for first, text in pieces:
        if not anything.search(text):
            continue
        for row, wrong, right in rows:
            covered = [match.span() for match in right.finditer(text)] if right else []
            for match in wrong.finditer(text):
                if not any(start <= match.start() and match.end() <= end for start, end in covered):
                    line = first + text.count("\n", 0, match.start())
                    found.append(Hit(file, line, " ".join(match.group().split()), row.use))
    return found


def _blank(what: re.Pattern[str], text: str) -> str:
    """The text without what matches, every line where it was."""
    return what.sub(lambda match: "`" + "\n" * match.group().count("\n"), text)


@lru_cache(maxsize=1)
def _nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


def _of_python(source: str) -> Iterator[tuple[int, str]]:
    for node in _nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    comments: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if comments and token.start[0] == last + 1:
                comments.append(token.string)
            else:
                if comments:
                    yield last - len(comments) + 1, "\n".join(comments)
                comments = [token.string]
            last = token.start[0]
    if comments:
        yield last - len(comments) + 1, "\n".join(comments)


def _names(source: str) -> Iterator[tuple[int, str]]:
    """Of functions and classes, as words."""
    for node in _nodes(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name.replace("_", " ")


def _given(source: str) -> Iterator[tuple[int, str]]:
    """Of variables, fields and arguments, as words."""
    for node in _nodes(source):
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg.replace("_", " ")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id.replace("_", " ")
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr.replace("_", " ")


def _compile(rows: list[Forbidden]) -> list[Compiled]:
    return [(row, _whole(row.pattern), _whole(row.right) if row.right else None) for row in rows]


@cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return _whole("|".join(patterns) or r"(?!)")


@cache
def _whole(pattern: str) -> re.Pattern[str]:
    """Whole words, which may be parted by a line's end and a comment's sign."""
    spaced = pattern.replace(" ", r"[\s#]+")
    return re.compile(rf"(?<![\w-])(?:{spaced})(?![\w])", re.IGNORECASE)


def main(arguments: list[str]) -> int:
    folders = tuple(argument.rstrip("/") for argument in arguments if not argument.startswith("-"))
    found = [hit for hit in all_hits() if not folders or hit.file.startswith(folders)]
    if "--counts" not in arguments:
        for hit in found:
            print(f"{hit.file}:{hit.line}: {hit.word} -> {hit.use}")
    for folder, number in counts(found).items():
        print(f"{folder:14} {number:5}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
