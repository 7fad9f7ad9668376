"""The auditor: checks a bundle with one pinned key and what was disclosed, no network and no accounting of the host."""

from wattpact.audit.checker import audit as audit
from wattpact.audit.findings import Refuted as Refuted
from wattpact.audit.findings import Report as Report
from wattpact.audit.findings import Uncosigned as Uncosigned
from wattpact.audit.findings import Undecided as Undecided
from wattpact.audit.pin import PinError as PinError
from wattpact.audit.pin import read_pin as read_pin
