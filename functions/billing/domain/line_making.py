"""Lines: priced, and taxed by the rates of the catalogue they are sold under."""

from datetime import date

from billing.domain.catalog import Catalog
from billing.domain.documents import Line, LineKind, tax_micros


def line(
    kind: LineKind,
    what: str,
    text: str,
    quantity: int,
    unit_price_micros: int,
    amount_micros: int,
    tax_code: str,
    catalog: Catalog,
    currency: str,
    starts_on: date | None = None,
    ends_on: date | None = None,
    is_up_front: bool = False,
) -> Line:
    """One line, with the tax that the catalogue has for its code.

    Args:
        what: Which plan, kind, package, number …, by its id.
        text: What people read.
        unit_price_micros: For the whole term, net, before it was prorated.
        amount_micros: Net, whole minor units; negative gives back.
        tax_code: Empty: none.
        starts_on: First local day it pays for; None: no time at all.
        ends_on: The day after the last.
        is_up_front: Paid once, and not again at the next renewal.
    """
    rate = catalog.tax_rates.get(tax_code)
    millionths = rate.millionths if rate else 0
    return Line(
        kind=kind,
        what=what,
        text=text,
        quantity=quantity,
        unit_price_micros=unit_price_micros,
        amount_micros=amount_micros,
        tax_code=tax_code,
        tax_name=rate.name if rate else "",
        tax_millionths=millionths,
        tax_micros=tax_micros(amount_micros, millionths, currency),
        starts_on=starts_on,
        ends_on=ends_on,
        is_up_front=is_up_front,
    )
