"""A Stripe in this process, the adapter before it, and a customer with sources."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from billing.adapters.gateways.stripe import StripeGateway
from billing.ports import ChargeRequest
from contract.gateway_beds import Behaviour
from contract.stripe_fake import SECRET, FakeStripe
from contract.stripe_wire import InProcessClient

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
METADATA = {"tenant": "acme", "account": "main"}


@pytest.fixture
def fake() -> FakeStripe:
    return FakeStripe(NOON)


@pytest.fixture
def gateway(fake: FakeStripe) -> StripeGateway:
    return StripeGateway(lambda: SECRET, http_client=InProcessClient(fake))


@pytest.fixture
def request_of(fake: FakeStripe) -> Callable[..., ChargeRequest]:
    customer = fake.book.add_customer({})["id"]

    def make(behaviour: Behaviour = Behaviour.SUCCEEDS, key: str = "charge:1") -> ChargeRequest:
        token = fake.book.add_source(behaviour, customer)["id"]
        return ChargeRequest(key, 2_500, "USD", token, METADATA, fake.book.now, customer)

    return make
