"""Phone numbers, as they are shown and changed."""

from typing import Literal

from api.schemas.base import Acceptance, Instant, MoneyOut, Schema
from api.schemas.orders import OrderPayWith
from billing.domain.numbers import PhoneNumber
from billing.services.list_numbers import PricedNumber

State = Literal["pending", "active", "on_hold", "released", "failed"]


class NumberOut(Schema):
    """One number. ``price`` is what its next renewal costs, without tax; ``release_at`` is when one
    that is on hold is lost, unless it is paid for by then."""

    number: str
    type: str
    capabilities: list[str]
    state: State
    auto_pay: bool
    leaving: bool
    price: MoneyOut
    ordered_at: Instant
    paid_until: Instant | None
    hold_reason: Literal["auto_pay_off", "payment_failed"] | None
    release_at: Instant | None
    ended_at: Instant | None

    @staticmethod
    def of(priced: PricedNumber) -> "NumberOut":
        number: PhoneNumber = priced.number
        reason = number.hold_reason
        return NumberOut(
            number=number.e164,
            type=number.type_id,
            capabilities=list(number.capabilities),
            state=number.state.value,
            auto_pay=number.is_auto_pay,
            leaving=number.is_leaving,
            price=MoneyOut.of(priced.price_micros, priced.currency),
            ordered_at=number.ordered_at,
            paid_until=number.paid_until,
            hold_reason=reason.value if reason else None,
            release_at=number.release_at,
            ended_at=number.ended_at,
        )


class NumberPatch(Schema):
    """What is changed of a number; what is left out stays. ``leaving`` false keeps one that was let
    go of and still works."""

    auto_pay: bool | None = None
    leaving: Literal[False] | None = None
    acceptance: Acceptance | None = None


class NumberPayIn(Schema):
    """Who pays for a number that is on hold."""

    pay_with: OrderPayWith
    acceptance: Acceptance | None = None


class NumberReleaseIn(Schema):
    """Let go of a number."""

    acceptance: Acceptance | None = None
