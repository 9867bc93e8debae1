"""The sandbox's payments: bound to a key, decided once, and for slow ones ended once.

Each key is bound to its parameters first, and each decision is written once: of any number of
calls at once, one decides and the others answer the same.
"""

from collections.abc import Callable
from datetime import datetime

from billing.adapters.gateways.sandbox_behaviour import (
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    behaviour_of,
    decide,
    declined_by_customer,
    ended,
    is_own,
)
from billing.adapters.gateways.sandbox_records import (
    END,
    GONE,
    OUTCOME,
    REQUEST,
    Decision,
    Document,
    SandboxBook,
    SandboxCharge,
    Standing,
    kind_of,
    named,
    payment_id_of,
    subject_of,
)
from billing.domain.canonical import Json, digest
from billing.domain.errors import GatewayKeyReusedError, NotFoundError, PaymentUnknownError
from billing.domain.payments import NextAction
from billing.ports import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Clock,
    Declined,
    Outcome,
    Processing,
)


class SandboxPayments:
    """Charges, and what their customers do about them."""

    def __init__(self, book: SandboxBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def charge(self, request: ChargeRequest) -> Outcome:
        key = request.idempotency_key
        payment_id = payment_id_of(key)
        is_first = bind(self._book, named(REQUEST, payment_id), key, _parameters(request))
        behaviour = behaviour_of(request.source_token)
        if is_first and behaviour == TIMES_OUT_WITHOUT_CHARGING:
            raise PaymentUnknownError("the sandbox gateway timed out")
        first = decide(request, self._clock.now(), is_gone=self._is_gone(request.source_token))
        kept = self._decide(named(OUTCOME, payment_id), first)
        if is_first and behaviour == TIMES_OUT_AFTER_CHARGING:
            raise PaymentUnknownError("the sandbox gateway timed out")
        return _answer(self._as_it_stands(payment_id, kept)) or Declined("key_closed")

    def find(self, request: ChargeRequest) -> Outcome | None:
        payment_id = payment_id_of(request.idempotency_key)
        name = named(OUTCOME, payment_id)
        found = self._book.get(name)
        if found is None:
            first = self._decide(name, Decision(Standing.CLOSED, self._clock.now()))
        else:
            first = Decision.from_document(found)
        return _answer(self._as_it_stands(payment_id, first))

    def cancel(self, request: ChargeRequest) -> Outcome:
        payment_id = payment_id_of(request.idempotency_key)
        # A charge still on its way must not follow: what was never seen is closed by looking.
        if self.find(request) is None:
            return Declined("key_closed")
        self._end(payment_id, lambda first, at: declined_by_customer(first, "canceled", at))
        return _answer(self.standing(payment_id)) or Declined("key_closed")

    def approve(self, payment_id: str) -> None:
        self._end(payment_id, lambda first, at: Decision(Standing.CAPTURED, at, first.charge))

    def turn_down(self, payment_id: str) -> None:
        self._end(payment_id, lambda first, at: declined_by_customer(first, "turned_down", at))

    def standing(self, payment_id: str) -> Decision:
        """How a payment stands now.

        Raises:
            NotFoundError: The sandbox knows no such payment.
        """
        found = self._book.get(named(OUTCOME, payment_id))
        if found is None:
            raise NotFoundError(f"the sandbox knows no payment {payment_id}")
        return self._as_it_stands(payment_id, Decision.from_document(found))

    def collected(self, payment_id: str) -> SandboxCharge | None:
        """A payment that is captured by now."""
        try:
            standing = self.standing(payment_id)
        except NotFoundError:
            return None
        return standing.charge if standing.standing is Standing.CAPTURED else None

    def settle(self) -> None:
        """Write down what has happened by itself until now."""
        for name, document in self._book.documents().items():
            if kind_of(name) == OUTCOME and document["due_at"]:
                self._as_it_stands(subject_of(name), Decision.from_document(document))

    def _as_it_stands(self, payment_id: str, first: Decision) -> Decision:
        if first.due_at is None:
            return first
        name = named(END, payment_id)
        if end := self._book.get(name):
            return Decision.from_document(end)
        if self._clock.now() < first.due_at:
            return first
        return self._decide(name, ended(first, first.due_at))

    def _end(self, payment_id: str, end: Callable[[Decision, datetime], Decision]) -> None:
        """End what waits for its customer. What is ended already, or not theirs, stays as it is."""
        standing = self.standing(payment_id)
        if standing.standing is Standing.WAITING:
            self._decide(named(END, payment_id), end(standing, self._clock.now()))

    def _decide(self, name: str, decision: Decision) -> Decision:
        taken = self._book.put_if_absent(name, decision.to_document())
        return decision if taken is None else Decision.from_document(taken)

    def _is_gone(self, source_token: str | None) -> bool:
        if source_token is None or not is_own(source_token):
            return False
        return self._book.get(named(GONE, source_token)) is not None


def bind(
    book: SandboxBook, name: str, key: str, parameters: Json, kept: Document | None = None
) -> bool:
    """Bind a key to its parameters; whether this was the first time.

    Args:
        kept: What else the document says, without being part of what the key stands for.

    Raises:
        GatewayKeyReusedError: It was bound to others.
    """
    parameters_hash = digest(parameters)
    bound = book.put_if_absent(name, {**(kept or {}), "parameters_hash": parameters_hash})
    if bound is not None and bound["parameters_hash"] != parameters_hash:
        raise GatewayKeyReusedError(f"idempotency key {key} was used with other parameters")
    return bound is None


def _parameters(request: ChargeRequest) -> Json:
    return [
        request.amount_minor,
        request.currency,
        request.source_token,
        dict(request.metadata),
        request.customer_token,
        request.method,
    ]


def _answer(decision: Decision) -> Outcome | None:
    if decision.standing is Standing.DECLINED:
        return Declined(decision.code, decision.group)
    if decision.charge is None:
        return None
    payment_id = decision.charge.payment_id
    if decision.due_at is None:
        return Captured(payment_id)
    if decision.standing is Standing.PROCESSING:
        return Processing(payment_id, decision.due_at)
    return ActionNeeded(payment_id, _intent(decision.charge), decision.due_at)


def _intent(charge: SandboxCharge) -> NextAction:
    rupees, paise = divmod(charge.amount_minor, 100)
    link = (
        f"upi://pay?pa=talktime@sandbox&pn=Talktime&tr={charge.payment_id}"
        f"&am={rupees}.{paise:02}&cu={charge.currency}"
    )
    return NextAction("upi", link, qr=link)
