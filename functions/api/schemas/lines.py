"""Lines of quotes, orders and documents."""

from typing import Literal

from api.schemas.base import Day, Decimals, MoneyOut, Schema
from billing.domain.documents import Line, Sums
from billing.domain.selling import TAX_WHOLE

LineName = Literal[
    "plan",
    "units",
    "package",
    "bundle",
    "product",
    "number_setup",
    "number",
    "storage",
    "charge",
]

_RATE_DECIMALS = len(str(TAX_WHOLE)) - 1


class LineOut(Schema):
    """One line. ``unit_price`` is for the whole term and ``amount`` for what is charged of it, both
    net; it pays from ``starts_on`` up to, and not including, ``ends_on``. ``tax_rate`` is a
    fraction: ``0.2`` is 20 %."""

    kind: LineName
    what: str
    text: str
    quantity: int
    unit_price: MoneyOut
    amount: MoneyOut
    tax_code: str | None
    tax_name: str | None
    tax_rate: Decimals
    tax: MoneyOut
    starts_on: Day | None
    ends_on: Day | None
    up_front: bool

    @staticmethod
    def of(line: Line, currency: str) -> "LineOut":
        return LineOut(
            kind=line.kind.value,
            what=line.what,
            text=line.text,
            quantity=line.quantity,
            unit_price=MoneyOut.of(line.unit_price_micros, currency),
            amount=MoneyOut.of(line.amount_micros, currency),
            tax_code=line.tax_code or None,
            tax_name=line.tax_name or None,
            tax_rate=_rate(line.tax_millionths),
            tax=MoneyOut.of(line.tax_micros, currency),
            starts_on=line.starts_on,
            ends_on=line.ends_on,
            up_front=line.is_up_front,
        )

    @staticmethod
    def each(lines: tuple[Line, ...], currency: str) -> "list[LineOut]":
        return [LineOut.of(line, currency) for line in lines]


def sums_shown(sums: Sums, currency: str) -> dict[str, MoneyOut]:
    """What lines come to, by the fields that say so."""
    return {
        "subtotal": MoneyOut.of(sums.subtotal_micros, currency),
        "tax": MoneyOut.of(sums.tax_micros, currency),
        "total": MoneyOut.of(sums.total_micros, currency),
    }


def _rate(millionths: int) -> str:
    whole, rest = divmod(millionths, TAX_WHOLE)
    decimals = f"{rest:0{_RATE_DECIMALS}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)
