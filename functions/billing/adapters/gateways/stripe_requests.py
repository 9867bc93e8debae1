"""What Stripe is asked, as its parameters: pure, so that one request is always the same bytes."""

from datetime import datetime, timedelta
from typing import Any

from billing.adapters.gateways.stripe_amounts import to_stripe
from billing.adapters.gateways.stripe_objects import CLOSED_FIELD, KEY_FIELD
from billing.domain.payments import PaymentMethod
from billing.ports import ChargeRequest, RefundRequest, SetupRequest

CLOCK_MARGIN = timedelta(minutes=10)
"""How far our clocks and Stripe's may be apart."""

KEY_LIFE = timedelta(hours=24)
"""How long Stripe keeps an idempotency key at least: nothing is made under one after that."""

Params = dict[str, Any]


def charge(request: ChargeRequest) -> Params:
    """Collect now: from a saved source without its customer, or by UPI from who is there.

    Raises:
        InvalidInputError: Stripe takes no such amount.
    """
    params = _payment(request) | {"confirm": True, "metadata": _metadata(request)}
    if request.source_token is None:
        return params | {"payment_method_data": {"type": request.method.value}}
    return params | {"payment_method": request.source_token, "off_session": True}


def closing(request: ChargeRequest) -> Params:
    """A payment that is never confirmed, made so that its key can make no other."""
    return _payment(request) | {"metadata": _metadata(request) | {CLOSED_FIELD: "1"}}


def look_up(request: ChargeRequest) -> Params:
    """Where the payment must be, if there is one."""
    created = {
        "gte": _seconds(request.asked_at - CLOCK_MARGIN),
        "lte": _seconds(request.asked_at + KEY_LIFE + CLOCK_MARGIN),
    }
    return {"created": created} | _customer(request.customer_token)


def refund(request: RefundRequest) -> Params:
    """Give back a part of a payment, or all of it.

    Raises:
        InvalidInputError: Stripe takes no such amount.
    """
    return {
        "payment_intent": request.payment_id,
        "amount": to_stripe(request.amount_minor, request.currency),
        "metadata": _metadata(request),
    }


def customer(request: SetupRequest) -> Params:
    """A customer for an account that has none yet."""
    return {"metadata": _metadata(request)}


def setup(request: SetupRequest, customer_token: str) -> Params:
    """Save a card, or a mandate of debits up to a limit.

    Raises:
        InvalidInputError: Stripe takes no such limit.
    """
    params: Params = {
        "customer": customer_token,
        "metadata": _metadata(request),
        "payment_method_types": [request.method.value],
        "usage": "off_session",
    }
    if request.method is PaymentMethod.UPI and request.limit_minor is not None:
        limit = to_stripe(request.limit_minor, request.currency)
        mandate = {"amount": limit, "amount_type": "maximum"}
        params["payment_method_options"] = {"upi": {"mandate_options": mandate}}
    return params


def _payment(request: ChargeRequest) -> Params:
    # Naming the one method keeps Stripe from offering others, which would want a page to return to.
    return {
        "amount": to_stripe(request.amount_minor, request.currency),
        "currency": request.currency.lower(),
        "payment_method_types": [request.method.value],
    } | _customer(request.customer_token)


def _customer(token: str | None) -> Params:
    return {} if token is None else {"customer": token}


def _metadata(request: ChargeRequest | RefundRequest | SetupRequest) -> dict[str, str]:
    return {**request.metadata, KEY_FIELD: request.idempotency_key}


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
