"""The order in which a host proposes what waits: logs as they are, and each entry behind those that it names.

What always holds: nothing is added or left out; it is one host's choice and no rule, so it cannot make a fork.
docs/spec/quorum.md, rule 8.
"""

from collections.abc import Iterable

from wattpact_protocol.log.entry import Entry

from wattpact.quorum.transactions import Note

_NAMES = ("mandate", "offer", "demand", "acceptance", "contract")  # fields with the id of an entry

One = Entry | Note | None


def in_order(read: Iterable[tuple[bytes, One]]) -> list[tuple[bytes, One]]:
    """The same, but each entry after those before it in its log, and after those that it names where the logs allow
    that, in whatever order they were passed on."""
    found = _in_log_order(read)
    places = {one.id: at for at, (_, one) in enumerate(found) if isinstance(one, Entry)}
    before: list[list[int]] = []
    last: dict[tuple[bytes, int], int] = {}
    for at, (_, one) in enumerate(found):
        before.append([])
        if isinstance(one, Entry):
            before[at] += [places[name] for name in named_by(one) if name in places]
            if "order_id" not in one.body:
                before[at] += [last[log] for log in [(one.kid, one.generation)] if log in last]
                last[one.kid, one.generation] = at
    made: list[tuple[bytes, One]] = []
    seen: set[int] = set()
    for at in range(len(found)):
        stack = [] if at in seen else [at]
        while stack:
            seen.add(stack[-1])
            if not before[stack[-1]]:
                made.append(found[stack.pop()])
            elif (earlier := before[stack[-1]].pop()) not in seen:
                stack.append(earlier)
    return _in_log_order(made)  # where what an author names cannot be had before it, its log's order stays


def named_by(one: Entry) -> list[bytes]:
    """The ids of the entries without which it would be rejected."""
    return [one.body[field] for field in _NAMES if field in one.body]


def _in_log_order(read: Iterable[tuple[bytes, One]]) -> list[tuple[bytes, One]]:
    """The same, but the entries of each log in its order, in whatever order they were passed on."""
    found = list(read)
    places: dict[tuple[bytes, int], list[tuple[int, int]]] = {}
    for at, (_, one) in enumerate(found):
        if isinstance(one, Entry) and "order_id" not in one.body:
            places.setdefault((one.kid, one.generation), []).append((one.sequence, at))
    made = list(found)
    for rows in places.values():
        for (_, at), (_, source) in zip(rows, sorted(rows), strict=True):
            made[at] = found[source]
    return made
