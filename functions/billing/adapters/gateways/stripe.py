"""Stripe: cards, and UPI in India.

A payment is a PaymentIntent, made and confirmed in one call. Whatever did not succeed is called off
before it is said to be declined, so that nobody can pay it after all.

Sources:
    https://docs.stripe.com/api/payment_intents, https://docs.stripe.com/payments/upi
    https://docs.stripe.com/api/idempotent_requests
    stripe-python 16.1, API 2026-10-28.endive
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing.adapters.gateways import stripe_requests
from billing.adapters.gateways.stripe_declines import declined
from billing.adapters.gateways.stripe_objects import (
    CLOSED_FIELD,
    Fields,
    StripeRefusedError,
    identifier,
    is_closed,
    key,
    part,
    text,
)
from billing.adapters.gateways.stripe_outcomes import (
    action_needed,
    decline,
    refunded,
    refusal_code,
    settled,
)
from billing.adapters.gateways.stripe_setups import find_setup
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    GatewayKeyReusedError,
    InvalidInputError,
    PaymentUnknownError,
)
from billing.domain.payments import PaymentMethod
from billing.ports import (
    Captured,
    ChargeRequest,
    Declined,
    Outcome,
    Refunded,
    RefundRefused,
    RefundRequest,
    Setup,
    SetupFailed,
    SetupRequest,
    SourceSaved,
)

if TYPE_CHECKING:
    from stripe import HTTPClient

    from billing.adapters.gateways.stripe_calls import StripeCalls

NAME = "stripe"

KEY_CLOSED = "key_closed"
"""Why nothing happens under a key that was looked up before anything had."""


class StripeGateway:
    """One account at Stripe.

    Stripe's library takes a seventh of a second to load: that waits until Stripe is first asked for
    something.

    Args:
        secret: Reads the restricted key, which people change. It raises PaymentUnknownError where
            there is none.
        base_address: Where Stripe is; None: at its own address.
        http_client: The library's way to the network; None: its usual one, with short time-outs.
    """

    name = NAME

    def __init__(
        self,
        secret: Callable[[], str],
        *,
        base_address: str | None = None,
        http_client: "HTTPClient | None" = None,
    ) -> None:
        self._secret = secret
        self._base_address = base_address
        self._http_client = http_client
        self._made: tuple[str, StripeCalls] | None = None

    @property
    def _calls(self) -> "StripeCalls":
        secret = self._secret()
        if self._made is None or self._made[0] != secret:
            from billing.adapters.gateways.stripe_calls import StripeCalls

            self._made = secret, StripeCalls(secret, self._base_address, self._http_client)
        return self._made[1]

    def charge(self, request: ChargeRequest) -> Outcome:
        """Collect once per idempotency key.

        Raises:
            InvalidInputError: Stripe takes no such amount of this currency. Nothing was asked.
            GatewayKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: Stripe did not say.
        """
        if request.source_token is None and request.method is not PaymentMethod.UPI:
            return Declined("invalid_source", DeclineGroup.NEW_SOURCE)
        params = stripe_requests.charge(request)
        with _understood():
            try:
                intent = self._calls.create_payment_intent(params, request.idempotency_key)
            except StripeRefusedError as refusal:
                return self._refused(request, refusal)
            except GatewayKeyReusedError:
                if self._is_closed(request):
                    return Declined(KEY_CLOSED)
                raise
            payment_id = identifier(intent, "id")
            if text(intent, "status") == "succeeded":
                return Captured(payment_id)
            # To a repeated key Stripe answers what it did the first time, however long ago.
            return self._standing(request, self._payment(payment_id))

    def find(self, request: ChargeRequest, payment_id: str | None = None) -> Outcome | None:
        """What became of a request, for as long as Stripe remembers payments.

        Stripe lists no payment that a request still on its way will make. Where there is none, one
        that is never confirmed is made under the same key and called off: whatever arrives later
        finds the key taken.
        """
        with _understood():
            if payment_id is not None:
                intent = self._payment(payment_id)
                if key(intent) == request.idempotency_key:
                    return self._standing(request, intent)
            found = self._find_payment(request)
            if found is None:
                found = self._close(request)
            return None if found is None or is_closed(found) else self._standing(request, found)

    def cancel(self, request: ChargeRequest, payment_id: str) -> Outcome:
        with _understood():
            return self._call_off(request, payment_id)

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        """Give back once per idempotency key.

        Raises:
            InvalidInputError: Stripe takes no such amount of this currency. Nothing was asked.
            GatewayKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: Stripe did not say.
        """
        params = stripe_requests.refund(request)
        with _understood():
            try:
                return refunded(self._calls.create_refund(params, request.idempotency_key))
            except StripeRefusedError as refusal:
                return RefundRefused(refusal_code(refusal))
            except GatewayKeyReusedError:
                metadata = part(self._payment(request.payment_id), "metadata")
                if text(metadata, _closed_refund_field(request)):
                    return RefundRefused(KEY_CLOSED)
                raise

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        """What became of a request.

        Where there is no refund, a note is made on its payment under the same key: whatever arrives
        later finds the key taken.
        """
        with _understood():
            refund = self._find_refund(request)
            if refund is None:
                note = {_closed_refund_field(request): "1"}
                try:
                    self._calls.annotate_payment_intent(
                        request.payment_id, note, request.idempotency_key
                    )
                except GatewayKeyReusedError:
                    refund = self._find_refund(request)
                except StripeRefusedError:
                    return None  # There is no such payment.
            return None if refund is None else refunded(refund)

    def begin_setup(self, request: SetupRequest) -> Setup:
        """Begin to save a card or mandate.

        Raises:
            InvalidInputError: Stripe will not, such as for a limit or a customer it does not know.
            GatewayKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: Stripe did not say.
        """
        try:
            customer_token = request.customer_token or self._new_customer(request)
            params = stripe_requests.setup(request, customer_token)
            setup = self._calls.create_setup_intent(params, request.idempotency_key)
        except StripeRefusedError as refusal:
            raise InvalidInputError(f"Stripe will not: {refusal}", field="method") from refusal
        with _understood():
            client_secret = identifier(setup, "client_secret")
            return Setup(identifier(setup, "id"), client_secret, customer_token)

    def find_setup(self, setup_id: str) -> SourceSaved | SetupFailed | None:
        with _understood():
            return find_setup(self._known(lambda: self._calls.retrieve_setup_intent(setup_id)))

    def forget_source(self, token: str) -> None:
        try:
            self._calls.detach_payment_method(token)
        except StripeRefusedError:
            return  # It is unknown, or was let go of before.

    def _new_customer(self, request: SetupRequest) -> str:
        own_key = f"{request.idempotency_key}/customer"
        customer = self._calls.create_customer(stripe_requests.customer(request), own_key)
        with _understood():
            return identifier(customer, "id")

    def _refused(self, request: ChargeRequest, refusal: StripeRefusedError) -> Outcome:
        """A refusal is final once the payment it leaves behind, if any, is called off."""
        intent = part(refusal.error, "payment_intent")
        if intent:
            outcome = self._call_off(request, identifier(intent, "id"))
            if not isinstance(outcome, Declined):
                return outcome
        return declined(refusal.error)

    def _standing(self, request: ChargeRequest, intent: Fields) -> Outcome:
        """How a payment stands; one that only waits, and not for its customer, is called off."""
        if text(intent, "status") == "requires_action" and request.source_token is None:
            return action_needed(request, intent)
        outcome = settled(request, intent)
        if outcome is not None:
            return outcome
        outcome = self._call_off(request, identifier(intent, "id"))
        return decline(intent) if isinstance(outcome, Declined) else outcome

    def _call_off(self, request: ChargeRequest, payment_id: str) -> Outcome:
        try:
            intent = self._calls.cancel_payment_intent(payment_id)
        except StripeRefusedError:
            # It was called off before, or can no longer be.
            intent = self._payment(payment_id)
        outcome = settled(request, intent)
        if outcome is None:
            raise PaymentUnknownError("Stripe neither collects the payment nor calls it off")
        return outcome

    def _payment(self, payment_id: str) -> Fields:
        return self._known(lambda: self._calls.retrieve_payment_intent(payment_id))

    def _known(self, retrieve: Callable[[], Fields]) -> Fields:
        """Something whose id Stripe told us: that it is not there says nothing of the payment."""
        try:
            return retrieve()
        except StripeRefusedError as refusal:
            raise PaymentUnknownError("Stripe does not know its own id") from refusal

    def _find_payment(self, request: ChargeRequest) -> Fields | None:
        listed = self._calls.payment_intents(stripe_requests.look_up(request))
        try:
            return _under(request.idempotency_key, listed)
        except StripeRefusedError as refusal:
            raise PaymentUnknownError("Stripe lists no payments") from refusal

    def _find_refund(self, request: RefundRequest) -> Fields | None:
        try:
            return _under(request.idempotency_key, self._calls.refunds(request.payment_id))
        except StripeRefusedError:
            return None  # There is no such payment.

    def _close(self, request: ChargeRequest) -> Fields | None:
        """Take the key; what was made under it meanwhile, or nothing."""
        try:
            params = stripe_requests.closing(request)
            intent = self._calls.create_payment_intent(params, request.idempotency_key)
        except GatewayKeyReusedError:
            # The request has arrived: with a payment, or with a fault of Stripe's and without one.
            return self._find_payment(request)
        except (StripeRefusedError, InvalidInputError):
            return None  # Neither will Stripe take the request itself.
        try:
            return self._calls.cancel_payment_intent(identifier(intent, "id"))
        except StripeRefusedError:
            return intent  # Somebody else has looked, and called it off.

    def _is_closed(self, request: ChargeRequest) -> bool:
        intent = self._find_payment(request)
        return intent is not None and is_closed(intent)


def _under(idempotency_key: str, listed: Iterator[Fields]) -> Fields | None:
    return next((fields for fields in listed if key(fields) == idempotency_key), None)


def _closed_refund_field(request: RefundRequest) -> str:
    # A name in metadata has at most 40 characters; a payment may have several refunds.
    name = hashlib.sha256(request.idempotency_key.encode()).hexdigest()[:16]
    return f"{CLOSED_FIELD}_{name}"


@contextmanager
def _understood() -> Iterator[None]:
    """An answer that cannot be read is none."""
    try:
        yield
    except InvalidInputError as error:
        raise PaymentUnknownError("Stripe's answer cannot be read") from error
