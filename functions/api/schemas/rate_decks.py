"""Rate decks: versions, and what something would cost."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import (
    E164,
    Currency,
    Flag,
    Instant,
    MoneyOut,
    Query,
    Schema,
    UnitName,
    Whole,
)
from billing.domain.rating import Rated, Rounding
from billing.domain.units import Direction, Unit
from billing.domain.usage import MAX_QUANTITY
from billing.ports import DeckVersion

Quantity = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]


class DeckUpload(Query):
    """How the prices of an uploaded deck become money, and from when.

    With ``activate=false`` it is a draft, which prices nothing until it is activated.
    """

    currency: Currency
    effective_at: Instant | None = None
    activate: Flag = True
    rounding: Annotated[Rounding, Field(strict=False)] = Rounding.UP
    decimals: Annotated[Whole, Field(ge=0, le=6)] = 6


class DeckVersionOut(Schema):
    """One version. A draft has no date from which it takes effect."""

    deck: str
    version: int
    draft: bool
    currency: str
    effective_at: Instant | None
    rounding: str
    decimals: int
    digest: str
    rates: int
    uploaded_at: Instant

    @staticmethod
    def of(version: DeckVersion) -> "DeckVersionOut":
        return DeckVersionOut(
            deck=version.deck_id,
            version=version.version,
            draft=version.is_draft,
            currency=version.currency,
            effective_at=None if version.is_draft else version.effective_at,
            rounding=version.rounding,
            decimals=version.decimals,
            digest=version.digest,
            rates=version.rates,
            uploaded_at=version.uploaded_at,
        )


class DeckOut(Schema):
    """A deck: the version in force, if one is yet, and the newest."""

    deck: str
    current: DeckVersionOut | None
    latest: DeckVersionOut


class UsageQuoteIn(Schema):
    """What to price: a call's duration, a number of messages, or a quantity of another unit.

    A quantity names its unit; what is neither a call nor a message may go to no number.
    """

    to: E164 | None = None
    direction: Direction = Direction.OUTBOUND
    unit: UnitName | None = None
    duration_seconds: Quantity | None = None
    messages: Quantity | None = None
    quantity: Quantity | None = None
    answered_at: Instant | None = None


class QuoteLine(Schema):
    """One step of the arithmetic, with as many decimals as it takes; all add up to the total."""

    kind: str
    label: str
    quantity: int
    amount: MoneyOut


class UsageQuoteOut(Schema):
    """What it would cost; exactly one of the three billed quantities is there."""

    deck: str
    version: int
    to: str
    direction: str
    unit: str
    answered_at: Instant
    prefix: str
    destination: str
    billed_seconds: int | None = None
    billed_messages: int | None = None
    billed_quantity: int | None = None
    lines: list[QuoteLine]
    total: MoneyOut

    @staticmethod
    def of(
        asked: UsageQuoteIn, rated: Rated, answered_at: Instant, currency: str
    ) -> "UsageQuoteOut":
        names = {Unit.VOICE_SECONDS: "billed_seconds", Unit.MESSAGES: "billed_messages"}
        billed = {names.get(rated.unit, "billed_quantity"): rated.billed_quantity}
        return UsageQuoteOut(
            deck=rated.deck_id,
            version=rated.deck_version,
            to=asked.to or "",
            direction=asked.direction.value,
            unit=rated.unit.value,
            answered_at=answered_at,
            prefix=rated.rate.prefix,
            destination=rated.rate.destination,
            **billed,
            lines=[
                QuoteLine(
                    kind=line.kind.value,
                    label=line.label,
                    quantity=line.quantity,
                    amount=MoneyOut(amount=line.amount, currency=currency),
                )
                for line in rated.lines
            ],
            total=MoneyOut.of(rated.wallet_micros, currency),
        )
