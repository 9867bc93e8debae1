"""Refunds and disputes as they are told in events, and kept as an operation's answer."""

from billing.domain.canonical import Json
from billing.domain.money import Money
from billing.domain.records import Dispute, Refund


def refund_json(refund: Refund) -> dict[str, Json]:
    """A refund in its outside form; number 0 sums what was given back at the gateway."""
    settled = refund.settled_at
    return {
        "refund": refund.number,
        "payment": refund.payment_id,
        "gateway": refund.gateway,
        "state": refund.state.value,
        "amount": _money(refund.amount_micros, refund.currency),
        "refund_id": refund.refund_id,
        "failure_code": refund.failure_code,
        "started_at": refund.started_at.isoformat(),
        "settled_at": settled.isoformat() if settled else None,
    }


def dispute_json(dispute: Dispute) -> dict[str, Json]:
    """A dispute in its outside form."""
    closed = dispute.closed_at
    return {
        "dispute": dispute.dispute_id,
        "payment": dispute.payment_id,
        "gateway": dispute.gateway,
        "state": dispute.state.value,
        "amount": _money(dispute.amount_micros, dispute.currency),
        "code": dispute.code,
        "opened_at": dispute.opened_at.isoformat(),
        "closed_at": closed.isoformat() if closed else None,
    }


def _money(micros: int, currency: str) -> dict[str, Json]:
    money = Money(micros, currency)
    return {"amount": money.amount, "currency": money.currency}
