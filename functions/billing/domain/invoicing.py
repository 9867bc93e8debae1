"""Invoices: raised open, and paid by a payment or from the wallet.

Nothing is booked when an invoice is raised: the sale is booked when it is paid.

Source of the rules: docs/billing.md.
"""

from dataclasses import replace
from datetime import date, datetime

from billing.domain.account import Account, Standing
from billing.domain.canonical import Json
from billing.domain.documents import (
    DocumentNumbers,
    Invoice,
    InvoiceState,
    Line,
    invoiced,
    receipted,
)
from billing.domain.effects import Effect
from billing.domain.grants import first_lots
from billing.domain.ledger import LedgerEntry
from billing.domain.money import Money
from billing.domain.records import Event, EventType, Timer, TimerKind
from billing.domain.selling_entries import book_sale
from billing.domain.subscription import OpenInvoice, Subscription


def billing_timers(
    subscription: Subscription, now: datetime
) -> tuple[tuple[Timer, ...], tuple[TimerKind, ...]]:
    """The billing timer as a subscription wants it: set, or cleared.

    Whoever writes a subscription sets it to agree.

    Args:
        subscription: As the Change leaves it, of an account whose period is current.
    """
    due_at = subscription.due_at
    if subscription.billed_until <= now:
        due_at = now if due_at is None else min(due_at, now)
    if due_at is None:
        return (), (TimerKind.BILLING,)
    return (Timer(TimerKind.BILLING, subscription.account, due_at),), ()


def raised(
    account: Account,
    subscription: Subscription,
    numbers: DocumentNumbers,
    lines: tuple[Line, ...],
    cause: str,
    now: datetime,
    *,
    period: date | None = None,
) -> Effect:
    """Raise an invoice, to be collected at once; one that comes to nothing is paid.

    Args:
        lines: One or more, which come to zero or more.
        cause: The operation that raises it.
        period: Of a renewal: the first local day of what it is for.
    """
    numbers, invoice = invoiced(numbers, lines, account.currency, cause, now)
    invoice = replace(invoice, period_starts_on=period)
    events: tuple[Event, ...] = (invoice_event(invoice, EventType.INVOICE_ISSUED, now),)
    entries: tuple[LedgerEntry, ...] = ()
    if invoice.state is InvoiceState.PAID:
        account, entries = book_sale(account, lines, cause, now)
        events = (*events, invoice_event(invoice, EventType.INVOICE_PAID, now))
    else:
        total = invoice.sums.total_micros
        subscription = replace(
            subscription,
            open_invoices=(
                *subscription.open_invoices,
                OpenInvoice(invoice.number, total, now),
            ),
            collect_at=min(subscription.collect_at or now, now),
        )
    set_, cleared = billing_timers(subscription, now)
    return Effect(
        account,
        entries=entries,
        records=(subscription, invoice, numbers),
        timers_set=set_,
        timers_cleared=cleared,
        events=events,
    )


def paid(
    account: Account,
    subscription: Subscription,
    numbers: DocumentNumbers,
    invoice: Invoice,
    now: datetime,
    *,
    cause: str,
    payment: tuple[str, str] | None = None,
    source_label: str = "",
) -> Effect:
    """An open invoice is paid out of the wallet: book the sale, and write the receipt.

    Once nothing is open any more, dunning is over and the account is restored. Until then what is
    left is collected at once.

    Args:
        account: Whose wallet holds the money.
        payment: Gateway and id of the payment that brought it; None: the wallet had it.
    """
    assert invoice.state is InvoiceState.OPEN, "an invoice is paid once"
    total = invoice.sums.total_micros
    account, entries = book_sale(account, invoice.lines, cause, now)
    settled = replace(invoice, state=InvoiceState.PAID, paid_at=now, paid_by=cause, payment=payment)
    numbers, receipt = receipted(
        numbers,
        amount_micros=total,
        currency=invoice.currency,
        cause=cause,
        now=now,
        payment=payment,
        source_label=source_label,
        invoice=invoice.number,
    )
    left = tuple(one for one in subscription.open_invoices if one.number != invoice.number)
    events = [invoice_event(settled, EventType.INVOICE_PAID, now, cause=cause)]
    if left:
        subscription = replace(subscription, open_invoices=left, collect_at=now)
    else:
        subscription = replace(subscription, open_invoices=(), collect_at=None, dunning=None)
        if account.standing is Standing.SUSPENDED:
            events.append(standing_event(account, EventType.ACCOUNT_RESTORED, cause, now))
        account = restored(account)
    set_, cleared = billing_timers(subscription, now)
    return Effect(
        account,
        entries=entries,
        records=(subscription, settled, numbers, receipt),
        timers_set=set_,
        timers_cleared=cleared,
        events=tuple(events),
    )


def restored(account: Account) -> Account:
    """The account in good standing, with what was not refilled while an invoice was past due.

    What the current period would have granted is granted whole, and once.
    """
    if account.standing is Standing.GOOD:
        return account
    known = {lot.grant_id for lot in account.grants}
    held_back = tuple(
        lot
        for lot in first_lots(account.plan.recurring_grants, account.period)
        if lot.grant_id not in known
    )
    is_held_back = not account.plan.refills_while_past_due
    grants = (*account.grants, *held_back) if is_held_back else account.grants
    return replace(account, standing=Standing.GOOD, grants=grants)


def invoice_event(
    invoice: Invoice,
    type_: EventType,
    now: datetime,
    *,
    cause: str = "",
    more: dict[str, Json] | None = None,
) -> Event:
    """What is told of an invoice.

    Args:
        cause: The operation that tells; empty: the one that raised it.
    """
    total = Money(invoice.sums.total_micros, invoice.currency)
    data: dict[str, Json] = {
        "invoice": invoice.number,
        "state": invoice.state.value,
        "total": {"amount": total.amount, "currency": total.currency},
        "issued_at": invoice.issued_at.isoformat(),
        **(more or {}),
    }
    return Event(f"{cause or invoice.cause}/{type_}", type_, invoice.account, now, data)


def standing_event(account: Account, type_: EventType, cause: str, now: datetime) -> Event:
    """The account is on hold, or is not any more."""
    return Event(f"{cause}/{type_}", type_, account.ref, now, {})
