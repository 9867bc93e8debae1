"""One-off charges: what the operator puts on an invoice, such as a training or an adjustment.

Source of the rules: docs/billing.md, "One-off charges".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.catalog import Catalog
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change
from billing.domain.documents import DocumentNumbers, Invoice, Line, LineKind, sums
from billing.domain.effects import Effect
from billing.domain.errors import InvalidInputError
from billing.domain.invoicing import raised
from billing.domain.line_making import line
from billing.domain.money import Money, minor_units
from billing.domain.records import AuditRecord, Operation
from billing.domain.subscription import Subscription

MOST_CHARGES = 20
"""Lines of one request: more belong on an invoice of their own."""

MOST_PENDING = 100
"""Lines that may wait for one invoice."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One line to be charged once.

    Args:
        text: What people read.
        amount_micros: Net; a positive whole number of minor units.
        tax_code: Of the catalogue's rates; empty: none.
    """

    text: str
    amount_micros: int
    tax_code: str = ""


def charge_lines(charges: Sequence[Charge], catalog: Catalog, currency: str) -> tuple[Line, ...]:
    """The lines of charges, taxed by a catalogue's rates.

    Raises:
        InvalidInputError: None or too many; an amount that is not positive or no whole number of
            minor units; a tax that the catalogue does not have. Names the field.
    """
    if not 1 <= len(charges) <= MOST_CHARGES:
        raise InvalidInputError(f"charge 1 to {MOST_CHARGES} lines", field="lines")
    return tuple(_line(index, charge, catalog, currency) for index, charge in enumerate(charges))


def _line(index: int, charge: Charge, catalog: Catalog, currency: str) -> Line:
    at = f"lines/{index}"
    if charge.amount_micros <= 0:
        raise InvalidInputError(
            "an amount is positive; what is given back is a credit note", field=f"{at}/amount"
        )
    if charge.tax_code and charge.tax_code not in catalog.tax_rates:
        raise InvalidInputError("the catalogue has no such tax", field=f"{at}/tax")
    try:
        minor_units(charge.amount_micros, currency)
        return line(
            LineKind.CHARGE,
            LineKind.CHARGE.value,
            charge.text,
            1,
            charge.amount_micros,
            charge.amount_micros,
            charge.tax_code,
            catalog,
            currency,
            is_up_front=True,
        )
    except InvalidInputError as error:
        raise InvalidInputError(error.detail, field=f"{at}/amount") from error


def charged(
    account: Account,
    subscription: Subscription,
    numbers: DocumentNumbers,
    lines: tuple[Line, ...],
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
    *,
    is_at_once: bool,
) -> Change:
    """Put lines on an invoice of their own, which is collected at once, or on the next one.

    Args:
        lines: From ``charge_lines``.
        operation: Of whoever asked; it is answered with what became of the lines.

    Raises:
        InvalidInputError: Too many lines wait for the next invoice.
    """
    if is_at_once:
        effect = raised(account, subscription, numbers, lines, operation.operation_id, now)
        (invoice,) = (one for one in effect.records if isinstance(one, Invoice))
        number = invoice.number
    else:
        pending = (*subscription.pending, *lines)
        if len(pending) > MOST_PENDING:
            raise InvalidInputError(
                f"{MOST_PENDING} lines wait for the next invoice; invoice these now",
                field="invoice",
            )
        effect = Effect(account, records=(replace(subscription, pending=pending),))
        number = None
    return effect_change(
        account,
        replace(effect, records=(*effect.records, audit)),
        operation=replace(operation, answer=charged_json(lines, number, account.currency)),
        now=now,
    )


def charged_json(lines: tuple[Line, ...], invoice: int | None, currency: str) -> dict[str, Json]:
    """What became of the lines, as it is answered, and answered again.

    Args:
        invoice: Its number; None: they wait for the next one.
    """
    total = Money(sums(lines).total_micros, currency)
    return {
        "invoice": invoice,
        "total": {"amount": total.amount, "currency": total.currency},
        "lines": [
            {
                "text": one.text,
                "amount": {
                    "amount": Money(one.amount_micros, currency).amount,
                    "currency": currency,
                },
                "tax": {"amount": Money(one.tax_micros, currency).amount, "currency": currency},
            }
            for one in lines
        ],
    }
