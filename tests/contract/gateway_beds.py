"""What a payment gateway is tested on: a gateway, and the world on its other side."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import pytest

from billing.domain.callbacks import WebhookRequest
from billing.domain.gateway_events import GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.ports import Gateway, GatewayWebhooks


class Behaviour(StrEnum):
    """How a saved source takes a charge without its customer."""

    SUCCEEDS = "succeeds"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    STOLEN = "stolen"
    NEEDS_ACTION = "needs_action"
    UPI_SUCCEEDS = "upi_succeeds"
    UPI_DECLINES = "upi_declines"


class Capability(StrEnum):
    """What a bed may be unable to play. The value says so, where a test is skipped for it."""

    AT_ONCE = "calls from many threads"
    LOST_ANSWERS = "answers that are lost"
    DECLINE_CODES = "why a card was declined"
    EXPIRED_CARD = "an expired card"
    STOLEN = "a stolen card"
    NEEDS_ACTION = "a card that wants its customer"
    UPI = "debits under a UPI mandate"
    ONE_OFF = "one-off payments that the customer approves"
    KEY_CLOSING = "a key that is closed by looking for it"
    REFUNDS = "refunds"
    REFUND_LIMIT = "refusing more than was paid"
    REFUND_LOOK_UP = "looking for a refund"
    REFUND_FAILURE = "a refund that fails afterwards"
    REFUND_ELSEWHERE = "a refund made from the gateway's own dashboard"
    DISPUTES = "disputes"
    SETUPS = "saving a source"
    SETUP_FAILURE = "a source that could not be saved"
    REVOCATION = "a source that its customer revokes"
    FORGETTING = "forgetting a source"


@dataclass(frozen=True, slots=True)
class Truth:
    """One payment in the gateway's own book: the other side of every comparison."""

    payment_id: str
    amount_minor: int
    currency: str
    metadata: Mapping[str, str]
    refunded_minor: int = 0


class GatewayBed(Protocol):
    """One gateway with an empty book, its customers, and its dashboard."""

    name: str
    gateway: Gateway
    webhooks: GatewayWebhooks
    webhook_secret: str
    customer: str | None
    lacks: frozenset[Capability]

    def now(self) -> datetime:
        """The gateway's own time; aware UTC."""
        ...

    def advance(self, by: timedelta) -> None:
        """Let time pass, and with it what happens by itself."""
        ...

    def token(self, behaviour: Behaviour) -> str:
        """A source of ``customer`` that behaves so."""
        ...

    def lose_answer(self, *, after_doing: bool) -> None:
        """The next call to the gateway times out, after it took effect or before it could.

        The adapter's own retries within that call, where it has any, are lost alike.
        """
        ...

    def captured(self) -> Sequence[Truth]:
        """Everything collected, with what of it was given back."""
        ...

    def approve(self, payment_id: str) -> None:
        """The customer approves what waits for them; too late, it changes nothing."""
        ...

    def abandon(self, payment_id: str) -> None:
        """The customer turns it down; too late, it changes nothing."""
        ...

    def finish_setup(self, setup_id: str, method: PaymentMethod, *, ok: bool = True) -> None:
        """The customer finishes the hosted fields: with a card ending in 4242, or in vain."""
        ...

    def revoke(self, token: str) -> None:
        """The customer revokes a mandate at their bank."""
        ...

    def dispute(self, payment_id: str) -> str:
        """The customer disputes the whole payment; the dispute's id."""
        ...

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        """The bank decides: for us, or for the customer."""
        ...

    def refund_elsewhere(self, payment_id: str, amount_minor: int) -> None:
        """Somebody refunds from the gateway's dashboard."""
        ...

    def fail_refund(self, refund_id: str) -> None:
        """The customer's bank sends a refund back."""
        ...

    def requests(self, kind: GatewayEventKind) -> Sequence[WebhookRequest]:
        """The webhooks of that kind sent so far, oldest first, signed with the secret."""
        ...


Opener = Callable[[pytest.FixtureRequest], AbstractContextManager[GatewayBed]]
"""Opens a bed for one test. Registered in this folder's conftest, one line each."""


def needs(bed: GatewayBed, *capabilities: Capability) -> None:
    """Skip a test that the bed cannot play, and say what is missing."""
    missing = [capability for capability in capabilities if capability in bed.lacks]
    if missing:
        pytest.skip(f"{bed.name} does not play {', '.join(missing)}")
