"""Refunds through Stripe: once, found later, and never more than was paid."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from billing.adapters.gateways.stripe import StripeGateway
from billing.domain.errors import GatewayKeyReusedError
from billing.ports import Captured, ChargeRequest, Refunded, RefundRefused, RefundRequest
from contract.stripe_fake import SECRET, FakeStripe
from contract.stripe_wire import InProcessClient

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
METADATA = {"tenant": "acme", "account": "main"}

Make = Callable[..., ChargeRequest]


def refunding(payment_id: str, amount_minor: int = 1_000, key: str = "refund:1") -> RefundRequest:
    return RefundRequest(key, payment_id, amount_minor, "USD", METADATA, NOON)


def paid(gateway: StripeGateway, request_of: Make) -> str:
    answer = gateway.charge(request_of())
    assert isinstance(answer, Captured)
    return answer.payment_id


def test_a_refund_is_found_among_hundreds_when_its_key_is_long_forgotten(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    payment_id = paid(gateway, request_of)
    request = refunding(payment_id, 10)
    answer = gateway.refund(request)
    for number in range(120):
        gateway.refund(refunding(payment_id, 10, f"more:{number}"))
    fake.book.advance(timedelta(days=60))
    assert gateway.find_refund(request) == answer


def test_nothing_can_be_refunded_under_a_key_once_nothing_was_found(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    payment_id = paid(gateway, request_of)
    for _ in range(2):
        assert gateway.find_refund(refunding(payment_id)) is None
    assert gateway.refund(refunding(payment_id)) == RefundRefused("key_closed")
    assert isinstance(gateway.refund(refunding(payment_id, key="refund:2")), Refunded)
    assert len(fake.book.refunds) == 1


def test_a_refund_that_arrives_while_it_is_looked_for_is_found(
    fake: FakeStripe, gateway: StripeGateway, request_of: Make
) -> None:
    request = refunding(paid(gateway, request_of))
    late = StripeGateway(lambda: SECRET, http_client=InProcessClient(fake))
    fake.meanwhile(lambda: None)
    fake.meanwhile(lambda: late.refund(request))
    assert isinstance(gateway.find_refund(request), Refunded)
    assert len(fake.book.refunds) == 1


def test_a_refund_key_with_another_amount_is_an_error(
    gateway: StripeGateway, request_of: Make
) -> None:
    payment_id = paid(gateway, request_of)
    gateway.refund(refunding(payment_id))
    with pytest.raises(GatewayKeyReusedError):
        gateway.refund(refunding(payment_id, 900))


def test_more_than_was_paid_is_refused_with_a_reason(
    gateway: StripeGateway, request_of: Make
) -> None:
    payment_id = paid(gateway, request_of)
    assert gateway.refund(refunding(payment_id, 2_501)) == RefundRefused("invalid_amount")
    assert isinstance(gateway.refund(refunding(payment_id, 2_500, "refund:2")), Refunded)
    again = gateway.refund(refunding(payment_id, 1, "refund:3"))
    assert again == RefundRefused("charge_already_refunded")
