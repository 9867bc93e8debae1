"""A recharge as it is shown, told in events, and kept as its operation's answer."""

from billing.domain.canonical import Json
from billing.domain.money import Money
from billing.domain.records import Attempt, PurposeKind, Recharge


def recharge_json(recharge: Recharge) -> dict[str, Json]:
    """A recharge in its outside form; what its last attempt says stands beside the attempts."""
    money = Money(recharge.amount_micros, recharge.currency)
    settled = recharge.settled_at
    last = recharge.attempt
    expires = last.expected_at if last.next_action else None
    invoice = _purpose(recharge, PurposeKind.INVOICE)
    return {
        "recharge": recharge.ordinal,
        "state": recharge.state.value,
        "amount": {"amount": money.amount, "currency": money.currency},
        "reason": recharge.reason.value,
        "order": _purpose(recharge, PurposeKind.ORDER),
        "invoice": int(invoice) if invoice else None,
        "source": last.source_id or None,
        "gateway": last.gateway,
        "method": last.method.value,
        "payment_id": last.payment_id,
        "failure_code": last.failure_code,
        "expected_at": last.expected_at.isoformat() if last.expected_at and not expires else None,
        "next_action": last.next_action.to_json() if last.next_action else None,
        "next_action_expires_at": expires.isoformat() if expires else None,
        "attempts": [_attempt_json(attempt) for attempt in recharge.attempts],
        "started_at": recharge.started_at.isoformat(),
        "settled_at": settled.isoformat() if settled else None,
    }


def _purpose(recharge: Recharge, kind: PurposeKind) -> str | None:
    purpose = recharge.purpose
    return purpose.name if purpose and purpose.kind is kind else None


def _attempt_json(attempt: Attempt) -> Json:
    return {
        "source": attempt.source_id or None,
        "gateway": attempt.gateway,
        "state": attempt.state.value,
        "payment_id": attempt.payment_id,
        "failure_code": attempt.failure_code,
        "failure_group": attempt.failure_group.value if attempt.failure_group else None,
        "started_at": attempt.started_at.isoformat(),
    }
