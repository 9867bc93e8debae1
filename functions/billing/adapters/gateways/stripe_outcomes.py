"""What Stripe's payments and refunds have come to."""

from datetime import timedelta

from billing.adapters.gateways.stripe_declines import declined
from billing.adapters.gateways.stripe_objects import (
    Fields,
    StripeRefusedError,
    identifier,
    instant,
    page,
    part,
    text,
)
from billing.domain.declines import DeclineGroup
from billing.domain.payments import NextAction
from billing.ports import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    Outcome,
    Processing,
    Refunded,
    RefundRefused,
)

SLOW = timedelta(hours=36)
"""Until when a payment under way is known: its notice comes 24 hours before a debit, and a debit
that fails is tried again for some hours."""

APPROVAL = timedelta(minutes=15)
"""How long a customer has to approve a payment, where Stripe does not say."""


def settled(request: ChargeRequest, intent: Fields) -> Outcome | None:
    """What a payment has come to; None: to nothing yet, and it can still be called off."""
    payment_id, status = identifier(intent, "id"), identifier(intent, "status")
    if status == "succeeded":
        return Captured(payment_id)
    if status == "processing":
        return Processing(payment_id, request.asked_at + SLOW)
    return decline(intent) if status == "canceled" else None


def decline(intent: Fields) -> Declined:
    error = part(intent, "last_payment_error")
    if error:
        return declined(error)
    if text(intent, "status") == "requires_action":
        return Declined("authentication_required", DeclineGroup.CUSTOMER_ACTION)
    return Declined(text(intent, "cancellation_reason") or "canceled")


def action_needed(request: ChargeRequest, intent: Fields) -> ActionNeeded:
    action = part(intent, "next_action")
    upi = part(action, "upi_handle_redirect_or_display_qr_code")
    if upi:
        qr = part(upi, "qr_code")
        picture = text(qr, "image_url_svg") or text(qr, "image_url_png") or None
        next_action = NextAction("upi", page(upi, "hosted_instructions_url"), picture)
        expires_at = instant(qr, "expires_at") if "expires_at" in qr else None
    else:
        redirect = part(action, "redirect_to_url")
        next_action, expires_at = NextAction("redirect", page(redirect, "url")), None
    return ActionNeeded(
        identifier(intent, "id"), next_action, expires_at or request.asked_at + APPROVAL
    )


def refunded(refund: Fields) -> Refunded | RefundRefused:
    status = identifier(refund, "status")
    if status in ("failed", "canceled"):
        return RefundRefused(text(refund, "failure_reason") or status)
    return Refunded(identifier(refund, "id"))


def refusal_code(refusal: StripeRefusedError) -> str:
    """Stripe has no code for a refund that is larger than what is left of the payment."""
    code, parameter = text(refusal.error, "code"), text(refusal.error, "param")
    return code or (f"invalid_{parameter}" if parameter else "refused")
