"""Orders: a quote, placed."""

from typing import Literal

from api.schemas.base import Acceptance, Id, Instant, MoneyOut, Schema
from api.schemas.lines import LineOut, sums_shown
from api.schemas.quotes import WantOut
from billing.domain.orders import Order


class OrderPayWith(Schema):
    """Who pays, one of: the ``wallet``; a saved ``source``; or ``upi``, once, approved in an app.
    Left out where nothing is due."""

    wallet: Literal[True] | None = None
    source: Id | None = None
    method: Literal["upi"] | None = None


class OrderIn(Schema):
    """Place exactly what was quoted."""

    quote_id: Id
    pay_with: OrderPayWith | None = None
    acceptance: Acceptance | None = None


class OrderOut(Schema):
    """One order; only a delivered one has changed anything. ``recharge`` is the payment that pays
    for it, where the wallet does not; ``invoice`` its number, where anything was charged."""

    order: str
    quote_id: str
    state: Literal["pending", "delivered", "failed"]
    wants: list[WantOut]
    lines: list[LineOut]
    subtotal: MoneyOut
    up_front_fees: MoneyOut
    tax: MoneyOut
    total: MoneyOut
    recharge: int | None
    invoice: int | None
    failure_code: str | None
    failure_detail: str | None
    placed_at: Instant
    settled_at: Instant | None

    @staticmethod
    def of(order: Order) -> "OrderOut":
        quote = order.quote
        currency = quote.currency
        return OrderOut(
            order=order.order_id,
            quote_id=quote.quote_id,
            state=order.state.value,
            wants=WantOut.each(quote.wants),
            lines=LineOut.each(quote.lines, currency),
            **sums_shown(quote.sums, currency),
            up_front_fees=MoneyOut.of(quote.up_front_micros, currency),
            recharge=order.recharge,
            invoice=order.invoice,
            failure_code=order.failure_code,
            failure_detail=order.failure_detail or None,
            placed_at=order.placed_at,
            settled_at=order.settled_at,
        )
