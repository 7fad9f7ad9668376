"""What must always hold of the relay: closed for a reason, and the reason holds by what the field knows.

The energy that flows is counted against the reason that the meter gave for it; the budgets are the policy's and the
grants' own. A reset in between is counted against what held before it.
"""

from simulator.field.rules import LEAST_WH, Violation
from simulator.field.truth import MOST_W, WMS_PER_WH

POLICY = {
    "emergency_credit_wh": 200, "quiet_hours": False, "quiet_weekends": False, "warn_wait_max_s": 30,
    "reconnect_wait_max_s": 60, "consent_required": False, "hold_budget_s": 3_600, "hold_budget_wh": 500,
}  # fmt: skip
DEFAULTS = {
    "emergency_credit_wh": 2_500, "warn_wait_max_s": 300, "hold_budget_s": 43_200, "hold_budget_wh": 5_000,
}  # fmt: skip
_BOOT_HOLD_MS = 30_000
_CLOSES_LATER = ("resting", "outage_wait", "awaiting_consent")
_SLACK_MS = 12_000  # between two moments, at most


class Supply:
    """Supply(host, truth): `account` what flowed, then `check` what the meter decides."""

    def __init__(self, host, truth):
        self._host = host
        self._truth = truth
        self.reason = ""
        self.contract = None
        self.sensor_dead = False
        self.spent = {}  # contract -> W * ms that flowed while the relay was closed for it
        self._elsewhere = {}  # contract -> Wh that were attributed to others meanwhile
        self._attributed = {}
        self._latest_s = 0  # by the meter's clock; what flows while it is behind that is no contract's by its rate
        self._flowed_wms = 0
        self.credit_wms = 0
        self.hold_wms = 0
        self.hold_ms = 0
        self.warned_ms = 0
        self.starts = 0  # since a warning began
        self.unseen_wms = 0  # that the meter could not know of, since the last grant began
        self._dark_wms = 0  # since the source last showed what was used
        self._down_wms = 0  # and while the meter was down
        self.by_reason = {}
        self._decision = None
        self.policy = DEFAULTS  # until the meter has the community's

    def account(self, flows, is_running):
        """What flowed since the last decision, while the meter ran or without it."""
        if not self._truth.is_closed:
            return
        ms = sum([ms for _, ms in flows])
        wms = sum([watts * ms for watts, ms in flows if watts > 0])
        if is_running:
            self._dark_wms += wms
        else:
            self._down_wms += wms
            ms = 0
        self.by_reason[self.reason] = self.by_reason.get(self.reason, 0) + wms
        if self.reason in ("grant", "default_supply"):
            self.spent[self.contract] = self.spent.get(self.contract, 0) + wms
            self._flowed_wms += wms
            self.credit_wms = max(0, self.credit_wms - wms)
        elif self.reason == "credit":
            self.credit_wms += wms
        elif self.reason in ("hold", "boot_hold"):
            self.hold_wms += wms
            self.hold_ms += ms
        self.warned_ms = self.warned_ms + ms if self.reason == "warning" else 0

    def seen(self):
        """The source shows what was used by now."""
        self._dark_wms = self._down_wms = 0

    def interrupted(self, now):
        """Power failed in a decision, which may be in flash: that a grant holds renews the hold."""
        if self._is_granted(now.unix_s):
            self.hold_wms = self.hold_ms = 0

    def restarted(self):
        self.starts += 1

    def forgotten(self):
        """The guard lost its memory: a grant counts as held, and what is unknown has its whole budget."""
        self.hold_wms = self.hold_ms = 0

    def check(self, decision, now, has_policy, attributed):
        """What the meter decided just now, and where the relay is; has_policy: it has the community's policy;
        attributed: contract -> Wh, as published."""
        self._follow(attributed)
        if has_policy:
            self.policy = POLICY
        if decision is self._decision:
            return
        self._decision = decision
        self._follow_clock(now)
        is_new = decision.contract != self.contract
        self.reason, self.contract = decision.reason, decision.contract
        if not self._truth.is_closed:
            self.warned_ms = self.starts = 0
            if decision.reason in _CLOSES_LATER and self._is_granted(now.unix_s):
                self.hold_wms = self.hold_ms = 0
            return
        if not decision.closed and not decision.operate:
            raise Violation("relay", "it is closed, and the decision is %s" % decision.reason)
        if is_new and decision.contract is not None and decision.contract not in self.spent:
            self.unseen_wms = 0
        judge = _JUDGES.get(decision.reason)
        problem = judge(self, now) if judge else "no reason to be closed"
        if problem:
            raise Violation("relay", "closed by %s: %s" % (decision.reason, problem))
        if decision.reason != "warning":
            self.starts = 0

    def _follow(self, attributed):
        """Several grants may be in use at once."""
        if self.contract is not None:
            gained_wh = 0
            for contract, wh in attributed.items():
                if contract != self.contract:
                    gained_wh += wh - self._attributed.get(contract, 0)
            self._elsewhere[self.contract] = self._elsewhere.get(self.contract, 0) + gained_wh
        self._attributed = dict(attributed)

    def _follow_clock(self, now):
        flowed_wms, self._flowed_wms = self._flowed_wms, 0
        if now.unix_s is None:
            return
        if now.unix_s < self._latest_s and self.contract in self.spent:
            self.spent[self.contract] -= flowed_wms
        self._latest_s = max(self._latest_s, now.unix_s)

    def _slack_wms(self, of_wms):
        """What is not known for a moment: between two moments, by rounding, and what resets may lose."""
        unknown_wms = min(self._dark_wms, self.policy["hold_budget_wh"] * WMS_PER_WH) + self._down_wms
        return MOST_W * _SLACK_MS + unknown_wms + (LEAST_WH + 3) * WMS_PER_WH + of_wms // 100 + self.unseen_wms

    def _is_granted(self, now_s):
        """Whether any grant is in time by the meter's clock."""
        return now_s is not None and any(row["from_s"] <= now_s < row["to_s"] for row in self._host.grants.values())

    def _grant(self, now):
        grant = self._host.grants.get(self.contract)
        if grant is None:
            return "nobody granted it"
        if now.unix_s is None:
            return "the time is not known"
        if not grant["from_s"] <= now.unix_s < grant["to_s"]:
            return "it is over"
        self.hold_wms = self.hold_ms = 0
        spent_wms = self.spent.get(self.contract, 0) - self._elsewhere.get(self.contract, 0) * WMS_PER_WH
        wms = grant["wh"] * WMS_PER_WH
        if spent_wms > wms + self._slack_wms(wms):
            return "%d of %d Wh are used" % (spent_wms // WMS_PER_WH, grant["wh"])
        return None

    def _hold(self, now):
        if self.hold_ms > self.policy["hold_budget_s"] * 1000 + _SLACK_MS:
            return "%d s" % (self.hold_ms // 1000)
        wms = self.policy["hold_budget_wh"] * WMS_PER_WH
        if self.hold_wms > wms + self._slack_wms(wms) and not self.sensor_dead:
            return "%d Wh" % (self.hold_wms // WMS_PER_WH)
        return None

    def _credit(self, now):
        wms = self.policy["emergency_credit_wh"] * WMS_PER_WH
        if self.credit_wms > wms + self._slack_wms(wms):
            return "%d Wh are used" % (self.credit_wms // WMS_PER_WH)
        return None

    def _quiet(self, now):
        """Only by the defaults; the community's policy has no quiet times."""
        if self.policy is POLICY or now.unix_s is None:
            return "there are none"
        minute, day = now.unix_s // 60 % 1440, now.unix_s // 86_400
        is_quiet = minute >= 16 * 60 or minute < 10 * 60 or (day + 3) % 7 >= 5
        return None if is_quiet else "not at this time"

    def _boot_hold(self, now):
        if now.unix_s is not None or now.uptime_ms > _BOOT_HOLD_MS + _SLACK_MS:
            return "after %d s" % now.uptime_s
        return self._hold(now)

    def _warning(self, now):
        most_ms = self.policy["warn_wait_max_s"] * 1000 + _SLACK_MS * (1 + self.starts)
        return "for %d s" % (self.warned_ms // 1000) if self.warned_ms > most_ms else None


_JUDGES = {
    "grant": Supply._grant, "hold": Supply._hold, "credit": Supply._credit, "boot_hold": Supply._boot_hold,
    "warning": Supply._warning, "quiet_hours": Supply._quiet,
}  # fmt: skip
