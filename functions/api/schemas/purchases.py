"""What was bought, by month and kind."""

from datetime import date

from pydantic import Field

from api.schemas.base import Day, MoneyOut, Query, Schema
from api.schemas.lines import LineName
from billing.domain.documents import Sums
from billing.domain.purchases import KindBought, MonthBought
from billing.services.read_purchases import PurchasesView


class PurchasesQuery(Query):
    """Days of the account's zone: when documents were issued."""

    from_: Day | None = Field(None, alias="from", description="The first day; 365 before `to`.")
    to: Day | None = Field(None, description="The day after the last; tomorrow.")


class SumsOut(Schema):
    """Without tax, the tax, and both."""

    net: MoneyOut
    tax: MoneyOut
    gross: MoneyOut

    @staticmethod
    def of(sums: Sums, currency: str) -> "SumsOut":
        return SumsOut(
            net=MoneyOut.of(sums.subtotal_micros, currency),
            tax=MoneyOut.of(sums.tax_micros, currency),
            gross=MoneyOut.of(sums.total_micros, currency),
        )


class PurchasesRow(Schema):
    """One kind of line in one month: what was invoiced, and what was credited."""

    month: str
    kind: LineName
    invoiced: SumsOut
    credited: SumsOut

    @staticmethod
    def of(bought: KindBought, currency: str) -> "PurchasesRow":
        return PurchasesRow(
            month=_month(bought.month),
            kind=bought.kind.value,
            invoiced=SumsOut.of(bought.invoiced, currency),
            credited=SumsOut.of(bought.credited, currency),
        )


class PurchasesMonth(Schema):
    """One month, or ``total``. ``collected`` is what came by payments, ``recharged`` what of it
    filled the balance; ``refunded`` is what has been given back of these payments, at any time."""

    month: str
    invoiced: SumsOut
    credited: SumsOut
    collected: MoneyOut
    recharged: MoneyOut
    refunded: MoneyOut

    @staticmethod
    def of(month: str, bought: MonthBought, currency: str) -> "PurchasesMonth":
        return PurchasesMonth(
            month=month,
            invoiced=SumsOut.of(bought.invoiced, currency),
            credited=SumsOut.of(bought.credited, currency),
            collected=MoneyOut.of(bought.collected_micros, currency),
            recharged=MoneyOut.of(bought.recharged_micros, currency),
            refunded=MoneyOut.of(bought.refunded_micros, currency),
        )


class PurchasesOut(Schema):
    """What was bought, by month and kind; by month, with what was paid; and in all."""

    from_: Day = Field(alias="from")
    to: Day
    time_zone: str
    currency: str
    total: PurchasesMonth
    months: list[PurchasesMonth]
    data: list[PurchasesRow]

    @staticmethod
    def of(view: PurchasesView) -> "PurchasesOut":
        bought, currency = view.bought, view.currency
        return PurchasesOut.model_validate(
            {
                "from": view.begin,
                "to": view.end,
                "time_zone": view.time_zone,
                "currency": currency,
                "total": PurchasesMonth.of("total", bought.total, currency),
                "months": [
                    PurchasesMonth.of(_month(first), month, currency)
                    for first, month in bought.months
                ],
                "data": [PurchasesRow.of(one, currency) for one in bought.kinds],
            }
        )


def _month(first: date) -> str:
    return first.isoformat()[:7]
