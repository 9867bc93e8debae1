"""What Stripe's declines ask for."""

import pytest

from billing.adapters.gateways.stripe_declines import declined
from billing.domain.declines import DeclineGroup
from billing.ports import Declined

RETRY_LATER = (
    "insufficient_funds",
    "processing_error",
    "issuer_not_available",
    "try_again_later",
    "card_velocity_exceeded",
    "withdrawal_count_limit_exceeded",
)
NEW_SOURCE = (
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "invalid_account",
    "invalid_expiry_year",
    "card_not_supported",
    "do_not_honor",
    "generic_decline",
    "a_code_of_next_year",
)
STOP = ("lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist")


@pytest.mark.parametrize(
    ("code", "group"),
    [
        *((code, DeclineGroup.RETRY_LATER) for code in RETRY_LATER),
        *((code, DeclineGroup.NEW_SOURCE) for code in NEW_SOURCE),
        ("authentication_required", DeclineGroup.CUSTOMER_ACTION),
    ],
)
def test_a_code_says_its_group(code: str, group: DeclineGroup) -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": code}
    assert declined(error) == Declined(code, group)


@pytest.mark.parametrize("code", STOP)
@pytest.mark.parametrize("advice", [None, "try_again_later", "confirm_card_data"])
def test_a_card_that_must_be_stopped_is_whatever_is_advised_and_nobody_is_told_why(
    code: str, advice: str | None
) -> None:
    error = {"code": "card_declined", "decline_code": code, "advice_code": advice}
    assert declined(error) == Declined("card_declined", DeclineGroup.NEVER)


@pytest.mark.parametrize(
    ("advice", "group"),
    [
        ("do_not_try_again", DeclineGroup.NEVER),
        ("try_again_later", DeclineGroup.RETRY_LATER),
        ("confirm_card_data", DeclineGroup.NEW_SOURCE),
        ("an_advice_of_next_year", DeclineGroup.NEW_SOURCE),
    ],
)
def test_what_the_issuer_advises_is_obeyed(advice: str, group: DeclineGroup) -> None:
    error = {"decline_code": "generic_decline", "advice_code": advice}
    assert declined(error) == Declined("generic_decline", group)


def test_the_errors_own_code_counts_where_the_issuer_gives_none() -> None:
    error = {"type": "card_error", "code": "expired_card", "decline_code": None}
    assert declined(error) == Declined("expired_card", DeclineGroup.NEW_SOURCE)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            {"param": "payment_method", "code": "resource_missing"},
            Declined("resource_missing", DeclineGroup.NEW_SOURCE),
            id="the source is unknown",
        ),
        pytest.param(
            {"param": "payment_method"},
            Declined("invalid_payment_method", DeclineGroup.NEW_SOURCE),
            id="the source was let go of",
        ),
        pytest.param(
            {"code": "payment_intent_mandate_invalid"},
            Declined("payment_intent_mandate_invalid", DeclineGroup.NEW_SOURCE),
            id="the mandate has ended",
        ),
        pytest.param(
            {"param": "amount", "code": "amount_too_small"},
            Declined("amount_too_small", DeclineGroup.RETRY_LATER),
            id="the amount is wrong",
        ),
        pytest.param({}, Declined("invalid_request", DeclineGroup.RETRY_LATER), id="no reason"),
    ],
)
def test_an_invalid_request_blames_the_source_only_for_the_source(
    error: dict[str, str], expected: Declined
) -> None:
    assert declined({"type": "invalid_request_error", **error}) == expected


def test_a_decline_without_any_reason_is_a_general_one() -> None:
    assert declined({}) == Declined("card_declined", DeclineGroup.NEW_SOURCE)
