"""How a meter is: plain values for a console or a display. No secret is among them."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.core.meter import Meter
    from wattpact_meter.trade.usage import Grant


def of(meter: "Meter") -> "dict[str, Any]":
    """By name; ids and keys are hex."""
    decision, inbox, recorder, trader = meter.decision, meter.inbox, meter.recorder, meter.trader
    author, watch = meter.trust.author(meter.kid), inbox.ledger_watch
    return {
        "kid": meter.kid.hex(), "enrolled": meter.log.is_open, "owner": bool(author and author["owner"]),
        "boot": meter.checkpoint.boot, "generation": meter.log.generation, "next_sequence": meter.log.next_sequence,
        "acknowledged": meter.outbox.acknowledged, "full": meter.log.full, "state_corrupt": meter.state_corrupt,
        "inbox": inbox.id.hex(), "cursor": inbox.cursor, "authors": len(meter.trust),
        "registers": meter.registers(), "register_generation": recorder.bank.generation,
        "power_w": recorder.power_w, "verdicts": recorder.bank.verdicts,
        "relay": {
            "closed": decision.closed if decision else None, "reason": decision.reason if decision else None,
            "wait_until_ms": decision.wait_until_ms if decision else None,
        },
        "grants": [_of_grant(grant) for grant in meter.usage.grants], "beyond_wh": meter.usage.beyond_wh,
        "mandates": len(trader.mandates), "offers": len(trader.offers), "dropped": trader.dropped,
        "given_up": trader.given_up, "rejected": meter.rejected, "key_no": meter.sealer.key_no,
        "ledger": {"blocks": watch.blocks, "problem": watch.problem},
    }  # fmt: skip


def _of_grant(grant: "Grant") -> "dict[str, Any]":
    return {
        "contract": grant.contract.hex(), "wh": grant.wh, "attributed_wh": grant.attributed_wh,
        "priority": grant.priority, "to_s": grant.to_s, "in_use": grant.used_from_s is not None,
    }  # fmt: skip
