"""Quotes: what is wanted, and what it would come to."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import E164, Id, Instant, MoneyOut, Schema
from api.schemas.lines import LineOut, sums_shown
from billing.domain.catalog import Catalog
from billing.domain.errors import InvalidInputError
from billing.domain.orders import Quote, Want, WantKind
from billing.domain.selling import Interval
from billing.domain.wants import MOST_WANTS

Kind = Literal["plan", "units", "package", "bundle", "product", "number"]
IntervalName = Literal["month", "year"]


class WantIn(Schema):
    """One wish. ``what`` is the id of the plan, licence kind, package, bundle, product or number
    type.

    ``quantity``: of units and packages, how many there shall be afterwards, and never left out; of
    bundles and products, how many are bought. ``interval`` is a plan's. A number has its ``e164``,
    the ``capabilities`` that the buyer confirms, and ``auto_pay``.
    """

    kind: Kind
    what: Id
    quantity: Annotated[int, Field(ge=0)] | None = None
    interval: IntervalName | None = None
    e164: E164 | None = None
    capabilities: Annotated[list[Id], Field(max_length=10)] = []
    auto_pay: bool = True

    def parse(self, place: int) -> Want:
        """
        Args:
            place: Where it stands in the list.

        Raises:
            InvalidInputError: It does not say how many there shall be.
        """
        kind = WantKind(self.kind)
        if kind in (WantKind.UNITS, WantKind.PACKAGE) and self.quantity is None:
            raise InvalidInputError(
                "say how many there shall be afterwards", field=f"wants/{place}/quantity"
            )
        return Want(
            kind=kind,
            what=self.what,
            quantity=1 if self.quantity is None else self.quantity,
            interval=Interval(self.interval) if self.interval else None,
            e164=self.e164 or "",
            capabilities=tuple(self.capabilities),
            is_auto_pay=self.auto_pay,
        )


class QuoteIn(Schema):
    """What is wanted, all of it together or nothing."""

    wants: Annotated[list[WantIn], Field(max_length=MOST_WANTS)]

    def parse(self) -> tuple[Want, ...]:
        return tuple(want.parse(place) for place, want in enumerate(self.wants))


class WantOut(Schema):
    """A wish as it is quoted; the fields of numbers stand with numbers alone."""

    kind: Kind
    what: str
    quantity: int
    interval: IntervalName | None = None
    e164: str | None = None
    capabilities: list[str] | None = None
    auto_pay: bool | None = None

    @staticmethod
    def of(want: Want) -> "WantOut":
        is_number = want.kind is WantKind.NUMBER
        return WantOut(
            kind=want.kind.value,
            what=want.what,
            quantity=want.quantity,
            interval=want.interval.value if want.interval else None,
            e164=want.e164 or None,
            capabilities=list(want.capabilities) if is_number else None,
            auto_pay=want.is_auto_pay if is_number else None,
        )

    @staticmethod
    def each(wants: tuple[Want, ...]) -> "list[WantOut]":
        return [WantOut.of(want) for want in wants]


class TermsOut(Schema):
    """The terms an order of it has to accept."""

    version: str
    url: str | None
    text: str | None

    @staticmethod
    def of(catalog: Catalog) -> "TermsOut":
        return TermsOut(
            version=catalog.terms_version,
            url=catalog.terms_url or None,
            text=catalog.terms_text or None,
        )


class QuoteOut(Schema):
    """What it would come to now. Nothing is used up, and nothing is promised beyond ``expires_at``.

    ``up_front_fees``: the part of ``subtotal`` that is paid once, and not again at the next
    renewal. ``next_recurring``: what that renewal comes to, tax included, once this is ordered.
    ``scheduled``: what happens when the term turns. ``terms``: what an order has to accept.
    """

    quote_id: str
    wants: list[WantOut]
    lines: list[LineOut]
    subtotal: MoneyOut
    up_front_fees: MoneyOut
    tax: MoneyOut
    total: MoneyOut
    due_now: MoneyOut
    next_recurring: MoneyOut
    next_recurring_at: Instant
    scheduled: list[str]
    quoted_at: Instant
    expires_at: Instant
    terms: TermsOut

    @staticmethod
    def of(quote: Quote, catalog: Catalog) -> "QuoteOut":
        """
        Args:
            catalog: The current one.
        """
        currency = quote.currency
        return QuoteOut(
            quote_id=quote.quote_id,
            wants=WantOut.each(quote.wants),
            lines=LineOut.each(quote.lines, currency),
            **sums_shown(quote.sums, currency),
            up_front_fees=MoneyOut.of(quote.up_front_micros, currency),
            due_now=MoneyOut.of(quote.sums.total_micros, currency),
            next_recurring=MoneyOut.of(quote.next_recurring_micros, currency),
            next_recurring_at=quote.next_recurring_at,
            scheduled=list(quote.scheduled),
            quoted_at=quote.quoted_at,
            expires_at=quote.expires_at,
            terms=TermsOut.of(catalog),
        )
