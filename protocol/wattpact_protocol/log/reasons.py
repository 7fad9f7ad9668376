"""The vocabulary of reasons: why an entry, a datagram or a telegram is rejected, and why an entry counts for nothing.

One code for one reason, in the counts of meters and hosts and in the store. Their sentences for people are in
`reason_texts`, which no meter loads, with those of the guard's reasons. Specification: docs/spec/reasons.md.
"""

# Datagrams
OVERSIZE = "oversize"
MALFORMED = "malformed"
UNKNOWN_VERSION = "unknown_version"
WRONG_COMMUNITY = "wrong_community"
UNKNOWN_TYPE = "unknown_type"
UNEXPECTED_TYPE = "unexpected_type"
TOO_MANY_ENROLMENTS = "too_many_enrolments"

# Entries: author, place in the log, time
ENTRY_MALFORMED = "entry_malformed"
UNKNOWN_AUTHOR = "unknown_author"
BAD_SIGNATURE = "bad_signature"
NOT_ALLOWED = "not_allowed"
CERTIFICATE_EXPIRED = "certificate_expired"
DUPLICATE = "duplicate"
GAP = "gap"
BROKEN_CHAIN = "broken_chain"
STALE_GENERATION = "stale_generation"
FORK = "fork"
FROZEN_LOG = "frozen_log"
NO_ORDER_ID = "no_order_id"
ORDER_EXPIRED = "order_expired"
FUTURE_TIME = "future_time"
NO_TIME = "no_time"

# Readings, certificates and keys that are stored and count for nothing
FALLING_REGISTER = "falling_register"
IMPOSSIBLE_JUMP = "impossible_jump"
READING_TIME_RAN_BACK = "reading_time_ran_back"
OLD_REGISTER_GENERATION = "old_register_generation"
STALE_VERSION = "stale_version"
ROLE_CHANGED = "role_changed"
KEY_OPENED_TWICE = "key_opened_twice"
BAD_SEAL = "bad_seal"

# Contracts
NO_PERIOD = "no_period"
NOT_THE_SUPPLIER = "not_the_supplier"
NOT_THE_CONSUMER = "not_the_consumer"
SUPPLIER_IS_CONSUMER = "supplier_is_consumer"
CONFIRMED_TWICE = "confirmed_twice"
OFFER_EXPIRED = "offer_expired"
OFFER_EXCEEDED = "offer_exceeded"
NOT_A_PARTY = "not_a_party"
ENDED_BEFORE = "ended_before"

# Grants that the operator does not give
TOO_LATE = "too_late"
TERMINATED = "terminated"
NO_SELL_MANDATE = "no_sell_mandate"
NO_BUY_MANDATE = "no_buy_mandate"

# What the ledger does not order
NOT_ORDERED = "not_ordered"
NOT_FOUNDED = "not_founded"
SLOT_CHANGED = "slot_changed"
BAD_WITNESSES = "bad_witnesses"
SLOT_BEGUN = "slot_begun"
TOO_MANY_TARIFFS = "too_many_tariffs"
STATED_BEFORE = "stated_before"
PERIOD_CLOSED = "period_closed"
CORRECTS_NOTHING = "corrects_nothing"
PERIOD_TOO_LONG = "period_too_long"
BEGUN_BEFORE = "begun_before"
ABOVE_RATING = "above_rating"
WORTH_TOO_MUCH = "worth_too_much"
TOO_MANY_ACCEPTANCES = "too_many_acceptances"
TOO_MANY_CONTRACTS = "too_many_contracts"
NOT_GRANTED = "not_granted"
OTHER_TERMS = "other_terms"
STARTED_BEFORE = "started_before"

# What a meter has no use for
NOT_FOR_THIS_METER = "not_for_this_meter"
OWN_ENTRY = "own_entry"
NOT_OWNER = "not_owner"
UNKNOWN_OFFER = "unknown_offer"
UNKNOWN_ACCEPTANCE = "unknown_acceptance"
UNKNOWN_CONTRACT = "unknown_contract"
STALE_ACCEPTANCE = "stale_acceptance"
MANDATE_EXCEEDED = "mandate_exceeded"
OLD_GRANT = "old_grant"
POLICY_OUT_OF_RANGE = "policy_out_of_range"
BEFORE_STATE_WAS_LOST = "before_state_was_lost"
AUTHORS_FULL = "authors_full"
TRADER_FULL = "trader_full"
GRANTS_FULL = "grants_full"

# A meter's link to a host
INBOX_DUPLICATE = "inbox_duplicate"
INBOX_GAP = "inbox_gap"
INBOX_NOT_PROVEN = "inbox_not_proven"
HEAD_AHEAD = "head_ahead"
LOG_LOST = "log_lost"
WRONG_HEAD = "wrong_head"

# What a meter could not do
NOT_SEALED = "not_sealed"
FLASH_FAILED = "flash_failed"
SIGNATURE_DISTURBED = "signature_disturbed"

# Telegrams of a meter with registers of its own; one that is too long or does not parse is OVERSIZE or MALFORMED
TRUNCATED = "truncated"
NOT_ASCII = "not_ascii"
CRC = "crc"
NO_CRC = "no_crc"
SYNTAX = "syntax"
FALL = "fall"
ZERO = "zero"
JUMP = "jump"
MISSING = "missing"

# Access to the page
BAD_ACCESS_CODE = "bad_access_code"
