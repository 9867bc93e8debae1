"""Payment gateways, as narrow as can be: a third one is a module and a run of the contract suite.

Only a gateway's own word makes a payment known: what it answers, what it finds when it is asked
again, or what its signed webhooks say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from billing.domain.callbacks import WebhookRequest
from billing.domain.declines import DeclineGroup
from billing.domain.gateway_events import GatewayEvent
from billing.domain.payments import NextAction, PaymentMethod


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """What a gateway is asked to collect.

    Args:
        idempotency_key: Stored with the attempt; repeated, it can never charge twice.
        amount_minor: Whole minor units.
        source_token: The gateway's own token; None: nothing is saved, and the customer is there to
            approve this one payment.
        metadata: Tenant, account and what is paid; comes back with the gateway's webhooks, and is
            what a look-up finds the payment by. Part of the request the key stands for.
        asked_at: When the attempt was committed (aware UTC). It bounds a look-up in time, and is
            not part of what the key stands for.
        customer_token: The gateway's customer the source belongs to.
        method: How it is paid.
    """

    idempotency_key: str
    amount_minor: int
    currency: str
    source_token: str | None
    metadata: Mapping[str, str]
    asked_at: datetime
    customer_token: str | None = None
    method: PaymentMethod = PaymentMethod.CARD


@dataclass(frozen=True, slots=True)
class Captured:
    """The gateway has the money."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway definitely has not, and will not under this key.

    Args:
        code: Why, in the gateway's words. Of a card that is stolen or the like, a general one.
    """

    code: str
    group: DeclineGroup = DeclineGroup.RETRY_LATER


@dataclass(frozen=True, slots=True)
class Processing:
    """Under way, and slow: a mandate's debit. It will be captured or declined without our doing.

    Args:
        expected_at: When that should be known; aware UTC.
    """

    payment_id: str
    expected_at: datetime


@dataclass(frozen=True, slots=True)
class ActionNeeded:
    """The customer has to approve it; until then nothing is captured.

    Args:
        expires_at: Until when that is possible; aware UTC.
    """

    payment_id: str
    next_action: NextAction
    expires_at: datetime


Outcome = Captured | Declined | Processing | ActionNeeded
"""What becomes of a charge. A gateway that does not answer raises PaymentUnknownError instead."""


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What a gateway is asked to give back.

    Args:
        idempotency_key: Stored with the refund.
        payment_id: The gateway's id of the captured payment.
        metadata: Names the refund; what a look-up finds it by.
        asked_at: When the refund was committed (aware UTC); not part of what the key stands for.
    """

    idempotency_key: str
    payment_id: str
    amount_minor: int
    currency: str
    metadata: Mapping[str, str]
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Refunded:
    """The gateway gives the money back."""

    refund_id: str


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """The gateway definitely does not."""

    code: str


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """What a gateway is asked when a customer wants to save a card or a mandate.

    Args:
        idempotency_key: Repeated, it begins nothing new and answers the same client secret.
        limit_minor: UPI: the most one debit under the mandate may be.
        customer_token: The account's customer at this gateway; None: make one.
    """

    idempotency_key: str
    method: PaymentMethod
    currency: str
    limit_minor: int | None
    metadata: Mapping[str, str]
    customer_token: str | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """A beginning that only the customer can finish, in the gateway's own hosted fields.

    Args:
        client_secret: For the customer's browser. It is given out, and neither stored nor logged.
    """

    setup_id: str
    client_secret: str
    customer_token: str


@dataclass(frozen=True, slots=True)
class SourceSaved:
    """The customer has finished it; the token can be charged without them.

    Args:
        expires_on: The card's last valid day; None: it does not say.
        limit_minor: UPI: the most one debit may be.
    """

    token: str
    customer_token: str | None
    method: PaymentMethod
    brand: str
    last4: str
    expires_on: date | None = None
    limit_minor: int | None = None


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """It came to nothing."""

    code: str


class Gateway(Protocol):
    """Collects payments and gives them back.

    Every method may raise PaymentUnknownError: the gateway did not answer, and may have done what
    it was asked. The same request again is then safe, for as long as the key is kept (use it within
    23 hours), and so is finding what became of it.
    """

    name: str

    def charge(self, request: ChargeRequest) -> Outcome:
        """Collect once per idempotency key; the same key again answers how that payment stands.

        A decline is final: what would let the customer pay the same payment after all is called
        off before it is answered.
        """
        ...

    def find(self, request: ChargeRequest, payment_id: str | None = None) -> Outcome | None:
        """What became of that request; None: nothing was charged under it, and no longer will be.

        Args:
            request: Exactly as it was made.
            payment_id: The gateway's id of it, where it ever said one.
        """
        ...

    def cancel(self, request: ChargeRequest, payment_id: str) -> Outcome:
        """Call off a payment that waits for its customer. What was captured meanwhile stays so."""
        ...

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        """Give back once per idempotency key."""
        ...

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        """What became of that request; None: nothing was refunded, and no longer will be."""
        ...

    def begin_setup(self, request: SetupRequest) -> Setup:
        """Begin to save a card or mandate."""
        ...

    def find_setup(self, setup_id: str) -> SourceSaved | SetupFailed | None:
        """Whether the customer has finished it; None: not yet."""
        ...

    def forget_source(self, token: str) -> None:
        """Let go of a saved source. Forgetting what is not known changes nothing."""
        ...


class GatewayWebhooks(Protocol):
    """A gateway's webhook dialect. Pure; it trusts nothing before the signature."""

    name: str

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """Whether one of the secrets signed the request lately. Never raises."""
        ...

    def parse(self, request: WebhookRequest) -> GatewayEvent | None:
        """Read a request that was verified; None: it says nothing we act on.

        Raises:
            InvalidInputError: It is signed and yet cannot be read.
        """
        ...
