"""The sandbox's refunds: one numbered list for each payment.

Whoever writes the next number decides, knowing everything before it. That one conditional write is
what keeps refunds under different keys from giving back more than was paid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.adapters.gateways.sandbox_payments import SandboxPayments, bind
from billing.adapters.gateways.sandbox_records import (
    REFUND,
    REFUND_REQUEST,
    RefundLine,
    RefundStanding,
    SandboxBook,
    derived_id,
    named,
)
from billing.domain.canonical import Json
from billing.domain.errors import NotFoundError
from billing.ports import Clock, Refunded, RefundRefused, RefundRequest


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one line is to give back; what it names may be refused."""

    payment_id: str
    amount_minor: int
    currency: str | None = None
    idempotency_key: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class SandboxRefunds:
    """Gives back, once per key, and in all never more than was captured."""

    def __init__(self, book: SandboxBook, clock: Clock, payments: SandboxPayments) -> None:
        self._book = book
        self._clock = clock
        self._payments = payments

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        key = request.idempotency_key
        name = named(REFUND_REQUEST, derived_id("key", key))
        bind(self._book, name, key, _parameters(request))
        wish = _Wish(
            request.payment_id, request.amount_minor, request.currency, key, request.metadata
        )
        while True:
            lines = self.lines(request.payment_id)
            if found := _of_key(lines, key):
                return _answer(lines, found) or RefundRefused("key_closed")
            self._write(request.payment_id, lines, self._decide(wish, lines))

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        while True:
            lines = self.lines(request.payment_id)
            if found := _of_key(lines, request.idempotency_key):
                return _answer(lines, found)
            closed = RefundLine(
                RefundStanding.CLOSED,
                "",
                request.idempotency_key,
                0,
                total_of(lines),
                self._clock.now(),
                {},
            )
            self._write(request.payment_id, lines, closed)

    def refund_elsewhere(self, payment_id: str, amount_minor: int) -> Refunded | RefundRefused:
        wish = _Wish(payment_id, amount_minor)
        while True:
            lines = self.lines(payment_id)
            line = self._decide(wish, lines)
            if line.standing is RefundStanding.REFUSED:
                return RefundRefused(line.code)
            if self._write(payment_id, lines, line):
                return Refunded(line.refund_id)

    def fail(self, refund_id: str) -> None:
        payment_id = refund_id.rpartition("_r")[0]
        while True:
            lines = self.lines(payment_id)
            of_it = {line.standing: line for line in lines if line.refund_id == refund_id}
            if RefundStanding.REFUNDED not in of_it:
                raise NotFoundError(f"the sandbox knows no refund {refund_id}")
            if RefundStanding.FAILED in of_it:
                return
            line = of_it[RefundStanding.REFUNDED]
            failed = RefundLine(
                RefundStanding.FAILED,
                refund_id,
                "",
                line.amount_minor,
                total_of(lines) - line.amount_minor,
                self._clock.now(),
                line.metadata,
                "refund_failed",
            )
            self._write(payment_id, lines, failed)

    def lines(self, payment_id: str) -> list[RefundLine]:
        """A payment's refunds so far, in order."""
        lines: list[RefundLine] = []
        while found := self._book.get(named(REFUND, payment_id, len(lines) + 1)):
            lines.append(RefundLine.from_document(found))
        return lines

    def _write(self, payment_id: str, lines: list[RefundLine], line: RefundLine) -> bool:
        """Whether the next number was still free. If not, everything is decided anew."""
        name = named(REFUND, payment_id, len(lines) + 1)
        return self._book.put_if_absent(name, line.to_document()) is None

    def _decide(self, wish: _Wish, lines: list[RefundLine]) -> RefundLine:
        code = self._refusal(wish, lines)
        return RefundLine(
            standing=RefundStanding.REFUSED if code else RefundStanding.REFUNDED,
            refund_id="" if code else f"{wish.payment_id}_r{len(lines) + 1}",
            idempotency_key=wish.idempotency_key,
            amount_minor=wish.amount_minor,
            total_minor=total_of(lines) + (0 if code else wish.amount_minor),
            at=self._clock.now(),
            metadata=dict(wish.metadata),
            code=code,
        )

    def _refusal(self, wish: _Wish, lines: list[RefundLine]) -> str:
        charge = self._payments.collected(wish.payment_id)
        if charge is None:
            return "unknown_payment"
        if wish.amount_minor <= 0:
            return "invalid_amount"
        if wish.currency not in (None, charge.currency):
            return "invalid_currency"
        if wish.amount_minor > charge.amount_minor - total_of(lines):
            return "exceeds_payment"
        return ""


def total_of(lines: list[RefundLine]) -> int:
    """What is given back, in minor units."""
    return lines[-1].total_minor if lines else 0


def _of_key(lines: list[RefundLine], key: str) -> RefundLine | None:
    return next((line for line in lines if line.idempotency_key == key), None)


def _answer(lines: list[RefundLine], line: RefundLine) -> Refunded | RefundRefused | None:
    if line.standing is RefundStanding.CLOSED:
        return None
    if line.standing is RefundStanding.REFUSED:
        return RefundRefused(line.code)
    for later in lines:
        if later.standing is RefundStanding.FAILED and later.refund_id == line.refund_id:
            return RefundRefused(later.code)
    return Refunded(line.refund_id)


def _parameters(request: RefundRequest) -> Json:
    return [request.payment_id, request.amount_minor, request.currency, dict(request.metadata)]
