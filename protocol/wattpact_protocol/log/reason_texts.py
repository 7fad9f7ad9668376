"""Reasons as sentences for people: each code of `reasons`, and each reason of the guard.

For hosts: no meter loads this.
"""

from wattpact_protocol.log import reasons

TEXTS = {
    reasons.OVERSIZE: "It is longer than allowed.",
    reasons.MALFORMED: "Its structure is not that of the format.",
    reasons.UNKNOWN_VERSION: "It is of a protocol version that is not known here.",
    reasons.WRONG_COMMUNITY: "It is of another community.",
    reasons.UNKNOWN_TYPE: "The datagram is of an unknown type.",
    reasons.UNEXPECTED_TYPE: "The datagram is of a type that only the other side receives.",
    reasons.TOO_MANY_ENROLMENTS: "More requests for enrolment came in this second than a host stores.",
    reasons.ENTRY_MALFORMED: "It is not a well-formed entry, or one of its values is out of range.",
    reasons.UNKNOWN_AUTHOR: "Its author is not enrolled.",
    reasons.BAD_SIGNATURE: "Its signature is not its author's.",
    reasons.NOT_ALLOWED: "Its author's role may not publish it.",
    reasons.CERTIFICATE_EXPIRED: "Its time is outside of its author's certificate.",
    reasons.DUPLICATE: "It was received before.",
    reasons.GAP: "An entry before it is missing.",
    reasons.BROKEN_CHAIN: "It does not name the entry before it.",
    reasons.STALE_GENERATION: "It is of another generation of the log than the one in force.",
    reasons.FORK: "Its author signed another entry at the same place of its log.",
    reasons.FROZEN_LOG: "The log was forked: nothing is added to it until a certificate begins a new generation.",
    reasons.NO_ORDER_ID: "An order of a person needs an order id and an expiry.",
    reasons.ORDER_EXPIRED: "The order's expiry is past.",
    reasons.FUTURE_TIME: "Its time is more than five minutes ahead of the host's clock.",
    reasons.NO_TIME: "Its author did not know the time.",
    reasons.FALLING_REGISTER: "A register is lower than in the reading before.",
    reasons.IMPOSSIBLE_JUMP: "A register rose by more than the meter's rated power allows.",
    reasons.READING_TIME_RAN_BACK: "The reading begins before the end of the one before.",
    reasons.OLD_REGISTER_GENERATION: "The reading is of registers that have been replaced.",
    reasons.STALE_VERSION: "A version that is as new or newer is known.",
    reasons.ROLE_CHANGED: "The key was certified for another role, or the key id for another key.",
    reasons.KEY_OPENED_TWICE: "The key period was begun before with another key.",
    reasons.BAD_SEAL: "The sealed part does not unseal under the key that the meter committed to.",
    reasons.NO_PERIOD: "The offer ends before it starts.",
    reasons.NOT_THE_SUPPLIER: "Only the meter that made the offer can confirm it.",
    reasons.NOT_THE_CONSUMER: "Only the consumer's meter can report the usage of a contract.",
    reasons.SUPPLIER_IS_CONSUMER: "Supplier and consumer are the same meter.",
    reasons.CONFIRMED_TWICE: "The acceptance was confirmed before.",
    reasons.OFFER_EXPIRED: "The offer was not valid any more.",
    reasons.OFFER_EXCEEDED: "It takes more energy than is left of the offer.",
    reasons.NOT_A_PARTY: "Its author is not a party to the contract.",
    reasons.ENDED_BEFORE: "The contract had ended before.",
    reasons.TOO_LATE: "The contract can no longer start in time.",
    reasons.TERMINATED: "The contract was terminated.",
    reasons.NO_SELL_MANDATE: "No order of the supplier's owner covers the contract.",
    reasons.NO_BUY_MANDATE: "No order of the consumer's owner covers the contract.",
    reasons.NOT_FOR_THIS_METER: "It is for another meter.",
    reasons.OWN_ENTRY: "It is the meter's own.",
    reasons.NOT_OWNER: "Only the meter's owner can give it orders.",
    reasons.UNKNOWN_OFFER: "It names an offer that the meter did not make or no longer holds.",
    reasons.UNKNOWN_ACCEPTANCE: "It names an acceptance that the meter did not make or no longer holds.",
    reasons.UNKNOWN_CONTRACT: "It names a contract that the meter has no grant for.",
    reasons.STALE_ACCEPTANCE: "The acceptance was made too long ago to be confirmed.",
    reasons.MANDATE_EXCEEDED: "It takes more energy than the owner's order leaves.",
    reasons.OLD_GRANT: "The grant is not newer than those the meter has received.",
    reasons.POLICY_OUT_OF_RANGE: "The supply policy has values that the meter cannot follow.",
    reasons.BEFORE_STATE_WAS_LOST: "It is older than the loss of the meter's state and may have been used up before.",
    reasons.AUTHORS_FULL: "The meter has no room for another certificate.",
    reasons.TRADER_FULL: "The meter has no room for another order or acceptance.",
    reasons.GRANTS_FULL: "The meter has no room for another grant.",
    reasons.INBOX_DUPLICATE: "The meter has received this entry of its inbox before.",
    reasons.INBOX_GAP: "An entry of the inbox before it is missing.",
    reasons.INBOX_NOT_PROVEN: "A new inbox has to begin with an entry that proves itself.",
    reasons.HEAD_AHEAD: "The host acknowledges entries that the meter has not published.",
    reasons.LOG_LOST: "The meter lost its log and needs a new certificate: `wattpact meter renew`.",
    reasons.WRONG_HEAD: "The receipt names another entry than the meter's log has at that place.",
    reasons.NOT_SEALED: "The meter could not seal its measurements, so it did not publish them.",
    reasons.FLASH_FAILED: "The meter's flash could not be written.",
    reasons.SIGNATURE_DISTURBED: "A disturbance spoilt a signature; the meter signs again.",
    reasons.TRUNCATED: "Another telegram began before this one ended.",
    reasons.NOT_ASCII: "The telegram has characters that are not ASCII.",
    reasons.CRC: "The telegram's checksum is wrong.",
    reasons.NO_CRC: "The telegram has no checksum.",
    reasons.SYNTAX: "The telegram's lines are not well-formed.",
    reasons.FALL: "A register in the telegram is lower than before.",
    reasons.ZERO: "All registers in the telegram are zero at once.",
    reasons.JUMP: "A register in the telegram rose by more than the rated power allows.",
    reasons.MISSING: "A register is missing in the telegram.",
    reasons.BAD_ACCESS_CODE: "Nobody has a link with this access code.",
}

