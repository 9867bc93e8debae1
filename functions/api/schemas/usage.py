"""Calls and messages, in the order in which they were posted."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Bound, Instant, MoneyOut, PageQuery, Schema
from billing.domain.usage import Call


class UsageQuery(PageQuery):
    """What was posted from, and not including to."""

    from_: Annotated[Bound | None, Field(alias="from")] = None
    to: Bound | None = None


class CallOut(Schema):
    """One call or message: what was used, what it cost, who paid.

    Quantities count the unit: seconds or messages. What grants paid for is counted in billed
    quantity; ``wallet`` is the part of the cost that the wallet paid.
    """

    provider: str
    provider_account: str
    call_id: str
    unit: str
    direction: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    status: str
    answered_at: Instant | None
    ended_at: Instant
    quantity: int
    billed_quantity: int
    granted_quantity: int
    cost: MoneyOut
    wallet: MoneyOut
    rate_deck: str | None
    rate_deck_version: int | None
    prefix: str | None
    sequence: int
    posted_at: Instant

    @staticmethod
    def of(call: Call, currency: str) -> "CallOut":
        event = call.event
        return CallOut.model_validate(
            {
                "provider": event.key.provider,
                "provider_account": event.key.provider_account,
                "call_id": event.key.call_id,
                "unit": event.unit.value,
                "direction": event.direction.value,
                "from": event.from_number,
                "to": event.to_number,
                "status": event.status.value,
                "answered_at": event.answered_at,
                "ended_at": event.ended_at,
                "quantity": event.quantity,
                "billed_quantity": call.billed_quantity,
                "granted_quantity": sum(quantity for _, quantity in call.granted),
                "cost": MoneyOut.of(call.cost_micros, currency),
                "wallet": MoneyOut.of(call.wallet_micros, currency),
                "rate_deck": call.deck_id or None,
                "rate_deck_version": call.deck_version or None,
                "prefix": call.prefix if call.deck_id else None,
                "sequence": call.sequence,
                "posted_at": call.posted_at,
            }
        )
