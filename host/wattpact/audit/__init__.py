"""The auditor: checks a bundle against one pinned key and nothing else, with no network and no part of the ledger."""

from wattpact.audit.checker import audit as audit
from wattpact.audit.findings import Refuted as Refuted
from wattpact.audit.findings import Report as Report
from wattpact.audit.pin import PinError as PinError
from wattpact.audit.pin import read_pin as read_pin