# By the guard's rows and waits (docs/spec/guard.md): why the relay is closed, and why it is open.
RELAY_CLOSED = {
    "grant": "A contract supplies this meter.",
    "default_supply": "The default supplier supplies this meter.",
    "protected": "This customer is protected and stays supplied; energy without a contract is owed.",
    "hold": "Time or registers are unknown after a fault; supply continues within its hold budget.",
    "credit": "No contract has energy left; emergency credit is in use.",
    "quiet_hours": "No contract has energy left, but nobody is disconnected at this time.",
    "boot_hold": "The meter has just started and waits for the time; supply continues.",
    "warning": "No contract has energy left; supply ends when the warning time is over.",
    "weld": "Its contacts do not open. It needs someone on site.",
}
RELAY_OPEN = {
    "over_current": "The current was too high. It needs a reset on site.",
    "over_temperature": "The temperature was too high. It needs a reset on site.",
    "owner": "The owner disconnected it.",
    "operator": "The operator disconnected it.",
    "no_contract": "No contract has energy left.",
    "resting": "It stays open for a while before it may close again.",
    "outage_wait": "After a power failure it waits, so that not all households reconnect at once.",
    "awaiting_consent": "It may close as soon as someone on site agrees.",
    "weld": "Its contacts do not close. It needs someone on site.",
}
UNKNOWN = "The meter gave no reason."


def text(code: str) -> str:
    """The sentence of a reason; of a code that is not known here, the code itself without its underscores."""
    return TEXTS.get(code) or code.replace("_", " ").capitalize() + "."


def relay_text(code: str, closed: bool) -> str:
    """The sentence of a guard's reason for a relay that is closed, or open."""
    return (RELAY_CLOSED if closed else RELAY_OPEN).get(code, UNKNOWN)
