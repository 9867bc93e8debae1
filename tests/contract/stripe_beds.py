"""The Stripe adapter as a bed: before a Stripe in this process, and before one over HTTP."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import stripe

from billing.adapters.gateways.stripe import NAME, StripeGateway
from billing.adapters.gateways.stripe_amounts import from_stripe
from billing.adapters.gateways.stripe_webhooks import StripeWebhooks
from billing.domain.callbacks import WebhookRequest
from billing.domain.gateway_events import GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.ports import Gateway, GatewayWebhooks
from contract.aws import NOON
from contract.gateway_beds import Behaviour, Capability, GatewayBed, Truth
from contract.stripe_fake import SECRET, FakeStripe
from contract.stripe_wire import InProcessClient, StripeServer

URL = "https://billing.example.com/v1/webhooks/payments/stripe"
WEBHOOK_SECRET = "whsec_test_of_the_fake"

SUBSCRIBED = {
    "charge.dispute.closed": None,
    "charge.dispute.created": GatewayEventKind.DISPUTED,
    "charge.refunded": GatewayEventKind.REFUNDED,
    "mandate.updated": GatewayEventKind.SOURCE_REVOKED,
    "payment_intent.payment_failed": GatewayEventKind.DECLINED,
    "payment_intent.processing": GatewayEventKind.PROCESSING,
    "payment_intent.succeeded": GatewayEventKind.CAPTURED,
    "payment_method.detached": GatewayEventKind.SOURCE_REVOKED,
    "refund.failed": GatewayEventKind.REFUND_FAILED,
    "setup_intent.setup_failed": GatewayEventKind.SOURCE_FAILED,
    "setup_intent.succeeded": GatewayEventKind.SOURCE_SAVED,
}
"""The events that docs/payments.md asks to subscribe to, and what each tells."""

CLOSED = {"won": GatewayEventKind.DISPUTE_WON, "lost": GatewayEventKind.DISPUTE_LOST}


class StripeBed:
    """The adapter before a fake of Stripe. Implements GatewayBed."""

    name = NAME
    webhook_secret = WEBHOOK_SECRET
    lacks: frozenset[Capability] = frozenset()

    def __init__(self, fake: FakeStripe, gateway: Gateway) -> None:
        self.fake = fake
        self.gateway = gateway
        self.webhooks: GatewayWebhooks = StripeWebhooks()
        self.customer: str | None = fake.book.add_customer({})["id"]

    def now(self) -> datetime:
        return self.fake.book.now

    def advance(self, by: timedelta) -> None:
        self.fake.book.advance(by)

    def token(self, behaviour: Behaviour) -> str:
        assert self.customer is not None
        token: str = self.fake.book.add_source(behaviour, self.customer)["id"]
        return token

    def lose_answer(self, *, after_doing: bool) -> None:
        self.fake.lose_answer(after_doing=after_doing)

    def captured(self) -> Sequence[Truth]:
        return [
            Truth(
                payment_id=charge["payment_intent"],
                amount_minor=from_stripe(charge["amount"], charge["currency"].upper()),
                currency=charge["currency"].upper(),
                metadata={k: v for k, v in charge["metadata"].items() if k != "talktime_key"},
                refunded_minor=from_stripe(charge["amount_refunded"], charge["currency"].upper()),
            )
            for charge in self.fake.book.charges.values()
        ]

    def approve(self, payment_id: str) -> None:
        self.fake.book.approve(payment_id)

    def abandon(self, payment_id: str) -> None:
        self.fake.book.abandon(payment_id)

    def finish_setup(self, setup_id: str, method: PaymentMethod, *, ok: bool = True) -> None:
        is_upi = method is PaymentMethod.UPI
        behaviour = Behaviour.UPI_SUCCEEDS if is_upi else Behaviour.SUCCEEDS
        self.fake.book.finish_setup(setup_id, behaviour if ok else None)

    def revoke(self, token: str) -> None:
        self.fake.book.revoke(token)

    def dispute(self, payment_id: str) -> str:
        dispute_id: str = self.fake.book.add_dispute(payment_id)["id"]
        return dispute_id

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        self.fake.book.close_dispute(dispute_id, "won" if won else "lost")

    def refund_elsewhere(self, payment_id: str, amount_minor: int) -> None:
        self.fake.book.add_refund(payment_id, amount_minor, {})

    def fail_refund(self, refund_id: str) -> None:
        self.fake.book.fail_refund(refund_id)

    def requests(self, kind: GatewayEventKind) -> Sequence[WebhookRequest]:
        """Signed by the library, anew at every call, as every attempt to deliver one is."""
        signed_at = int(self.now().timestamp())
        return [
            signed(json.dumps(event), self.webhook_secret, signed_at)
            for event in self.fake.book.events
            if event["type"] in SUBSCRIBED
            and (SUBSCRIBED[event["type"]] or CLOSED.get(event["data"]["object"]["status"])) is kind
        ]


def signed(body: str, secret: str, signed_at: int) -> WebhookRequest:
    header = stripe.WebhookSignature.generate_signature_header(body, secret, signed_at)
    return WebhookRequest("POST", URL, {"Stripe-Signature": header}, body.encode())


@contextmanager
def stripe_in_process(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    fake = FakeStripe(NOON)
    yield StripeBed(fake, StripeGateway(lambda: SECRET, http_client=InProcessClient(fake)))


@contextmanager
def stripe_over_http(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    """The library's own way to the network; it only does not sleep between its retries."""
    fake = FakeStripe(NOON)
    with pytest.MonkeyPatch.context() as patch, StripeServer(fake) as server:
        patch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
        patch.setattr(stripe.HTTPClient, "MAX_DELAY", 0)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield StripeBed(fake, StripeGateway(lambda: SECRET, base_address=server.address))
        finally:
            server.shutdown()
