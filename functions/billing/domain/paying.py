"""Paying an open invoice by request: out of the wallet, or from a source that is asked now.

Source of the rules: docs/billing.md, "Paying by hand".
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.collecting import Intent, intend
from billing.domain.collecting_steps import effect_change
from billing.domain.documents import DocumentNumbers, Invoice, InvoiceState
from billing.domain.errors import ConflictError, InsufficientBalanceError
from billing.domain.invoicing import paid
from billing.domain.money import Money
from billing.domain.recharging import RechargeReason
from billing.domain.records import AuditRecord, Operation, OperationState, Purpose, PurposeKind
from billing.domain.reservations import Holds
from billing.domain.spendable import spendable_micros
from billing.domain.subscription import Subscription


def require_open(invoice: Invoice) -> None:
    """
    Raises:
        ConflictError: There is nothing to pay.
    """
    if invoice.state is not InvoiceState.OPEN:
        raise ConflictError(f"invoice {invoice.number} is paid already")


def pay_from_wallet(
    account: Account,
    subscription: Subscription,
    numbers: DocumentNumbers,
    invoice: Invoice,
    holds: Holds,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """The wallet pays an open invoice at once.

    Args:
        holds: Read after the account.
        operation: Of whoever asked.
        audit: The same.

    Raises:
        InsufficientBalanceError: The wallet does not hold as much, beside what calls in progress
            have set aside; it says what it holds.
    """
    total, free = invoice.sums.total_micros, spendable_micros(account, holds, now)
    if total > free:
        raise InsufficientBalanceError(
            f"{Money(total, account.currency)} are due, and the wallet can spend"
            f" {Money(free, account.currency)}",
            field="pay_with",
        )
    effect = paid(account, subscription, numbers, invoice, now, cause=operation.operation_id)
    answered = replace(operation, state=OperationState.SUCCEEDED, answer=paid_json(invoice))
    return effect_change(
        account,
        replace(effect, records=(*effect.records, audit)),
        operation=answered,
        now=now,
        holds=holds,
    )


def pay_from_source(
    account: Account,
    invoice: Invoice,
    intent: Intent,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """Commit to collecting an open invoice from whoever was named.

    Args:
        intent: Who is asked for it.
        operation: Of whoever asked, pending.
        audit: The same.
    """
    return intend(
        account,
        replace(intent, reason=RechargeReason.INVOICE),
        now,
        requested=operation,
        audit=audit,
        purpose=Purpose(PurposeKind.INVOICE, str(invoice.number)),
    )


def paid_json(invoice: Invoice) -> dict[str, Json]:
    """What is answered to who has paid from the wallet, and answered again."""
    total = Money(invoice.sums.total_micros, invoice.currency)
    return {
        "invoice": invoice.number,
        "amount": {"amount": total.amount, "currency": total.currency},
    }
