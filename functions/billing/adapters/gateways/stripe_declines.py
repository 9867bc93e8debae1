"""What Stripe's declines ask for.

Sources:
    https://docs.stripe.com/declines/codes
    https://docs.stripe.com/declines/card#retrying-issuer-declines (``advice_code``)
    https://docs.stripe.com/error-codes
"""

from billing.adapters.gateways.stripe_objects import Fields, text
from billing.domain.declines import DeclineGroup
from billing.ports import Declined

GENERAL_CODE = "card_declined"
"""What is shown for a card that may be stolen: whoever holds it must not learn why."""

STOPPED = frozenset({"lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist"})

GROUPS = {
    **dict.fromkeys(STOPPED, DeclineGroup.NEVER),
    "revocation_of_all_authorizations": DeclineGroup.NEVER,
    "revocation_of_authorization": DeclineGroup.NEVER,
    "stop_payment_order": DeclineGroup.NEVER,
    "approve_with_id": DeclineGroup.RETRY_LATER,
    "card_velocity_exceeded": DeclineGroup.RETRY_LATER,
    "insufficient_funds": DeclineGroup.RETRY_LATER,
    "issuer_not_available": DeclineGroup.RETRY_LATER,
    "processing_error": DeclineGroup.RETRY_LATER,
    "reenter_transaction": DeclineGroup.RETRY_LATER,
    "try_again_later": DeclineGroup.RETRY_LATER,
    "withdrawal_count_limit_exceeded": DeclineGroup.RETRY_LATER,
    "payment_intent_payment_attempt_expired": DeclineGroup.RETRY_LATER,
    "payment_intent_payment_attempt_failed": DeclineGroup.RETRY_LATER,
    "payment_method_provider_decline": DeclineGroup.RETRY_LATER,
    "payment_method_provider_timeout": DeclineGroup.RETRY_LATER,
    "authentication_required": DeclineGroup.CUSTOMER_ACTION,
    "payment_intent_authentication_failure": DeclineGroup.CUSTOMER_ACTION,
    "payment_method_customer_decline": DeclineGroup.CUSTOMER_ACTION,
    "payment_intent_mandate_invalid": DeclineGroup.NEW_SOURCE,
}
"""All others ask for another source: expired_card, incorrect_*, invalid_*, card_not_supported,
do_not_honor, generic_decline, a mandate that ended, and whatever Stripe adds."""

ADVICE = {
    "confirm_card_data": DeclineGroup.NEW_SOURCE,
    "do_not_try_again": DeclineGroup.NEVER,
    "try_again_later": DeclineGroup.RETRY_LATER,
}

SOURCE_PARAMETERS = ("customer", "mandate", "payment_method")
"""Parameters that a refused request is about when its source cannot be charged."""


def declined(error: Fields) -> Declined:
    """A decline, from the error that a payment failed with.

    In order of precedence: a card that must be stopped is; what the issuer advises is obeyed; else
    it is the code's group. A request that Stripe found invalid asks for another source only where
    the source is what is wrong with it.
    """
    code = text(error, "decline_code") or text(error, "code")
    if code in STOPPED:
        return Declined(GENERAL_CODE, DeclineGroup.NEVER)
    advised = ADVICE.get(text(error, "advice_code"))
    if advised is not None:
        return Declined(code or GENERAL_CODE, advised)
    if text(error, "type") == "invalid_request_error" and code not in GROUPS:
        parameter = text(error, "param")
        is_source = parameter.startswith(SOURCE_PARAMETERS)
        group = DeclineGroup.NEW_SOURCE if is_source else DeclineGroup.RETRY_LATER
        return Declined(code or f"invalid_{parameter or 'request'}", group)
    return Declined(code or GENERAL_CODE, GROUPS.get(code, DeclineGroup.NEW_SOURCE))
