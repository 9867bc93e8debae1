"""What became of a customer's card or mandate in Stripe's hosted fields."""

from billing.adapters.gateways.stripe_amounts import from_stripe
from billing.adapters.gateways.stripe_objects import (
    Fields,
    identifier,
    last_day,
    part,
    reference,
    text,
    whole,
)
from billing.domain.payments import PaymentMethod
from billing.ports import SetupFailed, SourceSaved

UPI_CURRENCY = "INR"


def find_setup(setup: Fields) -> SourceSaved | SetupFailed | None:
    """How a SetupIntent stands, its payment method expanded; None: the customer is not done."""
    status = identifier(setup, "status")
    if status == "succeeded":
        return _saved(setup)
    if status == "canceled":
        return SetupFailed(text(setup, "cancellation_reason") or status)
    error = part(setup, "last_setup_error")
    if status == "requires_payment_method" and error:
        return SetupFailed(setup_error_code(error))
    return None


def setup_error_code(error: Fields) -> str:
    return text(error, "decline_code") or text(error, "code") or "setup_failed"


def _saved(setup: Fields) -> SourceSaved:
    source = part(setup, "payment_method")
    method = PaymentMethod.UPI if text(source, "type") == "upi" else PaymentMethod.CARD
    card = part(source, "card") if method is PaymentMethod.CARD else {}
    return SourceSaved(
        token=identifier(source, "id"),
        customer_token=reference(setup, "customer") or None,
        method=method,
        brand=identifier(card, "brand") if card else method.value,
        last4=identifier(card, "last4") if card else "",
        expires_on=last_day(card),
        limit_minor=_limit(setup) if method is PaymentMethod.UPI else None,
    )


def _limit(setup: Fields) -> int | None:
    options = part(part(part(setup, "payment_method_options"), "upi"), "mandate_options")
    if options.get("amount") is None:
        return None
    return from_stripe(whole(options, "amount"), UPI_CURRENCY)
