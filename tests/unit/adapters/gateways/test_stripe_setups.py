"""Saving a card or a mandate through Stripe."""

from dataclasses import replace
from datetime import date

import pytest

from billing.adapters.gateways.stripe import StripeGateway
from billing.domain.errors import InvalidInputError, PaymentUnknownError
from billing.domain.payments import PaymentMethod
from billing.ports import SetupFailed, SetupRequest, SourceSaved
from contract.gateway_beds import Behaviour
from contract.stripe_fake import FakeStripe

METADATA = {"tenant": "acme", "account": "main"}

SAVING = SetupRequest("setup:1", PaymentMethod.CARD, "USD", None, METADATA)


def test_a_customer_is_made_once_for_an_account_that_has_none(
    fake: FakeStripe, gateway: StripeGateway
) -> None:
    fake.meanwhile(lambda: None)
    fake.fail(503)
    with pytest.raises(PaymentUnknownError):
        gateway.begin_setup(SAVING)
    first, second = gateway.begin_setup(SAVING), gateway.begin_setup(SAVING)
    assert first == second
    assert list(fake.book.customers) == [first.customer_token]


def test_a_setup_that_stripe_refuses_is_the_callers_mistake(gateway: StripeGateway) -> None:
    with pytest.raises(InvalidInputError):
        gateway.begin_setup(replace(SAVING, customer_token="cus_gone"))


def test_a_mandate_is_asked_for_with_its_limit(fake: FakeStripe, gateway: StripeGateway) -> None:
    request = replace(SAVING, method=PaymentMethod.UPI, currency="INR", limit_minor=1_500_000)
    setup = fake.book.setups[gateway.begin_setup(request).setup_id]
    assert setup["payment_method_types"] == ["upi"]
    assert setup["usage"] == "off_session"
    assert setup["payment_method_options"] == {
        "upi": {"mandate_options": {"amount": 1_500_000, "amount_type": "maximum"}}
    }


def test_a_card_is_valid_to_the_last_day_of_its_month(
    fake: FakeStripe, gateway: StripeGateway
) -> None:
    setup_id = gateway.begin_setup(SAVING).setup_id
    fake.book.finish_setup(setup_id, Behaviour.SUCCEEDS)
    source = gateway.find_setup(setup_id)
    assert isinstance(source, SourceSaved)
    assert source.expires_on == date(2032, 2, 29)
    assert (source.brand, source.last4, source.limit_minor) == ("visa", "4242", None)


def test_a_setup_that_was_called_off_has_failed(fake: FakeStripe, gateway: StripeGateway) -> None:
    setup_id = gateway.begin_setup(SAVING).setup_id
    fake.book.setups[setup_id] |= {"status": "canceled", "cancellation_reason": "abandoned"}
    assert gateway.find_setup(setup_id) == SetupFailed("abandoned")


def test_a_setup_that_this_key_cannot_see_is_not_one_that_failed(gateway: StripeGateway) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.find_setup("seti_live")
