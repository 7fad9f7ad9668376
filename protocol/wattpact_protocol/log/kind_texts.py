"""Kinds for people: what each is, the sentence of an entry, and what others see of one that is private.

    {name}                   the field: an author by label, a price with its currency, a number with separators
    {a part of its own}      worked out by the reader of the template: wattpact.views.sentences has them

For hosts: no meter loads this, so that the sentences cost it no memory. `kinds` has the rest of each kind's row.
"""

from wattpact_protocol.log import event_codes, kinds

# kind: (meaning, sentence of an entry, what is shown of it to whom its measured part is not for; None: all of it)
TEXTS = {
    kinds.CERTIFICATE: (
        "An issuer (or the root) enrols a key.",
        "{enrolled} {certified} as {role}{owned}", None,
    ),
    kinds.READING: ("A meter's registers and their steps.", "{measured}", "A sealed reading"),
    kinds.EVENT: ("Something happened at a meter.", "{happened}", "A meter's own event"),
    kinds.COMMUNITY: (
        "The community's own settings.",
        "Community {name}: prices in {currency}, settlement slots of {slot_s} s, time zone {timezone}{cosigned_by}",
        None,
    ),
    kinds.TARIFF: (
        "The grid's prices from a time on; of two with the same start the later one applies.",
        "Grid prices: {import_micro_per_kwh} for import, {export_micro_per_kwh} for export", None,
    ),
    kinds.POLICY: (
        "The policy that a meter's guard follows.",
        "Supply policy for {meters}, version {version}", None,
    ),
    kinds.MANDATE: (
        "An owner's order: what a meter may commit to by itself.",
        "{meter} may {trade} up to {wh} Wh at no {bound} than {limit_micro_per_kwh}", "An owner's order",
    ),
    kinds.OFFER: (
        "A supplier's meter offers supply.",
        "Offers {wh} Wh at {price_micro_per_kwh}, with at most {max_w} W", None,
    ),
    kinds.DEMAND: (
        "A consumer's meter requests supply.",
        "Wants {wh} Wh at no more than {price_micro_per_kwh}", None,
    ),
    kinds.ACCEPTANCE: (
        "A consumer's meter accepts an offer or part of one.",
        "Accepted {wh} Wh {offered}, as priority {priority}", None,
    ),
    kinds.CONTRACT: (
        "The supplier's meter confirms: this entry's id is the contract's.",
        "Confirmed {agreed}", None,
    ),
    kinds.GRANT: (
        "The issuer gives the consumer's meter all that it needs to supply under a contract with no network.",
        "Granted {supply} to {meter}, grant {number}", None,
    ),
    kinds.USAGE_START: (
        "The consumer's meter begins to use a contract.",
        "Started to use {contract}; {register}", "Started to use a contract",
    ),
    kinds.USAGE: (
        "How much the consumer's meter has counted against a contract so far.",
        "Used {used} under {contract}", "A sealed usage",
    ),
    kinds.USAGE_END: (
        "The consumer's meter has finished with a contract: 1 used up, 2 expired, 3 terminated, 4 void.",
        "Finished with {contract} ({end}): {used} used", "Finished with a contract",
    ),
    kinds.TERMINATE: (
        "A party or the issuer ends a contract. From a person it carries an order id and an expiry.",
        "Terminated {contract}{because}", None,
    ),
    kinds.RECEIPT: (
        "A host has stored this author's log up to here, on disk. What its ledger was then: the first `noted` "
        "entries of that generation were noted by a block, and it had `blocks` blocks under `root`.",
        "Stored the log of {author} up to entry {sequence}", None,
    ),
    kinds.STATEMENT: (
        "A person's figures for a period, published by a host, with the roots an auditor recomputes.",
        "{stated} of {subject}: {net}", "A statement of a bill",
    ),
    kinds.KEY_EPOCH: (
        "A meter gives the secret of an epoch to its readers, wrapped for each.",
        "Readings are sealed for {readers} from now on, key epoch {number}", None,
    ),
    kinds.KEY_OPEN: (
        "A meter commits to the key of a key period before it seals with it.",
        "Key period {key_no} begins, in key epoch {epoch}", None,
    ),
}  # fmt: skip

ENDS = {1: "used up", 2: "expired", 3: "terminated", 4: "void"}  # by the reason of a USAGE_END

EVENTS = {
    event_codes.BOOT: "boot",
    event_codes.POWER_FAILURE: "power failure",
    event_codes.CLOCK_SET: "clock set",
    event_codes.RELAY_CLOSED: "relay closed",
    event_codes.RELAY_OPENED: "relay opened",
    event_codes.WELD: "relay welded",
    event_codes.OVER_CURRENT: "over-current",
    event_codes.OVER_TEMPERATURE: "over-temperature",
    event_codes.REGISTER_OPEN: "register opened",
    event_codes.REGISTER_CLOSE: "register closed",
    event_codes.JUMP_REJECTED: "jump of a register rejected",
    event_codes.TAMPER: "tamper",
    event_codes.STATE_CORRUPT: "state corrupt",
    event_codes.WARNING: "supply warning",
    event_codes.SOURCE_REJECTED: "source telegrams rejected",
    event_codes.LEDGER_HEAD: "head of the ledger",
    event_codes.LEDGER_FORKED: "another ledger than before",
    event_codes.NOT_NOTED: "entries that no block has noted",
}


def meaning(kind: int) -> str:
    """What the kind is for."""
    return TEXTS[kind][0]


def sentence(kind: int) -> str:
    """The template of an entry's sentence."""
    return TEXTS[kind][1]


def event(code: int) -> str:
    """What an event of this code is; of a code that is not known here, its number."""
    return EVENTS.get(code, "event %d" % code)


def private(kind: int) -> "str | None":
    """What others see of an entry that shows how somebody lives, or what they would pay; None where all is shown."""
    return TEXTS[kind][2]


def of_ledger(code: int, detail: int, text: str) -> str:
    """What a meter reports of the ledger: LEDGER_HEAD, LEDGER_FORKED or NOT_NOTED."""
    head = "%s blocks and the root %s" % (format(detail, ","), short_root(text))
    if code == event_codes.LEDGER_HEAD:
        return "Was shown the ledger with " + head
    if code == event_codes.LEDGER_FORKED:
        return "Was shown a ledger that did not grow from the one it was shown before: now it has " + head
    noted = "has noted more than the first %s entries of its log" % format(detail, ",") if detail else "notes its log"
    return "No block %s, though a host had acknowledged more half a day before" % noted


def short_root(text: str) -> str:
    """How a root in a meter's event is shown; an author may publish any text there."""
    return text[:16] + "\u2026" if text and not text.strip("0123456789abcdef") else "?"
