"""Invoices: their lines, their numbers, and which are open (docs/billing.md)."""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from simulation.model.facts import InvoiceLine
from simulation.model.money import minor_unit, to_minor


def taxed_line(
    document: dict[str, Any],
    currency: str,
    name: tuple[str, str],
    quantity: int,
    amount: int,
    tax_code: str | None,
    days: tuple[date, date] | None = None,
) -> InvoiceLine:
    """A line with its tax, which is computed by itself and rounded to the minor unit."""
    rates = {rate["tax"]: Fraction(rate["percentage"]) for rate in document.get("tax_rates", ())}
    percentage = rates[tax_code] if tax_code else Fraction(0)
    tax = to_minor(amount * percentage / 100, minor_unit(currency))
    first, last = days or (None, None)
    return InvoiceLine(*name, quantity, amount, tax, first, last)


def total(lines: list[InvoiceLine]) -> int:
    return sum(line.amount_micros + line.tax_micros for line in lines)


@dataclass(slots=True)
class Papers:
    last_number: int = 0
    open: dict[int, int] = field(default_factory=dict)
    raised: list[tuple[InvoiceLine, ...]] = field(default_factory=list)
    pending: list[InvoiceLine] = field(default_factory=list)

    def raise_invoice(self, lines: list[InvoiceLine], *, is_paid: bool) -> None:
        """One, if there is any line; what comes to nothing is paid as it is raised."""
        if not lines:
            return
        self.last_number += 1
        self.raised.append(tuple(lines))
        if not is_paid and total(lines):
            self.open[self.last_number] = total(lines)
