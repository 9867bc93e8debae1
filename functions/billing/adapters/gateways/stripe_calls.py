"""The calls this system makes to Stripe; the only module that loads its library.

Answers are plain JSON: the library's objects are not dictionaries.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import stripe
from stripe import HTTPClient, RequestsClient, StripeClient, StripeObject

from billing.adapters.gateways.stripe_objects import Fields, StripeRefusedError
from billing.domain.errors import GatewayKeyReusedError, PaymentUnknownError

TIMEOUT_SECONDS = (2, 10)
"""To connect, and to answer. A call, its retries and pauses end within a worker's minute."""

RETRIES = 2
"""Of one call, under one idempotency key: after a time-out, a conflict, or a fault of Stripe's."""

PAGE_SIZE = 100
"""The most that Stripe lists at a time."""

OTHER_MODE = "a similar object exists in"
"""What Stripe says of a source when a test key is used for live ones, or the other way about. The
mistake is the operator's: no customer must be asked for another card."""

Params = Mapping[str, Any]


class StripeCalls:
    """Stripe's answers, and only three ways to fail.

    Every method raises, in order of precedence:
        GatewayKeyReusedError: The key came before with other parameters; nothing was done.
        StripeRefusedError: Stripe's own word that it will not.
        PaymentUnknownError: No answer; one that the key, its permissions or Stripe's state caused
            rather than the request; or one that cannot be read.
    """

    def __init__(
        self,
        secret: str,
        base_address: str | None = None,
        http_client: HTTPClient | None = None,
    ) -> None:
        # It would write a file beneath the home directory and describe this machine in each call.
        stripe.enable_telemetry = False
        client = StripeClient(
            secret,
            max_network_retries=RETRIES,
            base_addresses={"api": base_address} if base_address else None,
            http_client=http_client or RequestsClient(timeout=TIMEOUT_SECONDS),
        )
        self._v1 = client.v1

    def create_payment_intent(self, params: Params, idempotency_key: str) -> Fields:
        return _asked(
            lambda: self._v1.payment_intents.create(
                cast(Any, params), {"idempotency_key": idempotency_key}
            )
        )

    def retrieve_payment_intent(self, payment_id: str) -> Fields:
        return _asked(lambda: self._v1.payment_intents.retrieve(payment_id))

    def cancel_payment_intent(self, payment_id: str) -> Fields:
        return _asked(lambda: self._v1.payment_intents.cancel(payment_id))

    def annotate_payment_intent(
        self, payment_id: str, metadata: Mapping[str, str], idempotency_key: str
    ) -> Fields:
        return _asked(
            lambda: self._v1.payment_intents.update(
                payment_id, {"metadata": dict(metadata)}, {"idempotency_key": idempotency_key}
            )
        )

    def payment_intents(self, params: Params) -> Iterator[Fields]:
        """All that match, newest first, page by page."""
        with _translated():
            listed = self._v1.payment_intents.list(cast(Any, {**params, "limit": PAGE_SIZE}))
            for intent in listed.auto_paging_iter():
                yield intent.to_dict()

    def create_refund(self, params: Params, idempotency_key: str) -> Fields:
        return _asked(
            lambda: self._v1.refunds.create(cast(Any, params), {"idempotency_key": idempotency_key})
        )

    def refunds(self, payment_id: str) -> Iterator[Fields]:
        """All of a payment, newest first, page by page."""
        with _translated():
            listed = self._v1.refunds.list({"payment_intent": payment_id, "limit": PAGE_SIZE})
            for refund in listed.auto_paging_iter():
                yield refund.to_dict()

    def create_customer(self, params: Params, idempotency_key: str) -> Fields:
        return _asked(
            lambda: self._v1.customers.create(
                cast(Any, params), {"idempotency_key": idempotency_key}
            )
        )

    def create_setup_intent(self, params: Params, idempotency_key: str) -> Fields:
        return _asked(
            lambda: self._v1.setup_intents.create(
                cast(Any, params), {"idempotency_key": idempotency_key}
            )
        )

    def retrieve_setup_intent(self, setup_id: str) -> Fields:
        return _asked(
            lambda: self._v1.setup_intents.retrieve(setup_id, {"expand": ["payment_method"]})
        )

    def detach_payment_method(self, token: str) -> Fields:
        return _asked(lambda: self._v1.payment_methods.detach(token))


def _asked(call: Callable[[], StripeObject]) -> Fields:
    with _translated():
        return call().to_dict()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except stripe.IdempotencyError as error:
        raise GatewayKeyReusedError("Stripe saw this key with other parameters") from error
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        if OTHER_MODE in (error.user_message or ""):
            raise PaymentUnknownError("the key is of Stripe's other mode") from error
        raise StripeRefusedError(error.error.to_dict() if error.error else {}) from error
    except stripe.StripeError as error:
        raise PaymentUnknownError(f"Stripe did not say: {type(error).__name__}") from error
