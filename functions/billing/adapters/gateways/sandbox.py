"""The sandbox gateway: charges test tokens, and keeps a book of truth of its own.

How it decides is written once, over anything that keeps a document under a name; the table and the
tests' dictionary are two such things. What it charged can be compared with what was credited.
"""

from datetime import date

from billing.adapters.gateways.sandbox_behaviour import (
    DECLINES,
    EXPIRED,
    NEEDS_ACTION,
    STOLEN,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    TOKENS,
    UPI_DECLINES,
    UPI_SUCCEEDS,
)
from billing.adapters.gateways.sandbox_payments import SandboxPayments
from billing.adapters.gateways.sandbox_records import (
    DISPUTE,
    DISPUTE_END,
    Document,
    SandboxBook,
    SandboxCharge,
    named,
)
from billing.adapters.gateways.sandbox_refunds import SandboxRefunds
from billing.adapters.gateways.sandbox_setups import SandboxSetups
from billing.adapters.gateways.sandbox_truth import collected, told
from billing.domain.errors import NotFoundError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.ports import (
    ChargeRequest,
    Clock,
    Outcome,
    Refunded,
    RefundRefused,
    RefundRequest,
    Setup,
    SetupFailed,
    SetupRequest,
    SourceSaved,
)

__all__ = [
    "DECLINES",
    "EXPIRED",
    "NAME",
    "NEEDS_ACTION",
    "STOLEN",
    "SUCCEEDS",
    "TIMES_OUT_AFTER_CHARGING",
    "TIMES_OUT_WITHOUT_CHARGING",
    "TOKENS",
    "UPI_DECLINES",
    "UPI_SUCCEEDS",
    "SandboxBook",
    "SandboxCharge",
    "SandboxGateway",
]

NAME = "sandbox"

DISPUTE_SUFFIX = "_dispute"


class SandboxGateway:
    """A payment gateway whose source tokens say how it will behave.

    Besides the port it has the stand-ins for everybody else: the customer who approves, turns down,
    saves a source or disputes, and whoever works at the gateway's dashboard. Those raise
    NotFoundError for what the sandbox does not know, and change nothing when they come too late.
    """

    name = NAME

    def __init__(self, book: SandboxBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._payments = SandboxPayments(book, clock)
        self._refunds = SandboxRefunds(book, clock, self._payments)
        self._setups = SandboxSetups(book, clock)

    def charge(self, request: ChargeRequest) -> Outcome:
        """Collect once per idempotency key, as the source token says.

        A debit under a UPI mandate is processing until 24 hours after it was asked for. Without a
        source its customer has 15 minutes to approve it.

        Raises:
            GatewayKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: The token asks for it, or the sandbox's book did not answer.
        """
        return self._payments.charge(request)

    def find(self, request: ChargeRequest, payment_id: str | None = None) -> Outcome | None:
        """What became of a key. None closes it, so that a charge still on its way cannot follow.

        Raises:
            PaymentUnknownError: The sandbox's book did not answer.
        """
        return self._payments.find(request)

    def cancel(self, request: ChargeRequest, payment_id: str) -> Outcome:
        """Call off what waits for its customer; a key never seen is closed, and declined as such.

        Raises:
            PaymentUnknownError: The sandbox's book did not answer.
        """
        return self._payments.cancel(request)

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        """Give back once per idempotency key.

        Refusals, in order of precedence: ``unknown_payment`` (or not captured), ``invalid_amount``,
        ``invalid_currency``, ``exceeds_payment`` (more than is left of what was captured).

        Raises:
            GatewayKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: The sandbox's book did not answer.
        """
        return self._refunds.refund(request)

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        """What became of a key. None closes it, so that a refund still on its way cannot follow.

        Raises:
            PaymentUnknownError: The sandbox's book did not answer.
        """
        return self._refunds.find_refund(request)

    def begin_setup(self, request: SetupRequest) -> Setup:
        """Begin to save a source.

        Raises:
            GatewayKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: The sandbox's book did not answer.
        """
        return self._setups.begin(request)

    def find_setup(self, setup_id: str) -> SourceSaved | SetupFailed | None:
        return self._setups.find(setup_id)

    def forget_source(self, token: str) -> None:
        """Let go of a token with a name of its own; plain ones are everybody's, and stay."""
        self._setups.forget(token)

    def approve(self, payment_id: str) -> None:
        """The customer approves a one-off payment in their app."""
        self._payments.approve(payment_id)

    def turn_down(self, payment_id: str) -> None:
        """The customer turns a one-off payment down."""
        self._payments.turn_down(payment_id)

    def finish_setup(
        self, setup_id: str, token: str = "", *, expires_on: date | None = None
    ) -> None:
        """The customer fills in the hosted fields.

        Args:
            token: How the saved source will behave; empty: it succeeds.
            expires_on: The card's last valid day; None: one years ahead.

        Raises:
            InvalidInputError: No such token, or one of another method.
        """
        self._setups.finish(setup_id, token, expires_on)

    def fail_setup(self, setup_id: str, code: str = "authentication_failed") -> None:
        """The customer's bank does not let the source be saved."""
        self._setups.fail(setup_id, code)

    def revoke_source(self, token: str) -> None:
        """The customer revokes a mandate at their bank; see ``forget_source`` for plain tokens."""
        self._setups.revoke(token)

    def refund_elsewhere(self, payment_id: str, amount_minor: int) -> Refunded | RefundRefused:
        """Somebody refunds from the dashboard: once more at every call."""
        return self._refunds.refund_elsewhere(payment_id, amount_minor)

    def fail_refund(self, refund_id: str) -> None:
        """The customer's bank sends a refund back."""
        self._refunds.fail(refund_id)

    def dispute(self, payment_id: str) -> str:
        """The customer disputes a captured payment, whole; the dispute's id."""
        charge = self._payments.collected(payment_id)
        if charge is None:
            raise NotFoundError(f"the sandbox has captured no payment {payment_id}")
        dispute_id = f"{payment_id}{DISPUTE_SUFFIX}"
        document: Document = {
            "kind": GatewayEventKind.DISPUTED,
            "dispute": dispute_id,
            "amount_minor": charge.amount_minor,
            "reason": "fraudulent",
            "at": self._clock.now().isoformat(),
        }
        self._book.put_if_absent(named(DISPUTE, payment_id), document)
        return dispute_id

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        """The bank decides."""
        payment_id = dispute_id.removesuffix(DISPUTE_SUFFIX)
        if self._book.get(named(DISPUTE, payment_id)) is None:
            raise NotFoundError(f"the sandbox knows no dispute {dispute_id}")
        kind = GatewayEventKind.DISPUTE_WON if won else GatewayEventKind.DISPUTE_LOST
        document = {"kind": kind, "at": self._clock.now().isoformat()}
        self._book.put_if_absent(named(DISPUTE_END, payment_id), document)

    def captured(self) -> list[SandboxCharge]:
        """Everything it has collected, by payment id, with what of it was given back.

        The other side of every comparison.
        """
        self._payments.settle()
        return collected(self._book.documents())

    def events(self) -> list[GatewayEvent]:
        """Everything it has to tell so far, by when it happened."""
        self._payments.settle()
        return told(self._book.documents())
