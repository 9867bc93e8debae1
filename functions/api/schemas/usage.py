"""Calls and messages, in the order in which they were posted."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Bound, Id, Instant, MoneyOut, PageQuery, Schema, UnitName
from billing.domain.usage import Call

Country = Annotated[
    str, Field(pattern="^[A-Z]{2}$", description="ISO 3166, such as GB; ZZ: of no country.")
]


class UsageQuery(PageQuery):
    """What was posted from, and not including to; every filter must hold."""

    from_: Annotated[Bound | None, Field(alias="from")] = None
    to: Bound | None = None
    unit: UnitName | None = None
    direction: Literal["inbound", "outbound"] | None = None
    status: Literal["completed", "busy", "no_answer", "canceled", "failed"] | None = None
    connection: Id | None = None
    destination: str | None = Field(
        None,
        # A plus in a query is a blank to those who decode it.
        pattern="^[+ ]?[0-9]{1,15}$",
        description="What the called number begins with, such as +4420.",
    )
    country: Country | None = None


class CallOut(Schema):
    """One call or message: what was used, what it cost, who paid.

    Quantities count the unit: seconds, messages, or pieces of another unit. What grants paid for is
    counted in billed quantity; ``wallet`` is the part of the cost that the wallet paid. A corrected
    call is listed where it was first posted (``sequence``, ``posted_at``), with everything else as
    its latest correction left it; ``revision`` counts its corrections.
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
    revision: int
    corrected_by: str | None
    corrected_at: Instant | None

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
                "sequence": call.first_sequence,
                "posted_at": call.first_posted_at,
                "revision": call.revision,
                "corrected_by": call.corrected.source.value if call.corrected else None,
                "corrected_at": call.posted_at if call.corrected else None,
            }
        )
