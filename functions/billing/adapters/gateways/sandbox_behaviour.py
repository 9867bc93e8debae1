"""How the sandbox takes a charge: its source's token says so.

A token may be followed by a full stop and any name, such as ``tok_succeeds.card-2``: it behaves
the same, and can be forgotten without taking the plain one away from everybody else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.adapters.gateways.sandbox_records import (
    Decision,
    SandboxCharge,
    Standing,
    payment_id_of,
)
from billing.domain.declines import DeclineGroup
from billing.domain.payments import PaymentMethod
from billing.ports import ChargeRequest

SUCCEEDS = "tok_succeeds"
DECLINES = "tok_declines"
EXPIRED = "tok_expired"
STOLEN = "tok_stolen"
NEEDS_ACTION = "tok_needs_action"
TIMES_OUT_AFTER_CHARGING = "tok_times_out_after_charging"
TIMES_OUT_WITHOUT_CHARGING = "tok_times_out_without_charging"
UPI_SUCCEEDS = "upi_succeeds"
UPI_DECLINES = "upi_declines"

NOTICE = timedelta(hours=24)
"""How long a debit under a UPI mandate is announced before it is made (RBI)."""

APPROVAL = timedelta(minutes=15)
"""How long a one-off UPI payment waits for its customer."""

UPI_CURRENCY = "INR"


@dataclass(frozen=True, slots=True)
class _Behaviour:
    code: str = ""
    group: DeclineGroup = DeclineGroup.RETRY_LATER
    method: PaymentMethod = PaymentMethod.CARD


_BEHAVIOURS = {
    SUCCEEDS: _Behaviour(),
    DECLINES: _Behaviour("insufficient_funds"),
    EXPIRED: _Behaviour("expired_card", DeclineGroup.NEW_SOURCE),
    # A thief must not learn that the card is known: the code is the one any other card gets.
    STOLEN: _Behaviour("card_declined", DeclineGroup.NEVER),
    NEEDS_ACTION: _Behaviour("authentication_required", DeclineGroup.CUSTOMER_ACTION),
    TIMES_OUT_AFTER_CHARGING: _Behaviour(),
    TIMES_OUT_WITHOUT_CHARGING: _Behaviour(),
    UPI_SUCCEEDS: _Behaviour(method=PaymentMethod.UPI),
    UPI_DECLINES: _Behaviour("insufficient_funds", method=PaymentMethod.UPI),
}

TOKENS = tuple(_BEHAVIOURS)


def behaviour_of(source_token: str | None) -> str:
    """The token without its name."""
    return (source_token or "").partition(".")[0]


def method_of(source_token: str) -> PaymentMethod | None:
    """What the token pays with; None: there is no such token."""
    behaviour = _BEHAVIOURS.get(behaviour_of(source_token))
    return None if behaviour is None else behaviour.method


def is_own(source_token: str) -> bool:
    """Whether the token has a name, and so is one saved source and not a way to behave."""
    return "." in source_token


def decide(request: ChargeRequest, now: datetime, *, is_gone: bool) -> Decision:
    """What the sandbox makes of a charge that it sees for the first time.

    Declines, in order of precedence: ``invalid_source`` (no such token, one of another method, or
    one that is gone), ``invalid_amount``, ``invalid_currency``, and what the token asks for.

    Args:
        now: The sandbox's own time (aware UTC).
        is_gone: Whether the source was forgotten or revoked.
    """
    charge = SandboxCharge(
        payment_id=payment_id_of(request.idempotency_key),
        idempotency_key=request.idempotency_key,
        amount_minor=request.amount_minor,
        currency=request.currency,
        source_token=request.source_token,
        metadata=dict(request.metadata),
    )

    def declined(code: str, group: DeclineGroup) -> Decision:
        return Decision(Standing.DECLINED, now, charge, code, group)

    behaviour = _behaviour(request)
    if behaviour is None or behaviour.method is not request.method or is_gone:
        return declined("invalid_source", DeclineGroup.NEW_SOURCE)
    if request.amount_minor <= 0:
        return declined("invalid_amount", DeclineGroup.RETRY_LATER)
    if behaviour.method is PaymentMethod.UPI:
        if request.currency != UPI_CURRENCY:
            return declined("invalid_currency", DeclineGroup.NEW_SOURCE)
        return _upi(request, charge, behaviour, now)
    if behaviour.code:
        return declined(behaviour.code, behaviour.group)
    return Decision(Standing.CAPTURED, now, charge)


def ended(first: Decision, at: datetime) -> Decision:
    """What a payment under way or waiting has become by itself once its time has come."""
    if first.standing is Standing.WAITING:
        return declined_by_customer(first, "expired", at)
    standing = Standing.DECLINED if first.code else Standing.CAPTURED
    return Decision(standing, at, first.charge, first.code, first.group)


def declined_by_customer(first: Decision, code: str, at: datetime) -> Decision:
    """A payment that its customer has not approved, and now no longer can."""
    return Decision(Standing.DECLINED, at, first.charge, code, DeclineGroup.CUSTOMER_ACTION)


def _behaviour(request: ChargeRequest) -> _Behaviour | None:
    if request.source_token is None:
        return _Behaviour(method=PaymentMethod.UPI)
    return _BEHAVIOURS.get(behaviour_of(request.source_token))


def _upi(
    request: ChargeRequest, charge: SandboxCharge, behaviour: _Behaviour, now: datetime
) -> Decision:
    if request.source_token is None:
        due_at = request.asked_at + APPROVAL
        return Decision(Standing.WAITING, now, charge, due_at=due_at)
    due_at = request.asked_at + NOTICE
    return Decision(
        Standing.PROCESSING, now, charge, behaviour.code, behaviour.group, due_at=due_at
    )
